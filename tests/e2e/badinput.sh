# Bad input at the command line: exit statuses, and a message that names the object.
. "$(dirname "$0")/lib.sh"
cd "$top" || exit 1
share="$(cd "$(dirname "$CAI")/.." && pwd)/constitutions"
canned="--model scripted:$demo"

# try STATUS TEXT COMMAND...: the status, and TEXT among the messages
try() {
    want=$1 said=$2
    shift 2
    timeout 20 "$@" >out 2>err </dev/null
    is "$*" $? "$want"
    [ -z "$said" ] || grep -qF -- "$said" err || fail "$*: never said \"$said\": $(head -c 600 err)"
}
cai() { # STATUS TEXT ARGUMENTS...
    want=$1 said=$2
    shift 2
    try "$want" "$said" $bare "$CAI" "$@"
}
says() { grep -qF -- "$1" out || fail "never printed \"$1\": $(head -c 600 out)"; }

# usage: 2, and the word that was wrong
cai 2 'no command frobnicate' frobnicate
cai 2 'cai: no option --frob; try cai --help' --frob
cai 2 'takes N, not -1' generate --prompt x --threads -1
cai 2 'takes S, not x' generate --prompt x --seed x
cai 2 'prompt' generate
cai 2 '--layout is chat or paper' chain --prompt x --layout round
cai 2 '--against is opposite or none' chain --prompt x --against all
cai 2 'one FILE' tokenize a b
cai 2 'say list, show F or lint F' constitution
cai 2 '--log no/such/log: No such file' generate --prompt x --log no/such/log
for c in tokenize score generate chain constitution replay repair bench; do
    cai 0 '' "$c" --help
    for o in --json --model --threads --seed --session --log examples: "  cai $c"; do says "$o"; done
done
cai 0 '' --version
for word in 'cai ' 'libraries:' 'kernel:' 'model:'; do says "$word"; done
cai 0 '' --version --model absent.gguf
says 'model: absent.gguf: No such file'
cai 2 'cai --version: no option --frob' --version --frob

# model files
echo text >file
: >empty.gguf
mkfifo fifo.gguf
mkdir folder.gguf
printf 'GGUF' >short.gguf
printf 'GGUF\000\000\000\003%0100d' 0 >swapped.gguf
printf 'GGUF\011\000\000\000%0100d' 0 >new.gguf
printf 'GGUF\003\000\000\000\377\377\377\377\377\377\377\177\377\377\377\377\377\377\377\177' >hostile.gguf
printf '[{"text": 5}' >cut.json
for c in 'tokenize file' 'score file' 'generate --prompt x' 'chain --prompt x' bench; do
    cai 1 'absent.gguf: No such file or directory; name a file with --model' $c --model absent.gguf
done
cai 1 'not a GGUF file' tokenize file --model file
cai 1 'empty.gguf: the file is empty; fetch it again' tokenize file --model empty.gguf
cai 1 'truncated, fetch it again' generate --prompt x --model short.gguf
cai 1 'convert it to little-endian' tokenize file --model swapped.gguf
cai 1 'GGUF version 9; supported: 2 and 3' tokenize file --model new.gguf
cai 1 'more metadata entries than the file can hold' tokenize file --model hostile.gguf
cai 1 'not a regular file' tokenize file --model fifo.gguf
cai 1 'not a regular file' generate --prompt x --model folder.gguf
cai 1 'name a GGUF file' score file $canned
cai 1 'not valid JSON' generate --prompt x --model scripted:cut.json

# constitutions
sed '0,/"statement": "[^"]*",/s///' "$share/courtesy.json" >gap.json
sed 's/"id": "[^"]*"/"id": "same"/' "$share/courtesy.json" >same.json
sed '0,/"statement": "/s//&\xff/' "$share/courtesy.json" >bytes.json
{ printf '{"version": 1, "title": "t", "principles": [{"id": "a", "title": "A", "statement": "' &&
    head -c 10000000 /dev/zero | tr '\0' x && printf '"}]}'; } >huge.json
cai 0 '' constitution lint courtesy
cai 1 '' constitution lint gap.json
says 'no statement; add "statement"'
cai 1 '' constitution lint same.json --json
says '"rule":"duplicate-id","principle":"same","line":'
for c in lint show; do
    cai 1 'bytes.json: line ' constitution $c bytes.json
    cai 1 '"statement" has 10000000 bytes; shorten it' constitution $c huge.json
done
cai 1 'No such file' chain --prompt x $canned --constitution absent.json
cai 1 'no principle "absent"' chain --prompt x $canned --principle absent

