"""Unsaved text, searchable: open documents that differ from disk are analyzed in memory and compete with the index.

Scores are made comparable: the same BM25 formula with the index's own statistics, the same embedder.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from impetus.domain.digest import chunk_text, digest
from impetus.domain.lexicon import K1, B, rarity
from impetus.domain.ports import Digest, Embedder, FileState, Placed, PlacedFile, Vectors
from impetus.domain.secrets import mask
from impetus.domain.types import Document
from impetus.services.workspace import View

#: Terms of an average chunk; only the overlay's own lengths are measured against it.
_AVERAGE_TERMS = 150.0
_KEPT = 64


@dataclass(frozen=True, slots=True)
class UnsavedChunk:
    placed: Placed
    terms: Counter[str]
    vector: Vectors


class Overlay:
    """Analyses of dirty documents, kept by content."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self._kept: dict[tuple[str, str], tuple[Digest, Vectors]] = {}

    def chunks(self, view: View) -> list[UnsavedChunk]:
        found: list[UnsavedChunk] = []
        for document in view.documents.values():
            place = view.locate(document.key) if document.dirty else None
            if place is None:
                continue
            analysed, vectors = self._analyse(document)
            analysis = analysed.analysis
            file = PlacedFile(*place, analysis.language, FileState(analysis.size, 0, analysis.blob))
            for chunk, terms, vector in zip(analysis.chunks, analysed.terms, vectors, strict=True):
                found.append(UnsavedChunk(Placed(file, chunk), Counter(terms.split()), vector))
        return found

    def _analyse(self, document: Document) -> tuple[Digest, Vectors]:
        key = (document.language, document.text)
        known = self._kept.get(key)
        if known is None:
            data = mask(document.text).encode("utf-8", "replace")
            analysed = digest(data, document.language)
            texts = [chunk_text(data, chunk) for chunk in analysed.analysis.chunks]
            known = self._kept[key] = (analysed, self._embedder.embed(texts))
            while len(self._kept) > _KEPT:
                self._kept.pop(next(iter(self._kept)))
        return known


def bm25(terms: Sequence[str], chunk: Counter[str], total: int, frequencies: Mapping[str, int]) -> float:
    """BM25 as the lexical index computes it, with its document frequencies."""
    length = chunk.total()
    score = 0.0
    for term in terms:
        count = chunk[term]
        if count:
            gain = count * (K1 + 1) / (count + K1 * (1 - B + B * length / _AVERAGE_TERMS))
            score += rarity(frequencies.get(term, 0), total) * gain
    return score


def dirty_paths(view: View) -> set[tuple[Path, str]]:
    """Places whose indexed text is overridden by an open document."""
    return {place for d in view.documents.values() if d.dirty and (place := view.locate(d.key)) is not None}
