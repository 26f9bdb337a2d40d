"""The embedder that ships with the package: a table with one learned vector per word, summed over a text.

Needs numpy and nothing else, no model runtime; docs/static-embedder.md says how the table was made. Word order is lost,
which is the price of five thousand chunks a second. A weight per word is part of the length of its row.
"""

import json
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from itertools import chain
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from impetus.domain.ports import Vectors
from impetus.domain.tokens import MAX_WORD, WORD, parts
from impetus.errors import ModelError

FOLDER = Path(__file__).resolve().parent.parent / "data" / "static-embedder"

#: Shortest piece that an unknown word may be split into; shorter ones mean too many things.
MIN_PIECE = 3
#: Words of code whose rows are remembered; when so many are there, all are forgotten, which costs milliseconds.
_MAX_REMEMBERED = 200_000


class Lookup(dict[str, tuple[int, ...]]):
    """Word of a text → its rows in the table. Unknown parts are split into the longest known pieces, or skipped."""

    def __init__(self, vocabulary: Iterable[str]) -> None:
        super().__init__()
        self._rows = {word: row for row, word in enumerate(vocabulary)}
        self._longest = max(map(len, self._rows), default=0)

    def __missing__(self, word: str) -> tuple[int, ...]:
        if len(self) >= _MAX_REMEMBERED:
            self.clear()
        found = tuple(self._find(word)) if len(word) <= MAX_WORD else ()
        self[word] = found
        return found

    def rows(self, text: str) -> list[int]:
        """Rows of every word of `text`, in order, repeated as they repeat."""
        return list(chain.from_iterable(map(self.__getitem__, WORD.findall(text))))

    def _find(self, word: str) -> Iterable[int]:
        for part in parts(word):
            row = self._rows.get(part)
            if row is not None:
                yield row
            elif part.isalpha():
                yield from self._pieces(part)

    def _pieces(self, part: str) -> Iterable[int]:
        start = 0
        while start <= len(part) - MIN_PIECE:
            longest = min(len(part), start + self._longest)
            for end in range(longest, start + MIN_PIECE - 1, -1):
                row = self._rows.get(part[start:end])
                if row is not None:
                    yield row
                    start = end
                    break
            else:
                start += 1


class StaticEmbedder:
    """Implements the `Embedder` port. Safe to use from several threads."""

    def __init__(self, folder: Path = FOLDER) -> None:
        try:
            manifest: dict[str, Any] = json.loads((folder / "model.json").read_text("utf-8"))
            names = (folder / "words.txt").read_text("utf-8")
            table: NDArray[np.int8] = np.load(folder / "vectors.npy", mmap_mode="r", allow_pickle=False)
            scales: NDArray[np.float32] = np.load(folder / "scales.npy", allow_pickle=False)
            digest = content_digest(names, table, scales)
            name, expected = str(manifest["name"]), manifest["digest"]
            self._damping = float(manifest["damping"])
        except (OSError, EOFError, ValueError, KeyError, TypeError) as error:
            raise ModelError(
                f"The word vectors in {folder} cannot be read ({error}); reinstall impetus to get them back"
            ) from error
        vocabulary = names.split("\n")
        if digest != expected or table.ndim != 2 or not len(vocabulary) == len(table) == len(scales):
            raise ModelError(f"The word vectors in {folder} are damaged; reinstall impetus to get them back")
        self._id = f"{name}-{digest[:12]}"
        self._table = np.asarray(table)  # still mapped, but without the class that makes each access cost microseconds
        self._scales = scales
        self._lookup = Lookup(vocabulary)

    @property
    def id(self) -> str:
        return self._id

    @property
    def dimensions(self) -> int:
        return int(self._table.shape[1])

    def embed(self, texts: Sequence[str]) -> Vectors:
        vectors = np.zeros((len(texts), self.dimensions), np.float32)
        for number, text in enumerate(texts):
            rows = self._lookup.rows(text)
            if rows:
                self._sum(rows, vectors[number])
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        return cast(Vectors, vectors / np.maximum(lengths, np.float32(1e-12)))

    def embed_query(self, text: str) -> Vectors:
        vector = np.zeros(self.dimensions, np.float32)
        rows = self._lookup.rows(text)
        if rows:
            self._sum(rows, vector)
            vector /= max(math.sqrt(vector @ vector), 1e-12)
        return vector

    def _sum(self, rows: list[int], out: NDArray[np.float32]) -> None:
        """Add the rows up; the n-th use of a word counts less than its first."""
        counts = Counter(sorted(rows))  # sorted: the same words give the same sum, to the last bit
        unique = np.fromiter(counts, np.intp, len(counts))
        weights = self._scales.take(unique)
        if len(counts) < len(rows):
            weights *= np.fromiter(counts.values(), np.float32, len(counts)) ** np.float32(self._damping)
        np.dot(weights, self._table.take(unique, axis=0).astype(np.float32), out=out)


def content_digest(names: str, table: NDArray[np.int8], scales: NDArray[np.float32]) -> str:
    """Identity of a table: vectors that were stored with another one must never be compared with it."""
    digest = blake2b(names.encode(), digest_size=16)
    digest.update(np.ascontiguousarray(table).data)
    digest.update(np.ascontiguousarray(scales).data)
    return digest.hexdigest()
