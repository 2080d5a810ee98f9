# Counting of test results, sourced by the runners. A program that dies or says nothing
# counts as one failure.
passed=0 failed=0 skipped=0

# tally NAME STATUS LOG SECONDS PASSED FAILED SKIPPED
tally() {
    if [ "$2" != 0 ] && [ "$6" = 0 ] || [ $(($5 + $6 + $7)) = 0 ]; then
        set -- "$1" "$2" "$3" "$4" "$5" $(($6 + 1)) "$7"
        echo "$1: ended with status $2" >>"$3"
    fi
    passed=$((passed + $5)) failed=$((failed + $6)) skipped=$((skipped + $7))
    printf '%-24s %4d passed %3d failed %3d skipped %4d s\n' "$1" "$5" "$6" "$7" "$4"
    [ "$6" = 0 ] || grep -E -v '^(ok|1\.\.)' "$3" | tail -n 40
    grep -E '# SKIP|^skip ' "$3" | sed 's/^/    /'
    grep -h '^reason: ' "$3" | sort -u | sed 's/^/    /'
}

# cmocka's TAP: "ok 1 - name", "not ok 2 - name", "not ok 3 # SKIP name"
count_tap() {
    s=$(grep -c '# SKIP' "$3")
    f=$(grep -v '# SKIP' "$3" | grep -c '^not ok ')
    p=$(grep -v '# SKIP' "$3" | grep -c '^ok ')
    tally "$1" "$2" "$3" "$4" "$p" "$f" "$s"
}

# our own runners: "ok NAME", "FAIL NAME", "skip NAME: reason"
count_lines() {
    tally "$1" "$2" "$3" "$4" "$(grep -c '^ok ' "$3")" "$(grep -c '^FAIL ' "$3")" "$(grep -c '^skip ' "$3")"
}

# Prints the closing line, leaves the numbers for .ci/run, and is the exit status.
count_total() {
    mkdir -p "$1" && echo "$passed $failed $skipped" >"$1/totals"
    if [ "$skipped" = 0 ]; then
        echo "$passed passed, $failed failed"
    else
        echo "$passed passed, $failed failed, $skipped skipped"
    fi
    [ "$failed" = 0 ] && [ "$passed" != 0 ]
}
