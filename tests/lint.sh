#!/bin/sh
# Style that is enforced: include rules, banned functions, formatting, static analysis.
# Each rule counts as one test; ends with "N passed, N failed".
cd "$(dirname "$0")/.." || exit 1
. tests/count.sh
log=build/lint
mkdir -p $log && : >$log/results

# rule NAME: what stands on standard input is a list of violations. Runs at the end of a
# pipe, so it leaves its result in a file.
rule() {
    cat >"$log/$1"
    if [ -s "$log/$1" ]; then
        echo "FAIL $1" | tee -a $log/results
        head -n 20 "$log/$1" | sed 's/^/    /'
    else
        echo "ok $1" | tee -a $log/results
    fi
}

c_files=$(find engine tui tests -name '*.[ch]')
engine_files=$(find engine -name '*.[ch]')
tui_files=$(find tui -name '*.[ch]')
jobs=$(nproc)

grep -nE '#include *[<"](ncurses|curses|readline|term\.h)' $engine_files | rule engine-has-no-terminal
for f in $tui_files; do
    case $f in tui/term.c) ;; *) grep -HnE '#include *[<"](ncurses|curses)' "$f" ;; esac
    case $f in tui/prompt.c) ;; *) grep -HnE '#include *[<"]readline' "$f" ;; esac
done | rule only-term-and-prompt-see-libraries
grep -nE '#include *"(base|model|provider|stats|store|pipeline|train|session|exchange|stage)/' $tui_files |
    rule tui-sees-only-cai.h

# Who may include whom (README, Architecture). A room may include itself and those named.
may() {
    case $1 in
    base) ;;
    model) echo base ;;
    provider | stats) echo base model ;;
    store) echo base provider stats ;;
    pipeline | train) echo base provider stats ;;
    session) echo base provider stats store pipeline train ;;
    exchange) echo base provider stats store pipeline train session ;;
    stage) echo base provider stats store pipeline train session exchange ;;
    esac
}
for room in $(ls engine | grep -v '\.h$'); do
    allowed="$room $(may $room)"
    find engine/$room -name '*.[ch]' | while read -r f; do
        grep -nE '^#include "' "$f" | while IFS= read -r line; do
            path=${line#*\"}
            case $path in cai.h\") continue ;; esac
            case " $allowed " in *" ${path%%/*} "*) ;; *)
                # train alone sees the model beside provider/local.c: it differentiates it
                [ "$room" = train ] && [ "${path%%/*}" = model ] || echo "$f:$line"
                ;;
            esac
        done
    done
done | rule include-direction
for f in $(printf '%s\n' $engine_files | grep -E '^engine/(provider|stats)/'); do
    case $f in engine/provider/local.c) ;; *) grep -Hn '#include "model/' "$f" ;; esac
done | rule only-local-knows-the-model

banned='\b(sprintf|vsprintf|strcpy|strcat|strncpy|strtok|atoi|atof|gets|gmtime|localtime|alloca|cJSON_GetObjectItem)\('
grep -nE "$banned" $c_files | rule banned-functions
grep -nE '\b(exit|_exit|abort|getenv|printf|puts|fprintf)\(' $engine_files | rule engine-never-exits-prints-or-reads-environment
grep -nE '\b(malloc|calloc|realloc|free|strdup)\(' $engine_files | grep -v '^engine/base/mem.c:' | rule engine-heap-only-through-mem
grep -nE '\b(TODO|FIXME|XXX)\b' $c_files | rule no-unfinished-marks
for f in $c_files; do
    n=$(wc -l <"$f")
    [ "$n" -le 900 ] || echo "$f: $n lines"
done | rule files-of-one-idea
for f in $c_files; do
    head -n 1 "$f" | grep -q '^/\*' || echo "$f: no head comment"
done | rule head-comments

# The screen that opens the README is one that the tests captured.
sed -n '/^```$/,/^```$/p' README.md | sed '1d' | sed '/^```$/,$d' >$log/readme.screen
sed -n '/^=== diff /,/^=== /p' tests/screen/chain.golden | sed '/^=== /d' |
    diff - $log/readme.screen | rule readme-shows-a-captured-screen

printf '%s\n' $c_files | xargs -P "$jobs" -n 8 clang-format --dry-run 2>&1 | grep 'warning:' | rule clang-format
for h in $(find engine tui -name '*.h'); do
    gcc -std=c11 -D_GNU_SOURCE -Wall -Wextra -Wpedantic -Iengine -Itui -fsyntax-only -x c "$h" 2>&1
done | rule each-header-compiles-alone
cppcheck --quiet --std=c11 --language=c -Iengine -Itui -j "$jobs" --inline-suppr \
    --enable=warning,portability --suppress=missingInclude --suppress=uninitMemberVar \
    --suppress=unknownMacro --suppress=invalidPointerCast --template='{file}:{line}: {id}: {message}' \
    engine tui 2>&1 | rule cppcheck

passed=$(grep -c '^ok ' $log/results) failed=$(grep -c '^FAIL ' $log/results)
count_total $log
