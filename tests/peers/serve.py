"""Times a peer on request: `python serve.py MODULE INPUTS THREADS`, then a line of JSON for each request.

A module has `cases(inputs, threads)`, which gives functions by name; each returns the value it computed, or None. A request is
{"case": NAME, "seconds": S}: the case is called until S seconds have passed, at least once. The answer is the mean of the seconds
that a call took, and the value of the last one.
"""

import importlib
import json
import os
import sys
import time


def main():
    module, inputs, threads = sys.argv[1], sys.argv[2], int(sys.argv[3])
    # What peers print must not come between the answers.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    cases = importlib.import_module(module).cases(inputs, threads)
    print(json.dumps({"cases": sorted(cases)}), file=answers, flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        case, calls, begun = cases[request["case"]], 0, time.perf_counter()
        while True:
            value = case()
            calls += 1
            elapsed = time.perf_counter() - begun
            if elapsed >= request["seconds"]:
                break
        value = None if value is None else float(value)
        print(json.dumps({"seconds": elapsed / calls, "value": value}), file=answers, flush=True)


main()
