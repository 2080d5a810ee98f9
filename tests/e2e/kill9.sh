# What was said to be saved survives kill -9, and the lock does not.
. "$(dirname "$0")/lib.sh"
workbench 80x24
keys Enter
see 'saved  2/2'
keys Enter
see 'saved  4/4'
kill -KILL "$(pid_of_cai)"
see 'code=137'
stty -F "$($T display -p '#{pane_tty}')" sane
$T respawn-pane -k "$bare $CAI --session $top/demo --model scripted:$demo; echo code=\$?; exec sleep 60"
see 'c1.3 revision'
see 'saved  4/4'
keys q
see 'code=0'
