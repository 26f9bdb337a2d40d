"""Rows of training tokens without end: neighborhoods of files, drawn by language, cut into samples and packed."""

import pickle
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer
from torch.utils.data import IterableDataset, get_worker_info

from training.completion_model.corpus import LANGUAGES
from training.completion_model.outlines import Neighbors, Outlined
from training.completion_model.samples import END, LENGTH, Sampler

#: Files of one package that are looked at together, and samples drawn from them at once.
NEIGHBORHOOD = 60
DRAWN = 48

#: A language is drawn by its size to this power, Python more often.
_EVENNESS = 0.6
_PYTHON = 2.5
_BUFFER = 1_500
_LEAST = 64  # tokens; less room in a row is left empty

Sample = tuple[list[int], list[int]]


@dataclass(frozen=True, slots=True)
class Neighborhood:
    package: int
    start: int
    stop: int


class Corpus:
    """All packages in memory, and the neighborhoods with how often each is to be drawn."""

    def __init__(self, packages: list[list[Outlined]]) -> None:
        self.packages = packages
        totals = dict.fromkeys(LANGUAGES, 0)
        for files in packages:
            for file in files:
                totals[file.source.language] += len(file.source.text)
        per_byte = {name: size ** (_EVENNESS - 1) if size else 0.0 for name, size in totals.items()}
        per_byte["python"] *= _PYTHON
        self.neighborhoods: list[Neighborhood] = []
        self.weights: list[float] = []
        for number, files in enumerate(packages):
            for start in range(0, len(files), NEIGHBORHOOD):
                part = files[start : start + NEIGHBORHOOD]
                self.neighborhoods.append(Neighborhood(number, start, start + len(part)))
                self.weights.append(sum(len(file.source.text) * per_byte[file.source.language] for file in part))

    @classmethod
    def load(cls, folder: Path) -> "Corpus":
        """What `outline_shards.py` wrote."""
        packages: list[list[Outlined]] = []
        for path in sorted(folder.glob("outlined-*.pickle")):
            packages += pickle.loads(path.read_bytes())
        return cls(packages)

    def files(self, chosen: Neighborhood) -> list[Outlined]:
        return self.packages[chosen.package][chosen.start : chosen.stop]


class Rows(IterableDataset[tuple[torch.Tensor, torch.Tensor]]):  # type: ignore[misc]
    """Batches of (tokens int16, weights uint8), both (rows, LENGTH); every worker of every process draws its own."""

    def __init__(self, corpus: Corpus, tokenizer: Path, rows: int, seed: int, late: torch.Tensor) -> None:
        self._corpus = corpus
        self._late = late  # shared with the trainer: not 0 in the last part of the training
        self._tokenizer = tokenizer
        self._rows = rows
        self._seed = seed

    def __iter__(self) -> Iterator[Any]:
        worker = get_worker_info()
        chooser = random.Random(self._seed * 1_009 + (worker.id if worker else 0))
        packed = pack(self._samples(chooser), chooser)
        while True:
            rows = [next(packed) for _ in range(self._rows)]
            tokens = torch.from_numpy(np.stack([row[0] for row in rows]))
            weights = torch.from_numpy(np.stack([row[1] for row in rows]))
            yield tokens, weights

    def _samples(self, chooser: random.Random) -> Iterator[Sample]:
        sampler = Sampler(Tokenizer.from_file(str(self._tokenizer)), chooser)
        buffer: list[Sample] = []
        while True:
            sampler.late = bool(self._late)
            (chosen,) = chooser.choices(self._corpus.neighborhoods, self._corpus.weights)
            for sample in sampler.samples(Neighbors(self._corpus.files(chosen)), DRAWN):
                buffer.append(sample)
                if len(buffer) > _BUFFER:
                    place = chooser.randrange(len(buffer))
                    buffer[place], buffer[-1] = buffer[-1], buffer[place]
                    yield buffer.pop()


def pack(samples: Iterator[Sample], chooser: random.Random, length: int = LENGTH) -> Iterator[tuple[Any, Any]]:
    """Whole samples side by side in rows of `length`, (int16 tokens, uint8 weights); the rest of a row is padding."""
    waiting: list[Sample] = []
    while True:
        while len(waiting) < 64:
            waiting.append(next(samples))
        waiting.sort(key=lambda sample: len(sample[0]))
        tokens = np.full(length, END, np.int16)
        weights = np.zeros(length, np.uint8)
        used = 0
        place = chooser.randrange(len(waiting))
        while place >= 0:
            ids, counts = waiting.pop(place)
            tokens[used : used + len(ids)] = ids
            weights[used : used + len(ids)] = counts
            used += len(ids)
            room = length - used
            place = -1 if room < _LEAST else _largest(waiting, room)
        yield tokens, weights


def _largest(ascending: list[Sample], room: int) -> int:
    place = len(ascending) - 1
    while place >= 0 and len(ascending[place][0]) > room:
        place -= 1
    return place
