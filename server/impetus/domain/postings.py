"""Postings: which chunks hold a term, and how often. Pure arrays; where they are kept is the catalog's business.

An index is a sequence of parts. A part says what one change did: chunks that came, with their postings, and chunks that
left. Nothing in a part ever changes; neighboring parts are merged, so that there are few of them.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

#: So many parts of like size become one: a query looks into each.
_MERGED = 4
#: Postings that are merged at once: places in memory take 8 bytes each, and what is asked for once stays reserved.
_BLOCK = 50_000
#: Parts are of like size when one has at most so many times what came after it.
_LIKE = 2

_NO_CHUNKS, _NO_USES = np.zeros(0, np.int32), np.zeros(0, np.uint8)


@dataclass(frozen=True, slots=True, eq=False)
class Postings:
    """One part. Chunks are known by number; `numbers[i]` has `lengths[i]` terms from now on, 0 when it left.

    The postings of term `terms[i]` are `chunks[starts[i] : starts[i + 1]]` with `uses`; a chunk has its postings in one
    part alone, the one with which it came first.
    """

    numbers: NDArray[np.int32]  # ascending
    lengths: NDArray[np.int32]
    terms: NDArray[np.uint64]  # keys of terms, ascending
    starts: NDArray[np.int32]  # (terms + 1,)
    chunks: NDArray[np.int32]
    uses: NDArray[np.uint8]  # in the chunk; 255 stands for more, too

    @property
    def size(self) -> int:
        return len(self.numbers) + len(self.chunks)

    @property
    def last(self) -> int:
        """Its highest number of a chunk, 0 where it has none."""
        return int(self.numbers[-1]) if len(self.numbers) else 0


@lru_cache(maxsize=16_384)
def key_of(term: str) -> int:
    """64 bits of the term's hash: two terms of a project with one key are not to be expected."""
    return int.from_bytes(blake2b(term.encode("utf-8", "replace"), digest_size=8).digest(), "little")


def keys_of(terms: Sequence[str]) -> NDArray[np.uint64]:
    return np.fromiter(map(key_of, terms), np.uint64, len(terms))


def came(texts: Iterable[tuple[int, str]]) -> Postings:
    """The part of new chunks: ascending numbers, each with its terms, space-separated."""
    rows: defaultdict[str, int] = defaultdict()
    rows.default_factory = rows.__len__  # a new term gets the next row
    numbers: list[int] = []
    lengths: list[int] = []
    distinct: list[int] = []
    found: list[int] = []
    uses: list[int] = []
    for number, text in texts:
        counts = Counter(text.split(" ")) if text else Counter[str]()
        found += map(rows.__getitem__, counts)
        uses += counts.values()
        numbers.append(number)
        lengths.append(counts.total())
        distinct.append(len(counts))
    rows.default_factory = None  # else it and its method would hold each other until the collector comes
    keys = keys_of(list(rows))
    order = np.argsort(keys)
    places = np.empty(len(rows), np.int32)
    places[order] = np.arange(len(rows), dtype=np.int32)
    of_term = places[np.array(found, np.int32)]
    by_term = np.argsort(of_term, kind="stable")
    return Postings(
        np.array(numbers, np.int32),
        np.array(lengths, np.int32),
        keys[order],
        _starts(np.bincount(of_term, minlength=len(rows))),
        np.repeat(np.array(numbers, np.int32), distinct)[by_term],
        np.minimum(np.array(uses, np.int64), 255).astype(np.uint8)[by_term],
    )


def returned(lengths: Mapping[int, int]) -> Postings:
    """The part of chunks whose postings are in a part before: numbers with their lengths, 0 for those that leave."""
    numbers = sorted(lengths)
    return Postings(
        np.array(numbers, np.int32),
        np.array([lengths[number] for number in numbers], np.int32),
        np.zeros(0, np.uint64),
        np.zeros(1, np.int32),
        _NO_CHUNKS,
        _NO_USES,
    )


def mergeable(sizes: Sequence[int]) -> int:
    """How many of the last parts are to become one, 0 for none: then parts stay few, and each is rewritten seldom."""
    run = total = 0
    for size in reversed(sizes):
        if size > _LIKE * total and run:
            break
        run, total = run + 1, total + size
    return run if run >= _MERGED else 0


def merge(parts: Sequence[Postings], deleted: Set[int], *, first: bool) -> Postings:
    """One part for neighboring `parts`, without the postings of `deleted` chunks.

    Unless it is the `first` of the index it goes on to say that these left: a part before may say that they came.
    """
    size = 1 + max(part.last for part in parts)
    lengths = np.full(size, -1, np.int32)
    for part in parts:
        lengths[part.numbers] = part.lengths
    gone = np.zeros(size, bool)
    gone[[number for number in deleted if number < size]] = True
    if first:
        lengths[gone] = -1
    numbers = np.flatnonzero(lengths >= 0).astype(np.int32)

    terms = np.concatenate([part.terms for part in parts])
    counts = np.concatenate([np.diff(part.starts) for part in parts])
    before = np.cumsum([0, *(len(part.chunks) for part in parts)])[:-1]
    begins = np.concatenate([part.starts[:-1] + start for part, start in zip(parts, before, strict=True)])
    order = np.argsort(terms, kind="stable")  # parts are sorted: this merges runs
    terms, counts, begins = terms[order], counts[order], begins[order]
    all_chunks = np.concatenate([part.chunks for part in parts])
    all_uses = np.concatenate([part.uses for part in parts])
    chunks, uses = [], []
    for block in _blocks(counts):
        taken = _ranges(begins[block], counts[block])
        found, used = all_chunks[taken], all_uses[taken]
        if deleted:
            kept = ~gone[found]
            found, used = found[kept], used[kept]
            counts[block] = np.add.reduceat(kept, np.cumsum(counts[block]) - counts[block], dtype=counts.dtype)
        chunks.append(found)
        uses.append(used)
    new = np.ones(len(terms), bool)
    new[1:] = terms[1:] != terms[:-1]
    totals = np.add.reduceat(counts, np.flatnonzero(new)) if len(terms) else counts
    held = totals > 0
    return Postings(
        numbers,
        lengths[numbers],
        terms[new][held],
        _starts(totals[held]),
        np.concatenate([*chunks, _NO_CHUNKS]),
        np.concatenate([*uses, _NO_USES]),
    )


def sound(part: Postings) -> bool:
    """Whether its arrays fit together; a damaged file must not be searched."""
    return (
        len(part.numbers) == len(part.lengths)
        and len(part.starts) == len(part.terms) + 1
        and len(part.chunks) == len(part.uses) == part.starts[-1]
        and (len(part.chunks) == 0 or 0 <= part.chunks.min() <= part.chunks.max() <= part.last)
    )


def _starts(counts: NDArray[np.int64]) -> NDArray[np.int32]:
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)


def _blocks(counts: NDArray[np.int32]) -> Iterator[slice]:
    """Runs of `counts` that add up to `_BLOCK` at most, or of one."""
    ends = np.cumsum(counts)
    first = 0
    while first < len(counts):
        last = int(np.searchsorted(ends, ends[first] - counts[first] + _BLOCK, side="right"))
        yield slice(first, max(last, first + 1))
        first = max(last, first + 1)


def _ranges(begins: NDArray[np.int64], counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """`begin, begin + 1 …` of each range, one after the other."""
    before = np.cumsum(counts) - counts
    return np.repeat(begins - before, counts) + np.arange(counts.sum())
