# The user's .inputrc is honoured: in vi mode Esc is a command key and Ctrl-C cancels.
. "$(dirname "$0")/lib.sh"
printf 'set editing-mode vi\nset enable-bracketed-paste off\nset blink-matching-paren on\n' >"$top/home/.inputrc"
workbench 80x24
keys c
text 'hello (there)'
see 'prompt: hello (there)'
keys Escape
sleep 0.1
keys 0
sleep 0.1
is 'cursor after 0' "$($T display -p '#{cursor_x}')" 8
text 'x'
see 'prompt: ello (there)'
printf 'one\ntwo' | $T load-buffer -
keys A
$T paste-buffer -p
see '(there)one↵two'
keys C-c
unsee 'prompt:'
keys q
see 'code=0'
