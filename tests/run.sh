#!/bin/sh
# Runs every test and ends with "N passed, N failed". Usage: tests/run.sh BUILD_DIR
# Each program runs alone, with a bare environment and a time limit.
build=$1
here=$(dirname "$0")
. "$here/count.sh"
export LC_ALL=C.UTF-8

bare() {
    env -i PATH="$PATH" HOME="$HOME" LC_ALL=C.UTF-8 TERM=dumb \
        CAI_TEST_MODEL="$CAI_TEST_MODEL" ${CAI_TEST_LONG:+CAI_TEST_LONG="$CAI_TEST_LONG"} \
        timeout -k 5 "${CAI_TEST_TIMEOUT:-300}" "$@"
}

for src in "$here"/unit_*.c; do
    name=$(basename "$src" .c)
    started=$(date +%s)
    bare env CMOCKA_MESSAGE_OUTPUT=TAP "$build/tests/$name" >"$build/tests/$name.log" 2>&1
    count_tap "$name" $? "$build/tests/$name.log" $(($(date +%s) - started))
done
python3 "$here/prompt_checks.py" >"$build/tests/prompts.log" 2>&1
count_lines prompts $? "$build/tests/prompts.log" 0
for suite in screen e2e; do
    [ -x "$here/$suite/run.sh" ] || continue
    started=$(date +%s)
    bare "$here/$suite/run.sh" "$build" >"$build/tests/$suite.log" 2>&1
    count_lines "$suite" $? "$build/tests/$suite.log" $(($(date +%s) - started))
done
count_total "$build"
