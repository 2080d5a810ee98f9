# Keystroke to painted frame, idle and while the model streams; best of three.
. "$(dirname "$0")/lib.sh"
model=${CAI_TEST_MODEL:-$HOME/.local/share/cai/models/SmolLM2-135M-Instruct.Q4_1.gguf}
"$BUILD/tests/tool_latency" idle 16 $bare "$CAI" --session "$top/a" --model "scripted:$demo" || exit 1
[ -e "$model" ] || { echo "skip latency: $model is not there"; exit 1; }
"$BUILD/tests/tool_latency" streaming 33 $bare "$CAI" --session "$top/b" --model "$model" || exit 1
