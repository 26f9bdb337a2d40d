"""Query to hits: candidates from every index of the view, fused and ranked, each range checked against the text now."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pathspec

from impetus.domain import passages, snippets
from impetus.domain.chunking import analyse
from impetus.domain.ports import Embedder, FileReader, Placed, Vectors
from impetus.domain.query import ParsedQuery, parse
from impetus.domain.ranking import DEFAULT_RULES, PROSE, Candidate, Rules, rank
from impetus.domain.secrets import mask, mask_bytes
from impetus.domain.snippets import Around, Found
from impetus.domain.types import Chunk, Document, Hit, Outline, ReferenceHit, SearchQuery, SymbolHit
from impetus.errors import NotFound
from impetus.languages import languages
from impetus.services.candidates import OVERFETCH, Frequencies, alike, indexed, mark_near, naming, placed
from impetus.services.contents import Contents
from impetus.services.neural import Neural
from impetus.services.overlay import Overlay, bm25, dirty_paths
from impetus.services.repository import Repository
from impetus.services.workspace import View

#: Candidates by words at most.
_MOST_CANDIDATES = 250
#: From so many chunks on, words and meaning are searched at the same time; below, handing over costs more.
_WORTH_A_THREAD = 10_000
#: Of either search for code that shares words with a position.
_SHARING = 60
#: Longer than any secret that spans lines (a private key block).
_MASK_MARGIN = 8_192
#: Unsaved text competes by meaning alone only from here; below, any chunk resembles any query a little.
_UNSAVED_COSINE = 0.2
#: Passages looked at for similar code, and the cosine from which on code is called similar.
_ALIKE, _ALIKE_COSINE = 50, 0.5


class Retriever:
    """Reads the indexes that `repositories` names for the roots of a view; knows nothing of how they are kept."""

    def __init__(
        self,
        repository_of: Callable[[Path], Repository | None],
        files: FileReader,
        embedder: Embedder,
        on_stale: Callable[[Path], None],
        neural: Neural | None = None,
        rules: Rules = DEFAULT_RULES,
    ) -> None:
        self._repository_of = repository_of
        self._files = files
        self._embedder = embedder
        self._on_stale = on_stale
        self._neural = neural
        self._rules = rules
        self._overlay = Overlay(embedder)
        self._contents = Contents(files)
        self._beside = ThreadPoolExecutor(2, thread_name_prefix="vectors")  # starts no thread before it is needed

    def with_rules(self, rules: Rules) -> "Retriever":
        """The same indexes, ranked by other rules; for evaluation."""
        return Retriever(self._repository_of, self._files, self._embedder, self._on_stale, self._neural, rules)

    async def search(self, query: SearchQuery, view: View) -> list[Hit]:
        """Blocking work runs on a worker thread; paths found stale are noted back on the loop."""
        hits, stale = await asyncio.to_thread(self._search, query, view)
        for path in stale:
            self._on_stale(path)
        return hits

    async def definitions(self, names: Sequence[str], view: View) -> list[SymbolHit]:
        def look() -> list[SymbolHit]:
            return [
                SymbolHit(found.root, found.path, found.definition)
                for repository, roots in self._repositories(view.roots)
                for found in repository.store.reader.definitions(names, roots)
            ]

        return await asyncio.to_thread(look)

    async def references(self, name: str, view: View, limit: int = 20) -> list[ReferenceHit]:
        def look() -> list[ReferenceHit]:
            found = [
                reference
                for repository, roots in self._repositories(view.roots)
                for reference in repository.store.reader.references(name, roots, limit)
            ]
            return [
                ReferenceHit(r.root, r.path, r.reference, line)
                for r in found[:limit]
                if (line := self._line(view, r.root, r.path, r.reference.line)) is not None and name in line
            ]

        return await asyncio.to_thread(look)

    async def snippets(self, asked: Around, view: View, limit: int) -> list[Hit]:
        """Code of other files that shares words with a position, best first; nothing is embedded."""

        def look() -> list[Hit]:
            found = [
                one
                for repository, roots in self._repositories(view.roots)
                for one in _sharing_words(asked, repository, roots)
            ]
            chosen = snippets.choose(asked, found, limit)
            candidates = [Candidate(one.placed, one.wide + one.near, 0.0, score=one.wide + one.near) for one in chosen]
            return self._verified(candidates, view, limit)[0]

        return await asyncio.to_thread(look)

    async def outline(self, document: Document) -> Outline:
        return await asyncio.to_thread(
            lambda: analyse(document.text.encode("utf-8", "replace"), document.language).outline
        )

    async def similar(self, code: Hit, view: View, limit: int) -> list[Hit]:
        """Passages nearest to `code` by meaning, without those of its own lines; scores are cosines."""
        hits, stale = await asyncio.to_thread(self._similar, code, view, limit)
        for path in stale:
            self._on_stale(path)
        return hits

    async def symbols(self, text: str, view: View, limit: int) -> list[SymbolHit]:
        """By name first; where names are few, definitions of passages that match by meaning."""

        def look() -> list[SymbolHit]:
            found = [
                SymbolHit(d.root, d.path, d.definition)
                for repository, roots in self._repositories(view.roots)
                for d in repository.store.reader.definitions_like(text, roots, limit)
            ]
            return found[:limit]

        named = await asyncio.to_thread(look) if text.strip() else []
        if len(named) >= limit or not text.strip():
            return named
        hits = await self.search(SearchQuery(text, limit=min(20, limit)), view)
        return named + await asyncio.to_thread(lambda: self._defined_in(hits, named, limit - len(named)))

    def _defined_in(self, hits: Sequence[Hit], known: Sequence[SymbolHit], limit: int) -> list[SymbolHit]:
        seen = {(s.root, s.path, s.definition.start_line) for s in known}
        found: list[SymbolHit] = []
        for hit in hits:
            repository = self._repository_of(hit.root)
            outline = repository.store.reader.outline(hit.root, hit.path) if repository else None
            for definition in outline.definitions if outline else ():
                key = (hit.root, hit.path, definition.start_line)
                if hit.start_line <= definition.name_line <= hit.end_line and key not in seen:
                    seen.add(key)
                    found.append(SymbolHit(hit.root, hit.path, definition, hit.score))
        return found[:limit]

    # -- search ------------------------------------------------------------------------------------------------------

    def _search(self, query: SearchQuery, view: View) -> tuple[list[Hit], list[Path]]:
        parsed = parse(query.text)
        if not parsed.terms:
            return [], []
        asked = self._neural.ask(query.text) if self._neural is not None else None
        roots = query.roots or view.roots
        admitted = _filter(query)
        overridden = dirty_paths(view)
        repositories = self._repositories(roots)
        frequencies = Frequencies.of(parsed, repositories)
        parsed = naming(parsed, frequencies, repositories)
        vector = self._embedder.embed_query(query.text)
        wanted = OVERFETCH if admitted else _wanted(frequencies.total)
        beside = self._beside if frequencies.total >= _WORTH_A_THREAD else None
        candidates = [
            candidate
            for repository, own in repositories
            for candidate in indexed(parsed, vector, repository, own, wanted, beside, asked)
            if not overridden or (candidate.placed.root, candidate.placed.path) not in overridden
        ]
        candidates += self._unsaved(parsed, vector, view, frequencies)
        if admitted is not None:
            candidates = [c for c in candidates if admitted(c.placed)]
        mark_near(candidates, view)
        rarity = frequencies.rarity()
        limit = query.limit
        while True:
            ranked = rank(parsed, candidates, self._rules, rarity=rarity, per_file=query.per_file, limit=limit)
            hits, stale = self._verified(ranked, view, query.limit)
            if not stale or len(hits) == query.limit or len(ranked) < limit:
                return hits, stale
            limit *= 4  # some turned out stale, others take their places

    def _similar(self, code: Hit, view: View, limit: int) -> tuple[list[Hit], list[Path]]:
        vector = self._embedder.embed([mask(code.text)])[0]
        overridden = dirty_paths(view)
        candidates = [
            candidate
            for repository, own in self._repositories(view.roots)
            for candidate in alike(vector, repository, own, _ALIKE)
            if not overridden or (candidate.placed.root, candidate.placed.path) not in overridden
        ]
        candidates += [Candidate(c.placed, dense=float(c.vector @ vector)) for c in self._overlay.chunks(view)]
        among = PROSE if code.language in PROSE else languages().keys() - PROSE
        candidates = [
            c
            for c in candidates
            if c.dense >= _ALIKE_COSINE and c.placed.language in among and not _overlaps(c.placed, code)
        ]
        for candidate in candidates:
            candidate.score = min(1.0, candidate.dense)
        return self._verified(sorted(candidates, key=lambda c: -c.score), view, limit)

    def _repositories(self, roots: Iterable[Path]) -> list[tuple[Repository, list[Path]]]:
        grouped: dict[str, tuple[Repository, list[Path]]] = {}
        for root in roots:
            repository = self._repository_of(root)
            if repository is not None:
                grouped.setdefault(repository.key, (repository, []))[1].append(root)
        return list(grouped.values())

    def _unsaved(self, query: ParsedQuery, vector: Vectors, view: View, frequencies: Frequencies) -> list[Candidate]:
        """Chunks of unsaved text, scored as the index would score them."""
        scored = (
            Candidate(
                c.placed, bm25(query.terms, c.terms, frequencies.total, frequencies.chunks), float(c.vector @ vector)
            )
            for c in self._overlay.chunks(view)
        )
        return [candidate for candidate in scored if candidate.lexical > 0 or candidate.dense > _UNSAVED_COSINE]

    # -- the text as it is now -----------------------------------------------------------------------------------------

    def _verified(self, ranked: Sequence[Candidate], view: View, limit: int) -> tuple[list[Hit], list[Path]]:
        hits: list[Hit] = []
        stale: list[Path] = []
        for candidate in ranked:
            if len(hits) == limit:
                break
            hit = self._hit(candidate, view)
            if hit is None:
                stale.append(candidate.placed.root / candidate.placed.path)
            else:
                hits.append(hit)
        return hits, stale

    def _hit(self, candidate: Candidate, view: View) -> Hit | None:
        file, expected = candidate.placed
        document = view.document(file.root, file.path)
        chunk: Chunk | None
        if document is not None and document.dirty:
            data = mask(document.text).encode("utf-8", "replace")
            chunk = passages.locate(expected, file.state.blob, data, file.language)
        else:
            try:
                data, state = self._contents.read(file.root, file.path)
            except NotFound:
                return None
            chunk, data = self._standing(candidate.placed, data, state)
        if chunk is None:
            return None
        return Hit(
            file.root,
            file.path,
            chunk.start_line,
            chunk.end_line,
            candidate.score,
            passages.lines(data, chunk),
            file.language,
            passages.symbol(chunk),
            chunk.kind,
        )

    def _standing(self, placed: Placed, data: bytes, state: tuple[int, int] | None) -> tuple[Chunk | None, bytes]:
        """Where the chunk stands in a file as it is on disk, and the text to show of it, secrets masked.

        `state` is the file's size and modification time before `data` was read.
        """
        file, expected = placed
        recorded = (file.state.size, file.state.mtime_ns)
        if passages.is_verbatim(expected, data, file.language) and (
            state == recorded or data.count(b"\n", 0, expected.start) + 1 == expected.start_line
        ):
            return expected, data
        if state == recorded == self._files.stat(file.root, file.path):  # a masked secret; else it changed just now
            return expected, _masked_around(data, expected)
        chunk = passages.locate(expected, file.state.blob, mask_bytes(data), file.language)
        return chunk, _masked_around(data, chunk) if chunk else data

    def _line(self, view: View, root: Path, path: str, number: int) -> str | None:
        document = view.document(root, path)
        try:
            text = document.text if document else self._contents.read(root, path)[0].decode("utf-8", "replace")
        except NotFound:
            return None
        lines = text.split("\n")
        return mask(lines[number - 1]).strip() if 0 < number <= len(lines) else None


def _wanted(chunks: int) -> int:
    """Candidates by words: a large index has more that competes (docs/performance.md, Retrieval quality)."""
    return min(40 + chunks // 16, 150 + chunks // 500, _MOST_CANDIDATES)


def _sharing_words(asked: Around, repository: Repository, roots: Sequence[Path]) -> list[Found]:
    reader = repository.store.reader
    wide: dict[str, float] = {}
    near: dict[str, float] = {}

    def search(limit: int) -> Iterable[str]:
        nonlocal wide, near
        wide = dict(reader.lexical(asked.wide, limit))
        near = dict(reader.lexical(asked.near, limit))
        return wide | near

    found = placed(search, _SHARING, reader, roots)
    return [Found(place, wide.get(place.chunk.id, 0.0), near.get(place.chunk.id, 0.0)) for place in found]


def _overlaps(placed: Placed, code: Hit) -> bool:
    chunk = placed.chunk
    same_file = (placed.root, placed.path) == (code.root, code.path)
    return same_file and chunk.start_line <= code.end_line and code.start_line <= chunk.end_line


def _masked_around(data: bytes, chunk: Chunk) -> bytes:
    """Mask the part of a large file that is shown, with room for a secret that begins before it."""
    start, end = max(0, chunk.start - _MASK_MARGIN), chunk.end + _MASK_MARGIN
    return data[:start] + mask_bytes(data[start:end]) + data[end:]


def _filter(query: SearchQuery) -> Callable[[Placed], bool] | None:
    if not query.paths and not query.languages:
        return None
    paths = pathspec.GitIgnoreSpec.from_lines(query.paths) if query.paths else None
    languages = frozenset(query.languages)
    return lambda placed: (
        (paths is None or paths.match_file(placed.path)) and (not languages or placed.language in languages)
    )
