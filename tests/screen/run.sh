#!/bin/sh
# Key scripts: the workbench on a plain grid, its screens compared with the stored ones.
# Usage: tests/screen/run.sh BUILD_DIR [NAME...]; UPDATE=1 stores what is shown now.
#
# Comment lines of a script that begin with "#!" set it up: "#! env NAME=VALUE", "#! model
# FILE", "#! after NAME" (the session another script left), "#! locked" (somebody else
# writes the session), "#! plain" (no session is named).
here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "${1:-build}" && pwd)
[ $# -gt 0 ] && shift
top=$(mktemp -d) || exit 1
trap 'rm -rf "$top"' EXIT
passed=0 failed=0
# a tree of its own: goldens do not change with the constitutions that are shipped
mkdir -p "$top/tree/build" && cp "$build/cai" "$top/tree/build/cai" && cp -r "$here/constitutions" "$top/tree/" || exit 1

result() { # STATUS NAME
    if [ "$1" = 0 ]; then
        passed=$((passed + 1)) && echo "ok $2"
    else
        failed=$((failed + 1)) && echo "FAIL $2"
    fi
}

# Runs one script on the session folder of $2, output to $3.
play() {
    script=$here/$1.keys
    model=$(sed -n 's/^#! model //p' "$script")
    lock=$(grep -c '^#! locked' "$script")
    mkdir -p "$2"
    set -- "$2/demo" "$3" env -i PATH="$PATH" HOME="$2" LC_ALL=C.UTF-8 TERM=dumb LOGNAME=tester \
        $(sed -n "s,@HERE@,$here,;s/^#! env //p" "$script") timeout -k 5 120 \
        "$top/tree/build/cai" --script "$script" --session demo --seed 1 \
        --model "scripted:$here/${model:-demo.json}"
    session=$1 out=$2
    shift 2
    (
        cd "${session%/demo}" || exit 1
        if [ "$lock" != 0 ]; then
            flock demo/lock "$@"
        else
            "$@"
        fi
    ) >"$out" 2>"$out.err"
}

[ $# -gt 0 ] || set -- $(cd "$here" && ls *.keys | sed 's/\.keys$//')
for name; do
    before=$(sed -n 's/^#! after //p' "$here/$name.keys")
    [ -z "$before" ] || play "$before" "$top/$name" "$top/$name.before"
    play "$name" "$top/$name" "$top/$name.out"
    status=$?
    cat "$top/$name.out.err" >>"$top/$name.out"
    if [ -n "$UPDATE" ]; then
        cp "$top/$name.out" "$here/$name.golden"
    fi
    [ $status = 0 ] && cmp -s "$top/$name.out" "$here/$name.golden"
    good=$?
    result $good "$name"
    [ $good = 0 ] || diff -u "$here/$name.golden" "$top/$name.out" | head -60 | sed 's/^/    /'
done
echo "$passed passed, $failed failed"
[ $failed = 0 ]
