"""Fetched packages to training data: vocabulary with counts, and pairs as arrays of word numbers.

    python -m training.static_embedder.prepare CACHE OUT [--packages FILE] [--processes 2]

OUT/vocabulary.tsv has a word and its count a line, most frequent first; OUT/pairs.npz what `dataset.py` describes;
OUT/packages.tsv every package used, with its number of files, bytes and pairs. The same packages give the same output.
"""

import argparse
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat
from pathlib import Path
from zlib import crc32

from impetus.domain.tokens import words
from training.static_embedder.corpus import read_package
from training.static_embedder.dataset import Pair, save
from training.static_embedder.fetch import PACKAGES, Package, read_packages
from training.static_embedder.pairs import package_pairs

VOCABULARY = 58_000
_MIN_PACKAGES = 2  # a word of one package only is that package's own vocabulary
_MIN_COUNT = 4
_MAX_OF_PACKAGE = 2_000  # occurrences of one word that one package may add to the count

Material = tuple[Package, Counter[str], list[Pair], int, int]


def prepare(packages: list[Package], cache: Path, out: Path, *, processes: int = 2) -> None:
    out.mkdir(parents=True, exist_ok=True)
    counts: Counter[str] = Counter()
    spread: Counter[str] = Counter()
    pairs: list[tuple[str, list[Pair]]] = []
    used: list[str] = []
    with ProcessPoolExecutor(processes) as pool:
        for package, own, found, files, size in pool.map(_material, packages, repeat(cache), chunksize=4):
            if not files:
                continue
            counts.update({word: min(count, _MAX_OF_PACKAGE) for word, count in own.items()})
            spread.update(own.keys())
            pairs.append((package.name, found))
            used.append(f"{package.ecosystem}\t{package.name}\t{package.version}\t{files}\t{size}\t{len(found)}")
    vocabulary = choose_vocabulary(counts, spread)
    (out / "vocabulary.tsv").write_text("".join(f"{word}\t{counts[word]}\n" for word in vocabulary), encoding="utf-8")
    (out / "packages.tsv").write_text("\n".join(used) + "\n", encoding="utf-8")
    save(out / "pairs.npz", vocabulary, pairs)
    print(f"{len(used)} packages, {len(vocabulary)} words, {sum(len(found) for _, found in pairs)} pairs")


def choose_vocabulary(counts: Counter[str], spread: Counter[str], size: int = VOCABULARY) -> list[str]:
    """The words of most packages first, count as the tie-break; then listed by count."""
    known = [word for word, count in counts.items() if count >= _MIN_COUNT and spread[word] >= _MIN_PACKAGES]
    known.sort(key=lambda word: (-spread[word], -counts[word], word))
    return sorted(known[:size], key=lambda word: (-counts[word], word))


def _material(package: Package, cache: Path) -> Material:
    if not package.folder(cache).is_dir():
        return package, Counter(), [], 0, 0
    files = read_package(package, cache)
    own: Counter[str] = Counter()
    for file in files:
        own.update(words(file.data.decode("utf-8", "replace")))
    found = package_pairs(files, crc32(package.name.encode()))
    return package, own, found, len(files), sum(len(file.data) for file in files)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cache", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--packages", type=Path, default=PACKAGES)
    parser.add_argument("--processes", type=int, default=2)
    arguments = parser.parse_args()
    prepare(read_packages(arguments.packages), arguments.cache, arguments.out, processes=arguments.processes)


if __name__ == "__main__":
    main()
