"""Pairs as arrays of word numbers, compact enough to travel: written by `prepare.py`, read by `train.py`.

`question` and `code` are the concatenated rows (uint16) of all texts, `*_ends` where each text ends; `kind`, `package`
number each pair's kind and package; `packages` lists the names.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from impetus.adapters.static_embedder import Lookup

KINDS = ("doc", "name", "comment", "file", "owner", "neighbor", "readme", "test")

MAX_QUESTION = 64
MAX_CODE = 200
_HELD_OUT_IN = 12  # one package in so many is held out


@dataclass(frozen=True, slots=True)
class Pair:
    kind: str
    language: str
    question: str
    code: str


@dataclass(frozen=True, slots=True)
class Texts:
    rows: NDArray[np.uint16]
    ends: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.ends)

    def of(self, number: int) -> NDArray[np.uint16]:
        return self.rows[self.ends[number - 1] if number else 0 : self.ends[number]]


@dataclass(frozen=True, slots=True)
class Dataset:
    question: Texts
    code: Texts
    kind: NDArray[np.uint8]
    package: NDArray[np.uint16]
    packages: list[str]

    def held_out(self) -> NDArray[np.bool_]:
        """Whether each pair belongs to a package kept for validation: decided by the name alone."""
        kept = np.array([is_held_out(name) for name in self.packages])
        return np.asarray(kept[self.package], np.bool_)


def is_held_out(package: str) -> bool:
    return crc32(package.encode()) % _HELD_OUT_IN == 0


def save(path: Path, vocabulary: list[str], pairs: list[tuple[str, list[Pair]]]) -> None:
    lookup = Lookup(vocabulary)
    questions: list[list[int]] = []
    codes: list[list[int]] = []
    kinds: list[int] = []
    owners: list[int] = []
    for number, (_, found) in enumerate(pairs):
        for pair in found:
            limit = MAX_CODE if pair.kind in ("neighbor", "test") else MAX_QUESTION
            question, code = lookup.rows(pair.question)[:limit], lookup.rows(pair.code)[:MAX_CODE]
            if question and len(code) >= 4:
                questions.append(question)
                codes.append(code)
                kinds.append(KINDS.index(pair.kind))
                owners.append(number)
    question_rows, question_ends = _pack(questions)
    code_rows, code_ends = _pack(codes)
    np.savez_compressed(
        path,
        question=question_rows,
        question_ends=question_ends,
        code=code_rows,
        code_ends=code_ends,
        kind=np.array(kinds, np.uint8),
        package=np.array(owners, np.uint16),
        packages=np.array([name for name, _ in pairs]),
    )


def load(path: Path, limit: int = 0) -> Dataset:
    """Read what `save` wrote: all of it, or the first `limit` pairs."""
    some = slice(limit or None)
    with np.load(path, allow_pickle=False) as packed:
        return Dataset(
            question=Texts(packed["question"], packed["question_ends"][some].astype(np.int64)),
            code=Texts(packed["code"], packed["code_ends"][some].astype(np.int64)),
            kind=packed["kind"][some],
            package=packed["package"][some],
            packages=[str(name) for name in packed["packages"]],
        )


def batches(
    learned: NDArray[np.int64], package: NDArray[np.uint16], size: int, chooser: np.random.Generator
) -> Iterator[NDArray[np.int64]]:
    """Every pair once, package by package: the wrong answers of a batch then come from the same code, which is hard."""
    shuffled = chooser.permutation(learned)
    order = chooser.permutation(int(package.max()) + 1)[package[shuffled]]
    grouped = shuffled[np.argsort(order, kind="stable")]
    starts = range(0, len(grouped), size)
    for number in chooser.permutation(len(starts)):
        yield grouped[starts[number] : starts[number] + size]


def read_vocabulary(path: Path) -> tuple[list[str], NDArray[np.int64]]:
    rows = [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines()]
    return [word for word, _ in rows], np.array([int(count) for _, count in rows])


def _pack(texts: list[list[int]]) -> tuple[NDArray[np.uint16], NDArray[np.int32]]:
    rows = np.concatenate([np.array(text, np.uint16) for text in texts]) if texts else np.zeros(0, np.uint16)
    return rows, np.cumsum([len(text) for text in texts]).astype(np.int32)
