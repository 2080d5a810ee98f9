#!/bin/sh
# Slow checks: the tests under ASan and UBSan, the store under valgrind, fuzz smoke.
cd "$(dirname "$0")/.." || exit 1
. tests/count.sh
jobs=$(nproc)
san='-fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer'
make --no-print-directory -j "$jobs" B=build/san OPT=-O1 EXTRA_CFLAGS="$san" LDFLAGS="$san" all tests || exit 1

export CAI_TEST_TIMEOUT=600 LC_ALL=C.UTF-8
for src in tests/unit_*.c; do
    name=$(basename "$src" .c)
    started=$(date +%s)
    # the long loops are the store's: 100 kills instead of 20
    case $name in unit_session_process) long=1 ;; *) long= ;; esac
    env CMOCKA_MESSAGE_OUTPUT=TAP ASAN_OPTIONS=detect_leaks=1 ${long:+CAI_TEST_LONG=1} \
        timeout -k 5 $CAI_TEST_TIMEOUT \
        "build/san/tests/$name" >"build/san/tests/$name.log" 2>&1
    count_tap "san/$name" $? "build/san/tests/$name.log" $(($(date +%s) - started))
done

# The store once more without sanitizers: valgrind sees what they do not.
make --no-print-directory -j "$jobs" build/tests/unit_session || exit 1
started=$(date +%s)
env CMOCKA_MESSAGE_OUTPUT=TAP timeout -k 5 $CAI_TEST_TIMEOUT \
    valgrind -q --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite \
    build/tests/unit_session >build/san/tests/valgrind.log 2>&1
count_tap valgrind/unit_session $? build/san/tests/valgrind.log $(($(date +%s) - started))

for src in tests/fuzz_*.c; do
    name=$(basename "$src" .c)
    started=$(date +%s)
    timeout -k 5 60 "build/san/tests/$name" --seconds 10 >"build/san/tests/$name.log" 2>&1
    status=$?
    [ $status = 0 ] && echo "ok $name" >>"build/san/tests/$name.log"
    count_lines "$name" $status "build/san/tests/$name.log" $(($(date +%s) - started))
done
count_total build/san
