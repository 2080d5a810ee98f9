"""Joins the parts the oracle programs left into tests/oracle/results.json and counts.

Usage: report.py SECONDS. Prints "N passed, N failed"; exit status 1 if any failed or a
program left no part.
"""

import importlib.metadata
import platform
import subprocess
import sys
from datetime import datetime, timezone
from pathlib import Path

from common import BUILD, CAI, ROOT, model_path, read_json, sha256_file, write_json

PROGRAMS = ("unpack", "tiny", "logprobs", "chat_template", "tokenizer", "invariants",
            "bench")
PACKAGES = ("numpy", "gguf", "safetensors", "tokenizers", "transformers", "jinja2",
            "llama-cpp-python")


def cpu_name():
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def output(*args):
    try:
        done = subprocess.run(args, capture_output=True, text=True, cwd=ROOT, timeout=60)
        return done.stdout.strip()
    except OSError as e:
        return str(e.strerror)


def without_paths(value):
    """The same value with the folders of this machine shortened in every string."""
    if isinstance(value, dict):
        return {k: without_paths(v) for k, v in value.items()}
    if isinstance(value, list):
        return [without_paths(v) for v in value]
    if isinstance(value, str):
        return value.replace(str(ROOT), ".").replace(str(Path.home()), "~")
    return value


def main():
    import torch
    versions = {p: importlib.metadata.version(p) for p in PACKAGES}
    versions["torch"] = torch.__version__
    versions["python"] = platform.python_version()
    result = {
        "version": 1,
        "when": datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%MZ"),
        "commit": output("git", "describe", "--always", "--dirty",
                         "--exclude", "*"),
        "cai": output(str(CAI), "--version").splitlines(),
        "model_sha256": sha256_file(model_path()),
        "machine": {"cpu": cpu_name(), "kernel": platform.release(),
                    "cores": output("nproc")},
        "versions": versions,
        "seconds": int(sys.argv[1]) if len(sys.argv) > 1 else None,
        "parts": {},
    }
    passed = failed = 0
    for name in PROGRAMS:
        path = BUILD / "parts" / f"{name}.json"
        if not path.is_file():
            result["parts"][name] = {"error": "the program left no result"}
            failed += 1
            continue
        part = read_json(path)
        result["parts"][name] = {"tests": part["tests"], "figures": part["figures"]}
        passed += sum(t["passed"] for t in part["tests"])
        failed += sum(not t["passed"] for t in part["tests"])
    result["passed"], result["failed"] = passed, failed
    write_json(ROOT / "tests" / "oracle" / "results.json",
               without_paths(result), compact=False)
    print(f"{passed} passed, {failed} failed")
    return 0 if failed == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