# prompts and answers
cai 1 'context has 8192' generate --prompt "$(head -c 100000 /dev/zero | sed 's/\x00/hi /g' | head -c 60000)" $canned
cai 1 'not valid UTF-8' chain --prompt "$(printf 'a\377')" $canned --session utf8
cai 1 'the model stopped answering' generate --prompt 'break halfway' $canned --log log
grep -qE '^[0-9]+ generate: demo.json: the model stopped' log || fail "log: $(cat log)"
start 80x24 "$bare TERM=dumb $CAI $canned --session dumb; $bare $CAI generate --prompt 'escape codes' $canned"
see '\x1b[31mtext\x1b[0m, a bell \x07, turned \xe2\x80\xaeround'
see 'terminal "dumb" cannot place text on a screen; set TERM'
see 'code=0'
sane

# sessions: damaged, not ours, too little room
cai 0 '' chain --prompt hello $canned --session new/deep --guide critique,revision --against none --json
says '{"prompt":"hello","nodes":[{"id":1,"parent":0,"kind":"initial",'
for key in principle text prompt_as_sent seed tokens finish; do says "\"$key\":"; done
is documents "$(wc -l <out)" 1
cai 0 '' replay new/deep $canned
says 'identical (3 nodes)'
sed 's/neighbour/NEIGHBOUR/g' "$demo" >other.json
cai 1 '3 failed' replay new/deep --model scripted:other.json
cp -r new/deep hurt
sed -i 's/Throw/Hurl/' hurt/texts.jsonl
cai 1 'texts.jsonl: damaged at byte' replay hurt $canned
grep -qF '`cai repair SESSION COPY`' err || fail "$(cat err)"
cai 1 'texts.jsonl: damaged at byte' chain --prompt x $canned --session hurt
cai 0 '' repair hurt whole
says '5 events kept, 1 events or texts lost'
cai 1 '3 of 3 nodes differ' replay whole $canned
says 'c1.1: differs at byte 0 of '
cai 1 'not empty; name a new folder' repair hurt whole
cai 1 'absent: no session there' replay absent $canned
cai 1 'Not a directory; name another folder' chain --prompt x $canned --session file
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
    nobody='setpriv --reuid 65534 --regid 65534 --clear-groups'
    mkdir -m 755 locked
    chmod 755 "$top" new
    if $nobody test -x "$CAI" -a -r "$demo" -a -x "$top"; then
        try 1 'locked/s: Permission denied; name another folder' $nobody $bare "$CAI" chain --prompt x $canned --session locked/s
        try 1 'new/deep/lock: Permission denied' $nobody $bare "$CAI" chain --prompt x $canned --session new/deep
        try 0 '' $nobody $bare "$CAI" replay new/deep $canned
    fi
fi
# what was printed before the disk was full is there afterwards
try 1 'not saved: make room' prlimit --fsize=12288 $bare "$CAI" chain --prompt x $canned \
    --constitution courtesy --session full --steps 40
printed=$(grep -c ' tokens, ' out)
[ "$printed" -gt 0 ] || fail 'a file limit of 12 KiB left no room for one node'
cai 0 '' replay full $canned
says "identical ($printed nodes)"
cai 0 '' chain --prompt x $canned --session torn
rm torn/journal.jsonl
cai 1 'saved and are missing' replay torn $canned

# two writers, and what the workbench says in its log
$T respawn-pane -k "$bare $CAI --session $top/held $canned; exec sleep 60"
see '? help'
cai 1 'held/lock: another cai is writing' chain --prompt x $canned --session held
$T respawn-pane -k "$bare $CAI --session $top/other --model $top/swapped.gguf --log $top/seen; exec sleep 60"
see 'big-endian'
grep -q '^[0-9]* workbench: .*convert it to little-endian' "$top/seen" || fail "log: $(cat "$top/seen")"

# output: a reader that leaves is silent, a full disk is not; a signal is 128 + n
mkfifo gone
exec 3<>gone 4>gone 3<&- # a pipe without a reader
$bare "$CAI" constitution show harmless >&4 2>err
is SIGPIPE $? 141
[ -s err ] && fail "SIGPIPE: $(cat err)"
(trap '' PIPE && exec $bare "$CAI" constitution show harmless >&4 2>err)
is EPIPE $? 1
[ -s err ] && fail "EPIPE: $(cat err)"
exec 4>&-
$bare "$CAI" constitution show harmless >/dev/full 2>err
is '/dev/full' $? 1
grep -q 'standard output cannot be written' err || fail "$(cat err)"
timeout --preserve-status -s TERM 0.4 $bare "$CAI" chain --prompt 'talk slowly' $canned >out 2>&1
is SIGTERM $? 143
