#!/bin/sh
# note-lines.sh FILE: appends each line it gets to FILE. Runs in the xterm of a browser test.
: >"$1"
echo welcome
while IFS= read -r line; do
    printf '%s\n' "$line" >>"$1"
done
