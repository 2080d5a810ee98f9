#!/bin/sh
# Makes BUILD/oracle-venv with the pinned packages of requirements.txt; does nothing, and
# needs no network, when that is done. Usage: tests/oracle/setup.sh [BUILD_DIR]
# llama.cpp is compiled on this machine, for this CPU; the flags are kept beside it.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
build=${1:-$here/../../build}
venv=$build/oracle-venv
flags='-DGGML_NATIVE=ON -DLLAVA_BUILD=OFF'
want=$(cat "$here/requirements.txt" "$here/setup.sh" | sha256sum)

if [ "$(cat "$venv/stamp" 2>/dev/null)" = "$want" ]; then
    exit 0
fi
packages=""
for p in python3-torch python3-venv python3-dev g++ cmake ninja-build; do
    dpkg-query -W -f='${Status}' "$p" 2>/dev/null | grep -q ' installed$' ||
        packages="$packages $p"
done
if [ -n "$packages" ]; then
    as=""
    [ "$(id -u)" = 0 ] || as=sudo
    echo "installing:$packages"
    if ! { $as apt-get -qq update &&
           $as env DEBIAN_FRONTEND=noninteractive apt-get -qq -y \
               --no-install-recommends install $packages; } >/dev/null; then
        echo "cannot install packages; as root, run: apt-get install$packages" >&2
        exit 1
    fi
fi
mkdir -p "$build"
rm -rf "$venv"
/usr/bin/python3 -m venv --system-site-packages "$venv"
echo "installing Python packages; llama.cpp is compiled, which takes some minutes"
if ! CMAKE_ARGS="$flags" "$venv/bin/python" -m pip install --quiet \
        --disable-pip-version-check -r "$here/requirements.txt" \
        >"$build/oracle-setup.log" 2>&1; then
    tail -n 20 "$build/oracle-setup.log" >&2
    echo "$venv: the packages could not be installed" >&2
    exit 1
fi
{
    echo "$flags (CMAKE_BUILD_TYPE=Release, OpenMP)"
    c++ --version | head -n 1
} >"$venv/llama-build.txt"
printf '%s\n' "$want" >"$venv/stamp"
