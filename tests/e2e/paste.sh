# A paste is text, never keys: ignored outside a prompt, one line with marks inside.
. "$(dirname "$0")/lib.sh"
workbench 80x24
printf 'q\nx\n' >"$top/paste"
$T load-buffer "$top/paste"
$T paste-buffer -p
see 'pasted text is not taken as keys'
keys c
see 'prompt:'
printf 'first\nsecond' | $T load-buffer -
$T paste-buffer -p
see 'first↵second'
keys Enter
see 'c2 first'
# a megabyte into a prompt: shown, cancelled, gone
yes aaaaaaaaaaaaaaaaaaaaaaaaa | tr '\n' ' ' | head -c 1000000 >"$top/big"
$T load-buffer "$top/big"
keys c
see 'prompt:'
$T paste-buffer -p
see 'aaaaaaaaaaaaaaaaaaaa' 20
keys C-c
unsee 'aaaaaaaaaaaaaaaaaaaa'
# taken as a prompt it is kept, and the model's limit is said
keys c
see 'prompt:'
$T paste-buffer -p
see 'aaaaaaaaaaaaaaaaaaaa' 20
keys Enter
see 'c3 aaaa' 20
keys Enter
see 'context' 20
keys q
see 'code=0'
