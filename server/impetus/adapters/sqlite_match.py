"""What a lexical query asks FTS5 for."""

from collections.abc import Mapping, Sequence

#: About so many chunks are scored by a lexical query, and a share of a large index: exact at 4,000 chunks, the same 50
#: best hits at 100,000 (docs/performance.md).
_SCORED = 4_000
_SCORED_SHARE = 50
#: The rare terms that a chunk must hold one of stand in so many chunks at least, as many as a query ranks: what a
#: person asks for must not fail because a word is mistyped, or stands in one comment.
_LEAST = 250


def any_of(terms: list[str], chunks: int, frequencies: Mapping[str, int]) -> str:
    """Any of `terms`; in a large index a chunk must hold one of the rare ones, so that few have to be scored.

    FTS5 scores every match, and frequent terms match much for little score. All terms still count in the score of
    a match: the rare ones occur twice in the expression, so the frequent ones are written twice beside them.
    """
    if chunks <= _SCORED or len(terms) == 1:
        return _any(terms)
    enough = _SCORED + chunks // _SCORED_SHARE
    terms = sorted(terms, key=frequencies.__getitem__)
    matches = 0
    for rare, term in enumerate(terms):
        if matches >= _LEAST and matches + frequencies[term] > enough:
            return f"({_any(terms[:rare])}) AND ({_any(terms + terms[rare:])})"
        matches += frequencies[term]
    return _any(terms)


def _any(terms: Sequence[str]) -> str:
    return " OR ".join('"' + term.replace('"', "") + '"' for term in terms)
