"""Gathers what the index knows about a piece of code: definition, callers, callees, members, tests, similar code."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from impetus.domain import explain
from impetus.domain.explain import Callee, Facts, Use
from impetus.domain.quoting import place
from impetus.domain.types import (
    Definition,
    Document,
    Hit,
    Outline,
    ReferenceHit,
    SearchQuery,
    Selection,
    Source,
    SymbolHit,
)
from impetus.services.passages import Passages, of_reference
from impetus.services.workspace import View

#: Uses, callees and similar passages that become numbered sources.
MAX_USES = 8
MAX_CALLEES = 8
MAX_SIMILAR = 4
#: Names looked up at most, in the order of their first use.
MAX_NAMES = 40
#: A name with more definitions than this says nothing about which one is meant.
MAX_CANDIDATES = 3


class Retrieval(Protocol):
    """What answers and completions need of the retriever."""

    async def search(self, query: SearchQuery, view: View) -> list[Hit]: ...

    async def definitions(self, names: Sequence[str], view: View) -> list[SymbolHit]: ...

    async def references(self, name: str, view: View, limit: int = 20) -> list[ReferenceHit]: ...

    async def outline(self, document: Document) -> Outline: ...

    async def similar(self, code: Hit, view: View, limit: int) -> list[Hit]: ...


def place_of(document: Document, view: View) -> tuple[Path, str]:
    """Root and path of a document; of one outside of every root, its folder and name."""
    located = view.locate(document.key)
    if located is not None:
        return located
    key = Path(document.key)
    return key.parent, key.name


async def gather(selection: Selection, retrieval: Retrieval, passages: Passages, view: View) -> Facts:
    """The facts, with numbered sources: the code first, then callees, callers and tests, at last what is similar."""
    document = selection.document
    root, path = place_of(document, view)
    lines = document.text.splitlines()
    first = max(1, min(selection.start_line, len(lines) or 1))
    last = max(first, min(selection.end_line, len(lines) or 1))
    outline = await retrieval.outline(document)
    subject = explain.enclosing(outline, first, last)
    if subject is not None and (first == last or subject.start_line >= first):
        first, last = subject.start_line, min(subject.end_line, len(lines))
    selected = "\n".join(lines[first - 1 : last])
    sources = _Numbered()
    name = explain.dotted(subject) if subject is not None else ""
    kind = subject.kind if subject is not None else "code"
    code = Hit(root, path, first, last, 1.0, selected, document.language, name, kind)
    sources.add(code)

    callees = await _callees(
        explain.called_names(outline, subject, first, last), path, retrieval, passages, view, sources
    )
    callers: list[Use] = []
    tests: list[Use] = []
    if subject is not None:
        references = await retrieval.references(subject.name, view, 8 * MAX_USES)
        for reference in sorted(references, key=lambda use: _distance(use, root, path)):
            if _is_own(reference, root, path, subject):
                continue
            uses = tests if explain.is_test(reference.path) else callers
            if len(uses) < MAX_USES:
                uses.append(Use(sources.add(of_reference(reference)), reference))
    shown = {(source.hit.root, source.hit.path, source.hit.start_line) for source in sources.sources}
    similar = [
        Source(sources.add(hit), hit)
        for hit in await retrieval.similar(code, view, MAX_SIMILAR)
        if (hit.root, hit.path, hit.start_line) not in shown
    ]
    return Facts(
        path,
        first,
        last,
        document.language,
        selected,
        subject,
        tuple(callers),
        tuple(tests),
        tuple(callees),
        explain.members(outline, subject) if subject is not None else (),
        tuple(similar),
        tuple(sources.sources),
    )


class _Numbered:
    def __init__(self) -> None:
        self.sources: list[Source] = []

    def add(self, hit: Hit) -> int:
        number = len(self.sources) + 1
        self.sources.append(Source(number, hit))
        return number


async def _callees(
    names: Sequence[str], path: str, retrieval: Retrieval, passages: Passages, view: View, sources: _Numbered
) -> list[Callee]:
    names = names[:MAX_NAMES]
    if not names:
        return []
    found: dict[str, list[SymbolHit]] = {}
    for symbol in await retrieval.definitions(names, view):
        found.setdefault(symbol.definition.name, []).append(symbol)
    callees: list[Callee] = []
    for name in names:
        symbols = found.get(name, [])
        if not explain.is_test(path):  # code does not call its tests, they only bear the same names
            symbols = [symbol for symbol in symbols if not explain.is_test(symbol.path)]
        here = [symbol for symbol in symbols if symbol.path == path]
        if not symbols:
            callees.append(Callee(name))
        elif (here or len(symbols) <= MAX_CANDIDATES) and sum(c.source > 0 for c in callees) < MAX_CALLEES:
            best = (here or symbols)[0]
            hit = await passages.of_symbol(best)
            if hit is not None:
                where = place(best.path, best.definition.name_line, best.definition.name_line)
                callees.append(Callee(name, sources.add(hit), where, best.definition.kind, best.definition.doc))
    return callees


def _distance(use: ReferenceHit, root: Path, path: str) -> int:
    """0 in the file itself, then one more for each folder that lies between; a use nearby tells more."""
    if use.root != root:
        return 1_000
    here, there = path.split("/"), use.path.split("/")
    common = next((n for n, (a, b) in enumerate(zip(here, there, strict=False)) if a != b), len(here))
    return len(here) + len(there) - 2 * common


def _is_own(reference: ReferenceHit, root: Path, path: str, subject: Definition) -> bool:
    """A use inside of the subject itself: recursion, or the definition's own line."""
    return (
        reference.root == root
        and reference.path == path
        and subject.start_line <= reference.reference.line <= subject.end_line
    )
