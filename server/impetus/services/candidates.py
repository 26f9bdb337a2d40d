"""What competes for a query: chunks that the indexes find, and what is known of each beside their scores."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from impetus.domain.ports import CatalogReader, Placed, Vectors, VectorStore
from impetus.domain.query import Kind, ParsedQuery
from impetus.domain.ranking import Candidate
from impetus.services.neural import Asked
from impetus.services.repository import Repository
from impetus.services.workspace import View

#: Candidates by words at most where many of those found may not be shown: filtered out, or not under the roots asked
#: for.
OVERFETCH = 1_000
#: Candidates by meaning for each by words: what only the rest of that list holds is about something else, and costs as
#: much to rank (docs/performance.md, Retrieval quality).
_MEANING_SHARE = 0.6
#: Words without a text that are looked for among the names of files, and files that they may name.
_ABSENT_WORDS, _NAMED_FILES = 4, 3
#: Chunks that define a name in the query compete however many others only use it.
_DEFINING_CHUNKS = 30
#: Of a file that the query names, so many chunks compete even where no word matches.
_NAMED_CHUNKS = 40


@dataclass(frozen=True, slots=True)
class Frequencies:
    """In how many chunks of all indexes each term of a query stands."""

    total: int
    chunks: Mapping[str, int]

    @classmethod
    def of(cls, query: ParsedQuery, repositories: Sequence[tuple[Repository, list[Path]]]) -> "Frequencies":
        total, chunks = 0, dict.fromkeys(query.terms, 0)
        for repository, _ in repositories:
            count, found = repository.store.reader.document_frequencies(query.terms)
            total += count
            for term, number in found.items():
                chunks[term] += number
        return cls(total, chunks)

    def absent(self) -> list[str]:
        """Terms that stand in no chunk."""
        return [term for term, count in self.chunks.items() if count == 0]

    def rarity(self) -> dict[str, float]:
        """Inverse document frequency: how much a word of the query tells."""
        return {
            term: math.log(1 + (max(self.total - count, 0) + 0.5) / (count + 0.5))
            for term, count in self.chunks.items()
        }


def naming(
    query: ParsedQuery, frequencies: Frequencies, repositories: Sequence[tuple[Repository, list[Path]]]
) -> ParsedQuery:
    """The query with the files that it means without spelling their paths.

    A word that stands in no text may still be the name of a file, and who asks what the project is asks for the
    beginning of its read-me.
    """
    words = frequencies.absent()[:_ABSENT_WORDS] if query.kind is not Kind.ERROR else []
    if words:
        named = _named(words, repositories, _NAMED_FILES)
        query = replace(query, paths=tuple(dict.fromkeys((*query.paths, *named))))
    if query.wants_overview:
        readme = [f"/{path}" for path in _named(["readme"], repositories, 1)]  # from the root: folders have theirs
        query = replace(query, paths=(*query.paths, *readme), frames=(*query.frames, *((path, 1) for path in readme)))
    return query


def _named(stems: Sequence[str], repositories: Sequence[tuple[Repository, list[Path]]], limit: int) -> Iterator[str]:
    for repository, roots in repositories:
        yield from map(str.lower, repository.store.reader.files_named(stems, roots, limit))


def indexed(
    query: ParsedQuery,
    vector: Vectors,
    repository: Repository,
    roots: Sequence[Path],
    limit: int,
    beside: Executor | None = None,
    asked: Asked | None = None,
) -> list[Candidate]:
    """The best `limit` by words, the nearest by meaning, definitions of names and the beginning of files that the query
    names.

    With `beside` the searches run at the same time: SQLite, numpy and Chroma let go of the interpreter.
    """
    store = repository.store

    lexical: dict[str, float] = {}
    dense: dict[str, float] = {}
    neural: dict[str, float] = {}

    def search(limit: int) -> Iterable[str]:
        nonlocal lexical, dense, neural

        def search_vectors() -> list[tuple[str, float]]:
            return store.vectors.search(vector, int(limit * _MEANING_SHARE)) if vector.any() else []

        nearest = beside.submit(search_vectors) if beside is not None else None
        lexical = dict(store.reader.lexical(query.terms, limit))
        dense = dict(nearest.result() if nearest is not None else search_vectors())
        neural = _nearest(asked, store.neural, limit)
        if query.identifiers:  # those that the search has not among its best are as good as its last
            last = min(lexical.values(), default=0.0)
            defining = store.reader.defining(query.identifiers, roots, _DEFINING_CHUNKS)
            lexical = dict.fromkeys(defining, last) | lexical
        return lexical | dense | neural

    found = placed(search, limit, store.reader, roots)
    if query.paths:
        known = {(at.file.key, at.chunk.start) for at in found}
        named = store.reader.in_files([_ending(path) for path in query.paths], roots, _NAMED_CHUNKS)
        found += [at for at in named if (at.file.key, at.chunk.start) not in known]
    candidates = [Candidate(at, lexical.get(at.chunk.id, 0.0), dense.get(at.chunk.id, 0.0)) for at in found]
    if neural and store.neural is not None:
        # The neural search had no chance to find those without a vector.
        uncovered = store.neural.missing(sorted({at.chunk.id for at in found} - neural.keys()))
        for candidate in candidates:
            if candidate.placed.chunk.id not in uncovered:
                candidate.neural = neural.get(candidate.placed.chunk.id, 0.0)
    return candidates


def alike(vector: Vectors, repository: Repository, roots: Sequence[Path], limit: int) -> list[Candidate]:
    """The `limit` nearest to a vector, by meaning alone."""
    if not vector.any():
        return []
    dense: dict[str, float] = {}

    def search(limit: int) -> Iterable[str]:
        nonlocal dense
        dense = dict(repository.store.vectors.search(vector, limit))
        return dense

    return [Candidate(at, 0.0, dense[at.chunk.id]) for at in placed(search, limit, repository.store.reader, roots)]


def placed(
    search: Callable[[int], Iterable[str]], limit: int, reader: CatalogReader, roots: Sequence[Path]
) -> list[Placed]:
    """Places under `roots` of the chunks that `search(limit)` finds; more are asked for where most have none.

    Vectors of former contents and other branches are kept for a while, and folders and worktrees share an index.
    """
    former = 0
    while True:
        ids = list(search(limit))
        found = reader.placed(ids, roots)
        here = len({one.chunk.id for one in found})
        if 2 * here >= len(ids) or len(ids) == former or limit >= OVERFETCH:
            return found
        former, limit = len(ids), min(4 * limit, OVERFETCH)


def _nearest(asked: Asked | None, vectors: VectorStore | None, limit: int) -> dict[str, float]:
    """By neural vectors; empty where there is no embedder, no vector of the query in time, or nothing filled in yet."""
    vector = asked.result() if asked is not None and vectors is not None and len(vectors) else None
    return dict(vectors.search(vector, limit)) if vectors is not None and vector is not None else {}


def _ending(path: str) -> str:
    """Name and folder: paths of a stack trace begin on another machine, or below our root."""
    return str(PurePosixPath(*PurePosixPath(path.lstrip("/")).parts[-2:]))


def mark_near(candidates: Iterable[Candidate], view: View) -> None:
    """Files that are open or were edited lately are what the person works on, and their neighbors are next to it."""
    places = {place for key in (*view.documents, *view.edited) if (place := view.locate(key)) is not None}
    if not places:
        return
    folders = {(root, path.rpartition("/")[0]) for root, path in places}
    for candidate in candidates:
        root, path = candidate.placed.root, candidate.placed.path
        if (root, path) in places:
            candidate.nearness = 1.0
        elif (root, path.rpartition("/")[0]) in folders:
            candidate.nearness = 0.5
