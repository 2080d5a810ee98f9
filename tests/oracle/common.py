"""Paths, seeds, comparison and the result parts shared by the oracle programs."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT / "tests" / "data"
BUILD_ROOT = Path(os.environ.get("CAI_TEST_BUILD") or ROOT / "build").resolve()
BUILD = BUILD_ROOT / "oracle"
CAI = BUILD_ROOT / "cai"
MODEL_NAME = "SmolLM2-135M-Instruct.Q4_1.gguf"
MODEL_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"


def model_path():
    """The default model: CAI_TEST_MODEL, else where `make model` puts it."""
    given = os.environ.get("CAI_TEST_MODEL")
    if given:
        return Path(given)
    home = os.environ.get("XDG_DATA_HOME") or os.path.join(os.path.expanduser("~"),
                                                           ".local", "share")
    path = Path(home) / "cai" / "models" / MODEL_NAME
    if not path.is_file():
        sys.exit(f"{path}: no such model; run `make model`")
    return path


def sha256_file(path):
    h = hashlib.sha256()
    with open(path, "rb") as f:
        while block := f.read(1 << 20):
            h.update(block)
    return h.hexdigest()


def write_json(path, value, compact=True):
    """Deterministic JSON: sorted keys, final newline."""
    path.parent.mkdir(parents=True, exist_ok=True)
    opts = {"separators": (",", ":")} if compact else {"indent": 2}
    path.write_text(json.dumps(value, sort_keys=True, ensure_ascii=True, **opts) + "\n")


def read_json(path):
    return json.loads(Path(path).read_text())


def rounded(values, digits=6):
    """Numbers for the repository: None stays, the rest is rounded."""
    return [None if v is None else round(float(v), digits) for v in values]


def run_cai(args, stdin=None):
    """Runs build/cai and returns its stdout; a failure carries its stderr."""
    done = subprocess.run([str(CAI), *map(str, args)], input=stdin, capture_output=True)
    if done.returncode != 0:
        text = done.stderr.decode("utf-8", "replace").strip()
        raise RuntimeError(f"cai {args[0]}: exit {done.returncode}: {text}")
    return done.stdout


class Checks:
    """Collects the named checks of one oracle program and writes them as a part."""

    def __init__(self, name):
        self.name = name
        self.tests = []
        self.figures = {}

    def check(self, name, passed, **figures):
        self.tests.append({"name": name, "passed": bool(passed), "figures": figures})
        shown = " ".join(f"{k}={v}" for k, v in figures.items())
        print(f"{'ok  ' if passed else 'FAIL'} {self.name}: {name} {shown}".rstrip(),
              flush=True)

    def attempt(self, name, fn):
        """Runs fn, which returns (passed, figures); an exception is a failed check."""
        try:
            passed, figures = fn()
        except Exception as e:  # a missing program must fail its check, not the run
            passed, figures = False, {"error": f"{type(e).__name__}: {e}"[:300]}
        self.check(name, passed, **figures)

    def write(self):
        write_json(BUILD / "parts" / f"{self.name}.json",
                   {"name": self.name, "tests": self.tests, "figures": self.figures},
                   compact=False)
        return all(t["passed"] for t in self.tests)
