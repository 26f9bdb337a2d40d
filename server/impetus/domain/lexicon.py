"""Lexical search: BM25 over postings. Every match is scored; a query costs what its terms have postings."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from impetus.domain.postings import Postings, keys_of

#: The usual constants of BM25 (Robertson and Zaragoza, "The Probabilistic Relevance Framework", 2009).
K1, B = 1.2, 0.75
#: Postings of looked up terms that are remembered; the terms of a project's questions repeat.
_REMEMBERED = 500_000


class _Holding(NamedTuple):
    """What the index has of one term."""

    chunks: NDArray[np.int32]
    gains: NDArray[np.float32]  # what each gets of the term's rarity; 0 for one that left the index
    held: int  # how many in the index hold it


_NOTHING = _Holding(np.zeros(0, np.int32), np.zeros(0, np.float32), 0)


class Lexicon:
    """A state of the lexical index, for any number of threads. Nothing of it changes; a change makes a new one."""

    def __init__(self, parts: Mapping[int, Postings]) -> None:
        """`parts` by their place in the index, ascending."""
        self.parts = parts
        size = 1 + max((part.last for part in parts.values()), default=0)
        lengths = np.zeros(size, np.float32)
        for part in parts.values():
            lengths[part.numbers] = part.lengths
        self.chunks = int(np.count_nonzero(lengths))
        self._all = self.chunks == size - 1  # numbers begin with 1
        mean = float(lengths.sum()) / self.chunks if self.chunks else 1.0
        self._norms = np.where(lengths > 0, K1 * (1 - B + B * lengths / mean), np.inf).astype(np.float32)
        self._known: dict[str, _Holding] = {}
        self._remembered = 0

    def frequencies(self, terms: Sequence[str]) -> dict[str, int]:
        """In how many chunks each of `terms` stands that stands in any."""
        found = self._holdings(terms)
        return {term: found[term].held for term in terms if found[term].held}

    def search(self, terms: Sequence[str], limit: int) -> list[tuple[int, float]]:
        """Numbers of the best `limit` chunks that hold any of `terms`, best first; scores are positive."""
        scores = np.zeros(len(self._norms), np.float32)
        for holding in self._holdings(terms).values():
            scores[holding.chunks] += rarity(holding.held, self.chunks) * holding.gains
        found = np.flatnonzero(scores)
        scores = scores[found]
        if len(found) > limit:
            among = scores >= np.partition(scores, -limit)[-limit]  # equal scores stay in the order of their numbers
            found, scores = found[among], scores[among]
        order = np.argsort(-scores, kind="stable")[:limit]
        return list(zip(found[order].tolist(), scores[order].tolist(), strict=True))

    def _holdings(self, terms: Sequence[str]) -> dict[str, _Holding]:
        known = self._known
        unknown = [term for term in dict.fromkeys(terms) if term not in known]
        looked_up = self._look_up(unknown) if unknown else {}
        held = {term: looked_up.get(term) or known[term] for term in terms}
        if looked_up:
            self._remembered += sum(len(holding.chunks) for holding in looked_up.values())
            if self._remembered > _REMEMBERED:
                self._known, self._remembered = {}, 0
            self._known.update(looked_up)
        return held

    def _look_up(self, terms: Sequence[str]) -> dict[str, _Holding]:
        keys = keys_of(terms)
        slices: list[list[tuple[NDArray[np.int32], NDArray[np.uint8]]]] = [[] for _ in terms]
        for part in self.parts.values():
            if not len(part.terms):
                continue
            rows = np.minimum(np.searchsorted(part.terms, keys), len(part.terms) - 1)
            starts = part.starts
            for place in np.flatnonzero(part.terms[rows] == keys).tolist():
                row = rows[place]
                first, last = starts[row], starts[row + 1]
                slices[place].append((part.chunks[first:last], part.uses[first:last]))
        return {term: self._holding(found) for term, found in zip(terms, slices, strict=True)}

    def _holding(self, slices: Sequence[tuple[NDArray[np.int32], NDArray[np.uint8]]]) -> _Holding:
        if not slices:
            return _NOTHING
        if len(slices) == 1:
            chunks, counts = slices[0]
        else:
            chunks = np.concatenate([one for one, _ in slices])
            counts = np.concatenate([one for _, one in slices])
        uses = counts.astype(np.float32)
        gains = uses * (K1 + 1) / (uses + self._norms[chunks])
        return _Holding(chunks, gains, len(chunks) if self._all else int(np.count_nonzero(gains)))


def rarity(count: int, chunks: int) -> float:
    """What a term in `count` of `chunks` chunks weighs; never nothing, as SQLite has it (fts5.html, `bm25`)."""
    return max(1e-6, math.log((chunks - count + 0.5) / (count + 0.5))) if chunks else 1.0
