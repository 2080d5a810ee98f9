# Bare `cai`: a new session with a prompt ready; the next start finds everything again.
. "$(dirname "$0")/lib.sh"
printf '{"model": "scripted:%s", "keys": {"chain-screen": "9"}}\n' "$demo" >"$top/home/.config/cai/config.json"
# a build tree of its own, which keeps its own sessions
mkdir -p "$top/tree/build" && cp "$CAI" "$top/tree/build/cai"
cp -r "$(dirname "$0")/../../constitutions" "$top/tree/"
run="$bare XDG_DATA_HOME=$top/home/data $top/tree/build/cai"
start 80x24 "$run"
see 'get the response'
keys Enter
see 'saved  2/2'
keys q
see 'code=0'
sane
see "session: "
$T respawn-pane -k "$run; echo code=\$?; exec sleep 60"
see 'saved  2/2'
see 'c1.1 response'
keys 2
see 'Harmlessness'
keys 9
see 'c1.1 response'
keys q
see 'code=0'
