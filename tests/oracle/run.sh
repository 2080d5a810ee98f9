#!/bin/sh
# Runs every comparison with another program, writes tests/oracle/results.json and ends
# with "N passed, N failed". Usage: tests/oracle/run.sh [BUILD_DIR]
# A program that cannot run counts as one failure.
here=$(cd "$(dirname "$0")" && pwd)
build=${1:-$here/../../build}
mkdir -p "$build/oracle" || exit 1
build=$(cd "$build" && pwd)
export CAI_TEST_BUILD="$build" LC_ALL=C.UTF-8 PYTHONDONTWRITEBYTECODE=1
"$here/setup.sh" "$build" || exit 1
python=$build/oracle-venv/bin/python
rm -rf "$build/oracle/parts"
cd "$here" || exit 1
started=$(date +%s)
for program in "unpack.py --check" "gguf_write.py tiny --check" "logprobs.py --check" \
    "chat_template.py --check" tokenizer.py invariants.py bench.py; do
    # the program's name and its options are words of their own
    # shellcheck disable=SC2086
    "$python" $program || echo "$program: exit $?"
done
"$python" report.py $(($(date +%s) - started))
