# An idle workbench never wakes up: no thread of it is scheduled.
. "$(dirname "$0")/lib.sh"
workbench 80x24
keys Enter
see 'saved  2/2'
sleep 0.5
count() { cat /proc/"$pid"/task/*/status | awk '/ctxt_switches/ { n += $2 } END { print n }'; }
pid=$(pid_of_cai)
before=$(count)
sleep 2
is 'wake-ups' $(($(count) - before)) 0
