# TERM ends through the loop; SEGV leaves a sane terminal behind, and the shell sees it.
. "$(dirname "$0")/lib.sh"
workbench 80x24
keys m Enter
see 'saved  2/2'
kill -TERM "$(pid_of_cai)"
see 'code=0'
sane
$T respawn-pane -k "$bare $CAI --session $top/demo --model scripted:$demo; echo code=\$?; exec sleep 60"
see 'c1.1 response'
keys m
see 'mouse on'
kill -SEGV "$(pid_of_cai)"
see 'code=139'
sane
