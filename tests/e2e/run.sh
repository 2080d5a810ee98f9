#!/bin/sh
# End-to-end tests of the workbench in tmux. Usage: tests/e2e/run.sh BUILD_DIR [NAME...]
here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "${1:-build}" && pwd)
[ $# -gt 0 ] && shift
export CAI="$build/cai" demo="$here/../screen/demo.json" BUILD="$build"
passed=0 failed=0
[ $# -gt 0 ] || set -- $(cd "$here" && ls *.sh | sed 's/\.sh$//' | grep -vxE 'run|lib')
for name; do
    top=$(mktemp -d) || exit 1
    export top
    if timeout -k 5 200 sh "$here/$name.sh" >"$top/log" 2>&1; then
        passed=$((passed + 1)) && echo "ok $name"
        grep '^figure' "$top/log"
    elif grep -q '^skip' "$top/log"; then
        grep '^skip' "$top/log"
    else
        failed=$((failed + 1)) && echo "FAIL $name"
        sed 's/^/    /' "$top/log"
    fi
    # a workbench that is being ended may still write its last file
    rm -rf "$top" 2>/dev/null || { sleep 1; rm -rf "$top"; }
done
echo "$passed passed, $failed failed"
[ $failed = 0 ]
