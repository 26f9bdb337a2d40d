"""Fetched packages to training shards, and the held-out packages as a folder of projects.

    python -m training.completion_model.prepare CACHE OUT [--processes 2]

OUT/shard-NN.jsonl.xz has one package a line, as `samples.read_shard` reads it, and OUT/held-out.jsonl.xz the held-out
ones; OUT/held-out/NAME/ is what `impetus eval completion` is pointed at; OUT/packages.tsv says what each package gave.
"""

import argparse
import json
import lzma
import random
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat
from pathlib import Path, PurePosixPath

from training.completion_model.corpus import LANGUAGES, Source, material, pinned, without_repeats
from training.static_embedder.fetch import Package

SEED = 1

#: Bytes of text of one language in all, and about how many go into one shard.
MAX_OF_LANGUAGE = 250_000_000
SHARD_BYTES = 55_000_000

_PRESET = 4  # stronger ones save little and take long

Kept = tuple[Package, list[Source]]


def prepare(packages: list[tuple[Package, bool]], cache: Path, out: Path, *, processes: int = 2) -> None:
    out.mkdir(parents=True, exist_ok=True)
    seen: set[int] = set()
    held_out: list[Kept] = []
    training: list[Kept] = []
    with ProcessPoolExecutor(processes) as pool:
        found = pool.map(material, [package for package, _ in packages], repeat(cache), chunksize=1)
        for (package, held), files in zip(packages, found, strict=True):
            kept = list(without_repeats(files, seen))
            if kept:
                (held_out if held else training).append((package, kept))
        for package, files in held_out:
            _write_project(out / "held-out" / package.name.replace("/", "+"), files)
        _write_shard(held_out, out / "held-out.jsonl.xz")
        random.Random(SEED).shuffle(training)
        shards = _shards(training)
        for number, size in enumerate(pool.map(_write_shard, shards, (out / _name(n) for n in range(len(shards))))):
            print(f"{_name(number)} {size:,} bytes")
    rows = [_row(kept, "held out") for kept in held_out] + [
        _row(kept, "training") for shard in shards for kept in shard
    ]
    (out / "packages.tsv").write_text("\n".join(rows) + "\n", encoding="utf-8")


def _shards(training: list[Kept]) -> list[list[Kept]]:
    """Packages in shards of about equal size, no language beyond its share."""
    left = dict.fromkeys(LANGUAGES, MAX_OF_LANGUAGE)
    shards: list[list[Kept]] = [[]]
    size = 0
    for package, files in training:
        fitting = []
        for file in files:
            if left[file.language] >= len(file.text):
                left[file.language] -= len(file.text)
                fitting.append(file)
        if fitting:
            if size > SHARD_BYTES:
                shards.append([])
                size = 0
            shards[-1].append((package, fitting))
            size += sum(len(file.text) for file in fitting)
    return shards


def _write_shard(shard: list[Kept], path: Path) -> int:
    with lzma.open(path, "wt", encoding="utf-8", newline="\n", preset=_PRESET) as out:
        for package, files in shard:
            rows = [(file.path, file.language, file.text) for file in files]
            out.write(json.dumps([package.name, rows], ensure_ascii=False) + "\n")
    return path.stat().st_size


def _name(number: int) -> str:
    return f"shard-{number:02}.jsonl.xz"


def _write_project(folder: Path, files: list[Source]) -> None:
    for file in files:
        parts = [part for part in PurePosixPath(file.path).parts if part not in ("/", "..")]
        path = folder.joinpath(*parts)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(file.text, encoding="utf-8", newline="\n")


def _row(kept: Kept, use: str) -> str:
    package, files = kept
    sizes = dict.fromkeys(LANGUAGES, 0)
    for file in files:
        sizes[file.language] += len(file.text)
    languages = " ".join(f"{name}={size}" for name, size in sizes.items() if size)
    return f"{package.ecosystem}\t{package.name}\t{package.version}\t{use}\t{len(files)}\t{languages}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cache", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--processes", type=int, default=2)
    arguments = parser.parse_args()
    prepare(pinned(), arguments.cache, arguments.out, processes=arguments.processes)


if __name__ == "__main__":
    main()
