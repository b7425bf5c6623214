#!/bin/sh
# Makes a metric of any program that takes a safetensors file and prints a number.
#
#     host run --plugin tabular --metric "exec:command=sh examples/exec/by_file.sh maximise PROGRAM ARGUMENTS"
#
# calls `PROGRAM ARGUMENTS FILE` for every query. Starting a program each time takes milliseconds, where a program that
# stays takes microseconds: fine for a metric that is slow anyway.
set -eu
direction=${1:?minimise or maximise, then a program}
shift
file=$(mktemp)
trap 'rm -f "$file"' EXIT

printf '{"metricopt": 1, "name": "by-file", "direction": "%s"}\n' "$direction"
while length=$(dd bs=8 count=1 2>/dev/null | od -A n -t u8 | tr -d ' \n') && [ -n "$length" ]; do
    head -c "$length" >"$file"
    # What the program reads is not to be the next query.
    if value=$("$@" "$file" </dev/null); then
        printf '{"value": %s}\n' "$value"
    else
        printf '{"error": "the program ended with exit code %s"}\n' "$?"
    fi
done
