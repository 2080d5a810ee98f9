# Wide characters in the prompt: the cursor stands where the text ends.
. "$(dirname "$0")/lib.sh"
workbench 80x24
keys :
text '日本'
see ':日本'
is 'cursor' "$($T display -p '#{cursor_x}')" 5
keys Left
sleep 0.1
is 'cursor after Left' "$($T display -p '#{cursor_x}')" 3
keys Escape
unsee ':日本'
keys c
text '語é'
see 'prompt: 語é'
is 'cursor in the second prompt' "$($T display -p '#{cursor_x}')" 11
keys Enter
see 'c2 語é'
keys q
see 'code=0'
