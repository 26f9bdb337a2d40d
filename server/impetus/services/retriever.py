"""Query to hits: candidates from every index of the view, fused and ranked, each range checked against the text now."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import pathspec

from impetus.domain import passages
from impetus.domain.chunking import analyse
from impetus.domain.ports import Embedder, FileSource, Placed
from impetus.domain.query import ParsedQuery, parse
from impetus.domain.ranking import DEFAULT_RULES, Candidate, Rules, rank
from impetus.domain.secrets import mask, mask_bytes
from impetus.domain.types import Chunk, Document, Hit, Outline, ReferenceHit, SearchQuery, SymbolHit
from impetus.errors import NotFound
from impetus.services.overlay import Overlay, bm25, dirty_paths
from impetus.services.repository import Repository
from impetus.services.workspace import View

#: Candidates taken from each list. Filters and shared stores eat some, ranking wants the rest.
_CANDIDATES = 150
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
        rules: Rules = DEFAULT_RULES,
    ) -> None:
        self._repository_of = repository_of
        self._files = files
        self._embedder = embedder
        self._on_stale = on_stale
        self._rules = rules
        self._overlay = Overlay(embedder)

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
        roots = query.roots or view.roots
        admitted = _filter(query)
        overridden = dirty_paths(view)
        candidates = [
            candidate
            for repository, own in self._repositories(roots)
            for candidate in self._candidates(parsed, repository, own, _OVERFETCH if admitted else _CANDIDATES)
            if (candidate.placed.root, candidate.placed.path) not in overridden
        ]
        candidates += self._unsaved(parsed, view)
        if admitted is not None:
            candidates = [c for c in candidates if admitted(c.placed)]
        # Some of the ranked may turn out stale, so more are ranked than asked for.
        ranked = rank(parsed, candidates, self._rules, per_file=query.per_file, limit=query.limit * 2)
        return self._verified(ranked, view, query.limit)

    def _repositories(self, roots: Iterable[Path]) -> list[tuple[Repository, list[Path]]]:
        grouped: dict[str, tuple[Repository, list[Path]]] = {}
        for root in roots:
            repository = self._repository_of(root)
            if repository is not None:
                grouped.setdefault(repository.key, (repository, []))[1].append(root)
        return list(grouped.values())

    def _candidates(
        self, query: ParsedQuery, repository: Repository, roots: Sequence[Path], limit: int
    ) -> list[Candidate]:
        store = repository.store
        lexical = dict(store.reader.lexical(query.terms, limit))
        vector = self._embedder.embed_query(query.text)
        dense = dict(store.vectors.search(vector, limit)) if vector.any() else {}
        return [
            Candidate(placed, lexical.get(placed.chunk.id, 0.0), dense.get(placed.chunk.id, 0.0))
            for placed in store.reader.placed(list(lexical | dense), roots)
        ]

    def _unsaved(self, query: ParsedQuery, view: View) -> list[Candidate]:
        """Chunks of unsaved text, scored as the index would score them."""
        chunks = self._overlay.chunks(view)
        if not chunks:
            return []
        vector = self._embedder.embed_query(query.text)
        total, frequencies = 0, dict[str, int]()
        for repository, _ in self._repositories(view.roots):
            count, found = repository.store.reader.document_frequencies(query.terms)
            total += count
            frequencies = {term: frequencies.get(term, 0) + found.get(term, 0) for term in query.terms}
        scored = (
            Candidate(c.placed, bm25(query.terms, c.terms, total, frequencies), float(c.vector @ vector))
            for c in chunks
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
                data = self._files.read(placed.root, placed.path)
            except NotFound:
                return None
            if self._files.stat(placed.root, placed.path) == (placed.state.size, placed.state.mtime_ns):
                chunk = placed.chunk
            else:
                chunk = passages.locate(placed.chunk, placed.state.blob, mask_bytes(data), placed.language)
            data = _masked_around(data, chunk) if chunk else data
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
