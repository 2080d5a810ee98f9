"""Speed beside llama.cpp in one run, interleaved A B A B; latency and memory of ours.

llama.cpp is driven at its C interface, without sampling, in this process; ours is
`cai bench --json --only tg128|pp512 --threads 2`, a process for each repetition.
Figures are tok/s, median [min-max]; the machine is shared, so only ratios mean much.
Usage: bench.py [--realtime] [REPETITIONS], 9 by default, 7 at least for a claim;
--realtime (root) puts both sides before everything else that runs on a busy machine.
"""

import json
import os
import statistics
import subprocess
import sys
import time

from common import BUILD_ROOT, CAI, DATA, Checks, model_path, run_cai

THREADS = 2
# what the pinned llama-cpp-python says it bundles
LLAMA_COMMIT = {"0.3.36": "0c1e57098"}
# measure: (least ratio, ratio aimed at)
BARS = {"tg128": (1.5, 2.5), "pp512": (3.0, 4.0)}
LATENCY_BAR_S = 0.5
RSS_BAR_MB = 400


def summary(values, digits=1):
    return {"median": round(statistics.median(values), digits),
            "min": round(min(values), digits), "max": round(max(values), digits),
            "n": len(values)}


def ours(measure, model):
    out = json.loads(run_cai(["bench", "--json", "--only", measure, "--threads", THREADS,
                              "--model", model]))
    return float(out[measure])


def interleaved(measure, theirs, model, reps):
    """Two lists of tok/s, measured in turns after one warm-up of each."""
    theirs()
    ours(measure, model)
    a, b = [], []
    for _ in range(reps):
        a.append(ours(measure, model))
        time.sleep(0.1)  # lets the other side's spinning threads park
        b.append(theirs())
        time.sleep(0.1)
    return a, b


def first_byte_s(args):
    """Seconds from starting cai to the first byte it prints."""
    begin = time.perf_counter()
    with subprocess.Popen([str(CAI), *args], stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, bufsize=0) as child:
        first = child.stdout.read(1)
        took = time.perf_counter() - begin
        child.stdout.read()
        child.wait()
    if not first or child.returncode != 0:
        raise RuntimeError(f"cai {args[0]}: exit {child.returncode}")
    return took


# A process starts with the resident peak of the one that forked it, and this one holds a
# model of llama.cpp: so a small interpreter of its own does the forking.
MEASURE = ("import os, subprocess, sys; child = subprocess.Popen(sys.argv[1:], stdout=2); "
           "_, status, usage = os.wait4(child.pid, 0); print(usage.ru_maxrss); "
           "sys.exit(os.waitstatus_to_exitcode(status))")


def peak_rss_mb(args):
    """Peak resident memory of one run of cai, mapped file pages included."""
    done = subprocess.run([sys.executable, "-S", "-c", MEASURE, str(CAI), *args],
                          capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(done.stderr.strip())
    return int(done.stdout) / 1024


def main():
    import bpe
    import llamacpp
    checks, model, args = Checks("bench"), model_path(), sys.argv[1:]
    realtime = "--realtime" in args
    if realtime:
        args.remove("--realtime")
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(5))
    reps = int(args[0]) if args else 9
    build = BUILD_ROOT / "oracle-venv" / "llama-build.txt"
    version = llamacpp.version()
    checks.figures["llama_cpp"] = {
        **version, "commit": LLAMA_COMMIT.get(version["llama_cpp_python"]),
        "build": build.read_text().splitlines() if build.is_file() else None}
    checks.figures["load_average"] = os.getloadavg()[0]
    checks.figures["threads"] = THREADS
    checks.figures["realtime"] = realtime
    llama = llamacpp.Llama(model, n_ctx=512, n_threads=THREADS)
    runs = {"tg128": lambda: llama.tg(128), "pp512": lambda: llama.pp(512)}

    def speed(measure):
        theirs, (least, aim) = runs[measure], BARS[measure]
        if not CAI.is_file():
            alone = [theirs() for _ in range(reps + 1)][1:]
            return False, {"llama_cpp": summary(alone), "error": "cai is not built"}
        a, b = interleaved(measure, theirs, model, reps)
        ratio = statistics.median(a) / statistics.median(b)
        return ratio >= least, {"cai": summary(a), "llama_cpp": summary(b),
                                "ratio": round(ratio, 2), "bar": least, "aim": aim}

    tok = bpe.build(model)
    prose = (DATA / "logprobs" / "prose.txt").read_text()
    cut = tok.encode(prose, add_special_tokens=False).offsets[199][1]
    common = ["--model", str(model), "--threads", str(THREADS), "--seed", "1"]

    def latency():
        args = ["generate", "--prompt", prose[:cut], "--max-tokens", "8", *common]
        first_byte_s(args)
        took = [first_byte_s(args) for _ in range(reps)]
        return statistics.median(took) <= LATENCY_BAR_S, {
            "seconds": summary(took, 3), "prompt_tokens": 200, "bar": LATENCY_BAR_S}

    def memory():
        text = (DATA / "logprobs" / "long.txt").read_text()
        mb = peak_rss_mb(["generate", "--prompt", text, "--max-tokens", "40", *common])
        return mb < RSS_BAR_MB, {"peak_rss_mb": round(mb, 1), "bar": RSS_BAR_MB}

    for measure, (least, _) in BARS.items():
        checks.attempt(f"{measure} at least {least} times llama.cpp",
                       lambda m=measure: speed(m))
    checks.attempt("first byte of a 200-token prompt within 0.5 s", latency)
    checks.attempt("less than 400 MB at context 2048", memory)
    return 0 if checks.write() else 1


if __name__ == "__main__":
    sys.exit(main())
