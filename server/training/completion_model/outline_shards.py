"""Shards to outlined packages, in parallel: definitions found once, not at every draw.

    python -m training.completion_model.outline_shards SHARDS OUT [--processes N]

OUT/outlined-NN.pickle is for `batches.Corpus.load` on the same machine; a pickle is never read from elsewhere.
"""

import argparse
import os
import pickle
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from training.completion_model.outlines import Outlined, outline
from training.completion_model.samples import PackageFiles, read_shard

_AT_ONCE = 40  # files per task: a large package must not end up on one core


def outline_files(files: PackageFiles) -> list[Outlined]:
    return [outline(file) for file in files.files]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shards", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    with ProcessPoolExecutor(arguments.processes) as pool:
        for path in sorted(arguments.shards.glob("*.jsonl.xz")):
            packages = list(read_shard(path))
            parts = [
                PackageFiles(package.name, package.files[start : start + _AT_ONCE])
                for package in packages
                for start in range(0, len(package.files), _AT_ONCE)
            ]
            by_name: dict[str, list[Outlined]] = {}
            for part, outlined in zip(parts, pool.map(outline_files, parts, chunksize=1), strict=True):
                by_name.setdefault(part.name, []).extend(outlined)
            name = path.name.removesuffix(".jsonl.xz").replace("shard", "outlined")
            (arguments.out / f"{name}.pickle").write_bytes(pickle.dumps(list(by_name.values())))
            print(f"{name}: {len(by_name)} packages", flush=True)


if __name__ == "__main__":
    main()
