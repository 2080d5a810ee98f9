# ^Z gives the shell back sane, fg the screen, also when resized meanwhile.
. "$(dirname "$0")/lib.sh"
start 80x24 "$bare PS1='ready> ' bash --norc -i"
see 'ready>'
text "$CAI --session $top/demo --model scripted:$demo"
keys Enter
see '? help'
keys C-z
see 'Stopped'
is 'alternate screen' "$($T display -p '#{alternate_on}')" 0
text 'echo al''ive'
keys Enter
see 'alive'
$T resize-window -x 100 -y 30
text fg
keys Enter
see '? help'
keys Enter
see 'c1.1 response'
is 'width' "$($T capture-pane -p | sed -n 2p | wc -m)" 101
keys : C-z
see 'Stopped'
text fg
keys Enter
see 'Actions'
keys Escape
unsee 'Actions'
keys q
see 'session:'
