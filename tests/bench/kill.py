"""Kill the indexing process at random moments and compare every healed index with one built from scratch.

    python -m tests.bench.kill --times 200 --files 400 --seed 1

With 450 files or more the index worker takes part. Runs with different seeds add up.
"""

import argparse
import tempfile
import time
from pathlib import Path
from random import Random

from tests.support.crash import Trials, write_project

from impetus.adapters.static_embedder import StaticEmbedder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=200)
    parser.add_argument("--files", type=int, default=400, help="files of the generated project")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    random = Random(arguments.seed)
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        root, scratch = Path(folder, "project"), Path(folder, "scratch")
        write_project(root, random, arguments.files)
        scratch.mkdir()
        trials = Trials(root, Path(folder, "home"), scratch, random, StaticEmbedder())
        for number in trials.run(arguments.times):
            if number % 10 == 0 or number == arguments.times:
                print(f"{number} kills, all healed, {time.monotonic() - started:.0f} s", flush=True)
    print(f"{trials.kills} kills; {trials.finished} runs ended before their kill and were not counted")


if __name__ == "__main__":
    main()
