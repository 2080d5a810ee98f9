# A storm of resizes while text streams: laid out anew each time, nothing stale stays.
. "$(dirname "$0")/lib.sh"
workbench 80x24
keys c
text 'Please talk slowly.'
keys Enter
see 'c2 prompt'
keys Enter
for size in 100x30 40x10 31x8 20x5 120x40 64x12 63x12 80x24 79x23 133x33 80x24; do
    $T resize-window -x "${size%x*}" -y "${size#*x}"
    sleep 0.05
done
see 'twenty-five'
see 'saved'
is 'help hints' "$($T capture-pane -p | grep -c '? help')" 1
is 'top bars' "$($T capture-pane -p | grep -c '1 Chain')" 1
$T resize-window -x 20 -y 5
see 'needs 40x10'
keys q
see 'code=0'
