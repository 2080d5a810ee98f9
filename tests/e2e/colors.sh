# 256 and 16 colours, and none: by terminal and by NO_COLOR.
. "$(dirname "$0")/lib.sh"
plain=$bare
workbench 80x24
$T capture-pane -pe | grep -q '38;5;31m' || fail 'no 256 colours'
keys q
see 'code=0'
bare=$(printf %s "$plain" | sed 's/screen-256color/screen/')
$T respawn-pane -k "$bare $CAI --session $top/demo --model scripted:$demo; echo code=\$?; exec sleep 60"
see '? help'
$T capture-pane -pe | grep -q '36m' || fail 'no 16 colours'
! $T capture-pane -pe | grep -q '38;5;' || fail '256 colours on a terminal of 8'
keys q
see 'code=0'
$T respawn-pane -k "$plain NO_COLOR=1 $CAI --session $top/demo --model scripted:$demo; echo code=\$?; exec sleep 60"
see '? help'
! $T capture-pane -pe | grep -qE '\[(3[0-7]|38;5;[0-9]+)m' || fail 'colour in spite of NO_COLOR'
keys q
see 'code=0'
$T respawn-pane -k "$plain NO_COLOR=1 $CAI --color --session $top/demo --model scripted:$demo; echo code=\$?; exec sleep 60"
see '? help'
$T capture-pane -pe | grep -q '38;5;31m' || fail '--color does not win'
