"""A metric as a program, with the standard library alone, that misbehaves on purpose.

metric.py HOW [KEY=VALUE...]: `after` queries answered well, it does HOW; `hello` is merged into its hello.
"""

import json
import os
import signal
import struct
import subprocess
import sys
import time

how = sys.argv[1] if len(sys.argv) > 1 else "not"
options = dict(argument.split("=", 1) for argument in sys.argv[2:])
after = int(options.get("after", 0))


def say(line):
    print(line, flush=True)


def rest_for_ever():
    with open("resting", "a"):
        pass
    while True:
        time.sleep(60)


def note_pid(pid):
    with open("pids", "a") as file:
        file.write(f"{pid}\n")


def read_frame():
    length = sys.stdin.buffer.read(8)
    if not length:
        return None
    length = struct.unpack("<Q", length)[0]
    frame = sys.stdin.buffer.read(length)
    assert len(frame) == length
    size = struct.unpack("<Q", frame[:8])[0]
    header = json.loads(frame[8 : 8 + size])
    formats = {"F32": "f", "F64": "d", "I64": "q", "U8": "B"}
    tensors = {}
    for name, tensor in header.items():
        begin, end = (8 + size + offset for offset in tensor["data_offsets"])
        element = formats[tensor["dtype"]]
        count = (end - begin) // struct.calcsize(element)
        tensors[name] = struct.unpack(f"<{count}{element}", frame[begin:end])
    return tensors


def accuracy(tensors):
    """As the metric `accuracy`, to the last bit."""
    right = sum((score >= 0.5) == (label == 1) for score, label in zip(tensors["scores"], tensors["labels"]))
    return right / len(tensors["labels"])


note_pid(os.getpid())
if how == "exits-at-once":
    print("one\ntwo: cannot find the costs", file=sys.stderr)
    sys.exit(3)
if how == "hangs-at-start":
    rest_for_ever()
if how == "prints-first":
    say("loading the costs")
if how == "refuses":
    say(json.dumps({"error": "there is no `costs.csv`", "kind": "configuration"}))
    sys.exit(0)

hello = {
    "metricopt": 1,
    "name": "double",
    "direction": "maximise",
    "kind": "classification",
    "range": [0, 1],
}
hello.update(json.loads(options.get("hello", "{}")))
if how == "closes-stdin":
    os.close(0)
say(json.dumps({key: value for key, value in hello.items() if value != "none"}))
if how == "closes-stdin":
    rest_for_ever()
if how == "prints-after":
    say("ready")

grandchildren = []
queries = 0
while True:
    if how == "reads-slowly":
        time.sleep(0.2)
    if how == "never-reads" and queries == after:
        rest_for_ever()
    tensors = read_frame()
    if tensors is None:
        if how == "never-ends":
            rest_for_ever()
        break
    value = accuracy(tensors)
    queries += 1
    if queries <= after or how == "not":
        say(json.dumps({"value": value}))
        continue
    if how == "error":
        say(json.dumps({"error": "the sensor is unplugged"}))
    elif how == "undefined":
        say(json.dumps({"error": "no positives", "kind": "undefined"}))
    elif how == "answers":
        say(options["line"])
    elif how == "answers-twice":
        print(json.dumps({"value": value}) + "\n" + json.dumps({"value": value}), flush=True)
    elif how == "prints-a-huge-line":
        try:
            while True:
                os.write(1, b"x" * 65536)
        except BrokenPipeError:
            sys.exit(1)
    elif how == "chats":
        print("x" * 100 + "\n", file=sys.stderr, end="", flush=True)
        for _ in range(3000):
            os.write(2, b"a line of some length to fill the pipe with\n")
        say(json.dumps({"value": value}))
    elif how == "hangs":
        rest_for_ever()
    elif how == "dies":
        raise RuntimeError("the sensor is broken")
    elif how == "is-killed":
        os.kill(os.getpid(), signal.SIGKILL)
    elif how == "dies-once":
        # The mark outlives the process.
        try:
            with open("died", "x"):
                pass
        except FileExistsError:
            say(json.dumps({"value": value}))
        else:
            os.kill(os.getpid(), signal.SIGKILL)
    elif how == "closes-stdout":
        os.close(1)
        rest_for_ever()
    elif how == "has-children":
        if not grandchildren:
            grandchildren.append(subprocess.Popen(["sleep", "600"]))
            note_pid(grandchildren[0].pid)
        say(json.dumps({"value": value}))
    elif how == "leaves-a-child":
        grandchildren.append(subprocess.Popen(["sleep", "600"]))
        note_pid(grandchildren[-1].pid)
        os._exit(4)
    elif how in ("prints-after", "never-ends", "reads-slowly", "never-reads"):
        say(json.dumps({"value": value}))
    else:
        raise SystemExit(f"unknown: {how}")
