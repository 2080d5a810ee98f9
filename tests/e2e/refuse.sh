# No terminal, an unknown one, a second workbench on one session, a terminal of 20x5.
. "$(dirname "$0")/lib.sh"
$bare "$CAI" --session "$top/x" </dev/null >"$top/out" 2>&1
is 'without a terminal' $? 2
grep -q 'needs a terminal' "$top/out" || fail "$(cat "$top/out")"
start 20x5 "$(printf %s "$bare" | sed 's/screen-256color/nonsense/') $CAI --session $top/y --model scripted:$demo 2>$top/err"
see 'code=1'
grep -q 'terminal "nonsense" is unknown' "$top/err" || fail "$(cat "$top/err")"
$T respawn-pane -k "$bare $CAI --session $top/demo --model scripted:$demo; echo code=\$?; exec sleep 60"
see 'needs 40x10'
$T resize-window -x 80 -y 24
see '? help'
keys Enter
see 'saved  2/2'
$T split-window -d "$bare $CAI --session $top/demo --model scripted:$demo; exec sleep 60"
$T resize-window -x 80 -y 50
first=$($T display -p '#{pane_id}')
$T select-pane -t :.+
see 'read-only'
keys Enter
see 'step: '
$T select-pane -t "$first"
keys q
see 'code=0'
