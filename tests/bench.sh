#!/bin/sh
# Speed of this machine: engine, kernels, keystroke to frame. Usage: tests/bench.sh BUILD_DIR
build=$1
echo "== engine"
"$build/cai" bench --model "$CAI_TEST_MODEL"
echo "== kernels"
"$build/tests/bench_kernel"
echo "== keystroke to painted frame"
"$(dirname "$0")/e2e/run.sh" "$build" latency slowdisk
