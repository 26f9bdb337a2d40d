"""Measure Impetus on this machine: `make bench`, or `python -m tests.bench --list`.

The default set works on this checkout alone and takes under three minutes. The other benches need checkouts, labels or
other engines, and are started by themselves; docs/performance.md has their figures.
"""

import argparse
import subprocess
import sys
from pathlib import Path

_PROJECT = Path(__file__).parents[2]

#: name → what it measures; `python -m tests.bench.NAME --help` says how to start it.
BENCHES = {
    "changes": "first index, saved files, a branch switch and back, a second worktree",
    "repositories": "index figures of three installed packages, or of the folders named",
    "vectors": "storing and searching synthetic vectors, up to a million",
    "model_process": "memory, time of a token, cancel and kill of the model process",
    "drafting": "runs of the network that a draft model saves, and tokens a second, with the bundled model",
    "model_loading": "memory that loading a model takes, by the size of its weights",
    "kill": "SIGKILL at random moments, every healed index compared with a new one",
    "lexical": "FTS5 against arrays in memory and tantivy",
    "scale": "memory and query times of one index over many roots",
    "bench_embedder": "chunks and queries a second of the static embedder",
    "completion_latency": "inline completion through the language server: cold, rested, warm, cached",
    "typing_session": "share of a completion model's prompts that it has read before, over a session of typing",
    "serving": "tokens a second and time to the first token of a local model, beside mlx_lm.server",
    "http_load": "the HTTP port under 100 connections, 50 streaming, and what it adds to a request",
    "engine": "start of a window, memory of the engine and its windows, status while it works",
    "soak": "edits, questions, completions, branch switches and kills for as long as you like",
    "coreml": "an encoder on the Neural Engine: agreement with float32, and on a Mac time and placement",
    "documents": "adding documents, again and changed, and searching them",
    "side_by_side": "quality and speed beside semble on labeled repositories",
}

#: What `make bench` runs, with arguments that need nothing but this checkout.
DEFAULT = (
    ("changes", str(_PROJECT), "--switched", "200"),
    ("repositories",),
    ("vectors", "--count", "30000"),
    ("kill", "--times", "10", "--files", "60"),
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--list", action="store_true", help="name the benches and leave")
    if parser.parse_args().list:
        for name, meaning in BENCHES.items():
            print(f"{name:18} {meaning}")
        return 0
    for name, *arguments in DEFAULT:
        print(f"-- {name}: {BENCHES[name]}", flush=True)
        done = subprocess.run([sys.executable, "-m", f"tests.bench.{name}", *arguments], cwd=_PROJECT)
        if done.returncode:
            return done.returncode
    return 0


if __name__ == "__main__":
    sys.exit(main())
