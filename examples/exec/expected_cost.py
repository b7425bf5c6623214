"""Expected cost per case: a metric for metricopt, in Python with numpy alone.

    host run --plugin tabular --metric "exec:command=python3 examples/exec/expected_cost.py --missed 5 --false-alarm 1"

A case is acted on from a probability of one half. A positive that is missed costs `--missed`, a negative that is acted on
`--false-alarm`. Copy this file and change `expected_cost` for a metric of your own.
"""

import argparse
import json
import sys

import numpy as np

DTYPES = {"F32": "<f4", "F64": "<f8", "I64": "<i8", "U8": "u1"}


def expected_cost(scores, labels, missed, false_alarm):
    if scores.ndim != 1:
        raise ValueError(f"expected the scores of two classes, found those of {scores.shape[1]}")
    if len(labels) == 0:
        raise ValueError("no cases")
    acted, positive = scores >= 0.5, labels == 1
    return (missed * np.sum(positive & ~acted) + false_alarm * np.sum(acted & ~positive)) / len(labels)


def read_tensors(stream):
    """The tensors of one query by name, or None once there are no more queries.

    A frame is a length and so many bytes of a safetensors file: the length of a header, the header in JSON, the numbers.
    Lengths are 8 bytes, little-endian.
    """
    length = stream.read(8)
    if len(length) < 8:
        return None
    file = stream.read(int.from_bytes(length, "little"))
    start = 8 + int.from_bytes(file[:8], "little")
    tensors = {}
    for name, tensor in json.loads(file[8:start]).items():
        begin, end = tensor["data_offsets"]
        numbers = np.frombuffer(file[start + begin : start + end], DTYPES[tensor["dtype"]])
        tensors[name] = numbers.reshape(tensor["shape"])
    return tensors


def say(**line):
    """One line of the protocol. Standard output belongs to these lines: print anything else to `sys.stderr`."""
    print(json.dumps(line), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--missed", type=float, default=5.0)
    parser.add_argument("--false-alarm", type=float, default=1.0)
    costs = parser.parse_args()

    say(metricopt=1, name="expected-cost", direction="minimise", kind="classification", range=[0, None])
    while (tensors := read_tensors(sys.stdin.buffer)) is not None:
        try:
            cost = expected_cost(tensors["scores"], tensors["labels"], costs.missed, costs.false_alarm)
            say(value=float(cost))
        except ValueError as error:
            say(error=str(error), kind="undefined")


if __name__ == "__main__":
    main()
