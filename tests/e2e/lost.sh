# The terminal goes away: the workbench saves and ends, no loop, no loss.
. "$(dirname "$0")/lib.sh"
workbench 80x24
keys Enter
see 'saved  2/2'
keys c
text 'Please talk slowly.'
keys Enter
see 'c2 prompt'
keys Enter
see 'three'
pid=$(pid_of_cai)
$T kill-server
i=0
while kill -0 "$pid" 2>/dev/null; do
    i=$((i + 1))
    [ $i -lt 100 ] || fail 'still running'
    sleep 0.05
done
workbench 80x24
see 'c2 Please talk'
see 'stopped'
