# End-to-end helpers: the workbench in tmux, a fresh server per case. Sourced by the cases
# with $CAI (absolute path), $top (a folder of their own) and $demo (the canned model) set.
name=$(basename "$0" .sh)
T="tmux -L cai-$$-$name -f/dev/null"
export TMUX_TMPDIR="$top"
mkdir -p "$top/home/.config/cai" "$top/home/.local/share"
bare="env -i PATH=$PATH TERM=screen-256color LC_ALL=C.UTF-8 LOGNAME=tester HOME=$top/home"

stop() { # kills the server and what still runs in it
    $T kill-server 2>/dev/null
}
trap stop EXIT

fail() {
    echo "failed: $1"
    $T capture-pane -p 2>/dev/null
    exit 1
}
see() { # waits up to 5 s (or $2) for the text
    i=0
    until $T capture-pane -p | grep -qF -- "$1"; do
        i=$((i + 1))
        [ $i -lt $((${2:-5} * 20)) ] || fail "never saw: $1"
        sleep 0.05
    done
}
unsee() {
    i=0
    while $T capture-pane -p | grep -qF -- "$1"; do
        i=$((i + 1))
        [ $i -lt 100 ] || fail "still there: $1"
        sleep 0.05
    done
}
keys() { $T send-keys "$@"; }
text() { $T send-keys -l "$1"; }
is() { [ "$2" = "$3" ] || fail "$1: $2, not $3"; }
# start SIZE COMMAND: runs it in a new server, shows its exit status, waits
start() {
    $T new-session -d -x "${1%x*}" -y "${1#*x}" "$2; echo code=\$?; exec sleep 60" || fail "no tmux"
    $T set -g window-size manual
}
workbench() { # SIZE [OPTIONS]
    size=$1
    shift
    start "$size" "$bare $CAI --session $top/demo --model scripted:$demo $*"
    see '? help'
}
pid_of_cai() { # the child of the pane's shell
    pgrep -P "$($T display -p '#{pane_pid}')" -x cai
}
sane() { # what a shell needs: echo, line mode, the normal screen
    is 'alternate screen' "$($T display -p '#{alternate_on}')" 0
    is 'mouse' "$($T display -p '#{mouse_any_flag}')" 0
    is 'cursor shown' "$($T display -p '#{cursor_flag}')" 1
    stty -F "$($T display -p '#{pane_tty}')" -a >"$top/stty"
    for mode in icanon echo isig opost; do
        grep -qE "(^| )$mode( |\$)" "$top/stty" || fail "$mode is off: $(cat "$top/stty")"
    done
}
measure() { # MODE MAX_MS COMMAND...: the latency harness
    "$BUILD/tests/tool_latency" "$@"
    case $? in
    0) ;;
    3) echo "skip $name: other programs keep this machine too busy to time a frame" && exit 1 ;;
    *) fail 'too slow' ;;
    esac
}
