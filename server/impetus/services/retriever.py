"""Query to hits: candidates from every index of the view, fused and ranked, each range checked against the text now."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import pathspec

from impetus.domain import passages
from impetus.domain.chunking import analyse
from impetus.domain.ports import Embedder, FileSource, Placed, Vectors
from impetus.domain.query import ParsedQuery, parse
from impetus.domain.ranking import DEFAULT_RULES, Candidate, Rules, rank
from impetus.domain.secrets import mask, mask_bytes
from impetus.domain.types import Chunk, Document, Hit, Outline, ReferenceHit, SearchQuery, SymbolHit
from impetus.errors import NotFound
from impetus.services.candidates import Frequencies, indexed, mark_near
from impetus.services.contents import Contents
from impetus.services.neural import Neural
from impetus.services.overlay import Overlay, bm25, dirty_paths
from impetus.services.repository import Repository
from impetus.services.workspace import View

#: Candidates taken from each list, and how many more: one for each 500 chunks, as a large index has more that competes.
_CANDIDATES, _MOST_CANDIDATES = 150, 250
#: With filters or several roots on a store, so many are asked for instead.
_OVERFETCH = 1_000
#: Longer than any secret that spans lines (a private key block).
_MASK_MARGIN = 8_192
#: Unsaved text competes by meaning alone only from here; below, any chunk resembles any query a little.
_UNSAVED_COSINE = 0.2


class Retriever:
    """Reads the indexes that `repositories` names for the roots of a view; knows nothing of how they are kept."""

    def __init__(
        self,
        repository_of: Callable[[Path], Repository | None],
        files: FileSource,
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

    async def outline(self, document: Document) -> Outline:
        return await asyncio.to_thread(
            lambda: analyse(document.text.encode("utf-8", "replace"), document.language).outline
        )

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
        vector = self._embedder.embed_query(query.text)
        limit = _OVERFETCH if admitted else min(_MOST_CANDIDATES, _CANDIDATES + frequencies.total // 500)
        candidates = [
            candidate
            for repository, own in repositories
            for candidate in indexed(parsed, vector, repository, own, limit, asked)
            if (candidate.placed.root, candidate.placed.path) not in overridden
        ]
        candidates += self._unsaved(parsed, vector, view, frequencies)
        if admitted is not None:
            candidates = [c for c in candidates if admitted(c.placed)]
        mark_near(candidates, view)
        ranked = rank(
            parsed,
            candidates,
            self._rules,
            rarity=frequencies.rarity(),
            per_file=query.per_file,
            limit=query.limit * 2,  # some of the ranked may turn out stale
        )
        return self._verified(ranked, view, query.limit)

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
        placed = candidate.placed
        document = view.document(placed.root, placed.path)
        if document is not None and document.dirty:
            data = mask(document.text).encode("utf-8", "replace")
            chunk = passages.locate(placed.chunk, placed.state.blob, data, placed.language)
        else:
            try:
                data = self._contents.read(placed.root, placed.path)
            except NotFound:
                return None
            chunk, data = self._standing(placed, data)
        if chunk is None:
            return None
        return Hit(
            placed.root,
            placed.path,
            chunk.start_line,
            chunk.end_line,
            candidate.score,
            passages.lines(data, chunk),
            placed.language,
            passages.symbol(chunk),
            chunk.kind,
        )

    def _standing(self, placed: Placed, data: bytes) -> tuple[Chunk | None, bytes]:
        """Where the chunk stands in a file as it is on disk, and the text to show of it, secrets masked."""
        if passages.is_verbatim(placed.chunk, data, placed.language):
            before = data.count(b"\n", 0, placed.chunk.start)
            if before + 1 == placed.chunk.start_line:
                return placed.chunk, data
        if self._files.stat(placed.root, placed.path) == (placed.state.size, placed.state.mtime_ns):
            return placed.chunk, _masked_around(data, placed.chunk)
        chunk = passages.locate(placed.chunk, placed.state.blob, mask_bytes(data), placed.language)
        return chunk, _masked_around(data, chunk) if chunk else data

    def _line(self, view: View, root: Path, path: str, number: int) -> str | None:
        document = view.document(root, path)
        try:
            text = document.text if document else self._files.read(root, path).decode("utf-8", "replace")
        except NotFound:
            return None
        lines = text.split("\n")
        return mask(lines[number - 1]).strip() if 0 < number <= len(lines) else None


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
