# Keystroke to painted frame, idle and while the model streams; best of three.
. "$(dirname "$0")/lib.sh"
model=${CAI_TEST_MODEL:-$HOME/.local/share/cai/models/SmolLM2-135M-Instruct.Q4_1.gguf}
measure idle 16 $bare "$CAI" --session "$top/a" --model "scripted:$demo"
[ -e "$model" ] || { echo "skip latency: $model is not there"; exit 1; }
measure streaming 33 $bare "$CAI" --session "$top/b" --model "$model"
