"""What is known about a piece of code, and its telling in Markdown. Pure: the facts are gathered elsewhere.

Without a model the facts are the explanation; with one they are what it phrases.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from impetus.domain.quoting import code, dedented, fence, first_sentence, lines_of, place
from impetus.domain.types import Definition, Outline, ReferenceHit, Related, Source

NO_MODEL = "*No chat model is configured; these are the facts that the index knows.*"

#: Entries shown per list.
_LIST_LIMIT = 12


@dataclass(frozen=True, slots=True)
class Use:
    """A place that uses the subject. `source` is the number of its citation."""

    source: int
    reference: ReferenceHit


@dataclass(frozen=True, slots=True)
class Callee:
    """Something that the subject uses; `source` is 0 when the index does not know its definition."""

    name: str
    source: int = 0
    place: str = ""
    kind: str = ""
    says: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """`subject` is the enclosing definition, None for code outside of any; source 1 is the code itself."""

    path: str
    start_line: int
    end_line: int
    language: str
    selected: str
    subject: Definition | None = None
    callers: tuple[Use, ...] = ()
    tests: tuple[Use, ...] = ()
    callees: tuple[Callee, ...] = ()
    members: tuple[Definition, ...] = ()
    similar: tuple[Source, ...] = ()  # nearest by meaning
    sources: tuple[Source, ...] = ()


def enclosing(outline: Outline, start_line: int, end_line: int) -> Definition | None:
    """The innermost definition that holds the lines; else the first that begins inside of them."""
    holding = [d for d in outline.definitions if d.start_line <= start_line and end_line <= d.end_line]
    if holding:
        return min(holding, key=lambda d: (d.end - d.start, -len(d.scope)))
    inside = [d for d in outline.definitions if start_line <= d.name_line <= end_line]
    return min(inside, key=lambda d: (len(d.scope), d.start)) if inside else None


def members(outline: Outline, subject: Definition) -> tuple[Definition, ...]:
    """What a class or module defines directly."""
    inside = (*subject.scope, subject.name)
    return tuple(d for d in outline.definitions if d.scope == inside)


def called_names(outline: Outline, subject: Definition | None, start_line: int, end_line: int) -> tuple[str, ...]:
    """Names used in the subject's lines (or the selection's), by first use, without the subject's own."""
    if subject is not None:
        start_line, end_line = subject.start_line, subject.end_line
    own = subject.name if subject is not None else ""
    used = (r.name for r in outline.references if start_line <= r.line <= end_line and r.kind != "import")
    return tuple(dict.fromkeys(name for name in used if name != own))


def dotted(definition: Definition) -> str:
    return ".".join((*definition.scope, definition.name))


def is_test(path: str) -> bool:
    """Whether a path is that of a test, by the habits of most languages."""
    *folders, name = path.split("/")
    stem = name.split(".")[0]
    return (
        any(folder.lower() in ("test", "tests", "spec", "specs", "__tests__") for folder in folders)
        or stem.startswith("test_")
        or stem.endswith(("_test", "_spec", "Test", "Tests", "Spec"))
        or ".test." in name
        or ".spec." in name
    )


def blocks(facts: Facts, *, with_code: bool = True) -> Iterable[str]:
    """The explanation's paragraphs, in order."""
    yield from _subject(facts)
    if not with_code and facts.subject is not None and facts.subject.signature:
        yield fence(facts.subject.signature, facts.language)
    if with_code:
        yield fence(_shortened(facts.selected), facts.language)
    if facts.members:
        yield _list("Defines", [_member(member) for member in facts.members])
    known = [callee for callee in facts.callees if callee.source]
    others = [callee.name for callee in facts.callees if not callee.source]
    if known:
        yield _list("Uses", [_callee(callee) for callee in known])
    if others:
        shown = ", ".join(code(name) for name in others[:_LIST_LIMIT])
        more = f" and {len(others) - _LIST_LIMIT} more" if len(others) > _LIST_LIMIT else ""
        yield f"Also uses {shown}{more}, which this workspace does not define."
    if facts.callers:
        yield _list("Used by", [_use(use) for use in facts.callers])
    elif facts.subject is not None:
        yield "No use of it outside of tests is known in the index." if facts.tests else "No use of it is known."
    if facts.tests:
        yield _list("Tests that mention it", [_use(use) for use in facts.tests])
    if facts.similar:
        yield _list("Similar code", [_similar(source) for source in facts.similar])


def related(facts: Facts) -> tuple[Related, ...]:
    """The same facts as places: what the code uses, what uses it, what tests it, what is like it."""
    hits = {source.number: source.hit for source in facts.sources}
    return (
        *(Related("callee", hits[callee.source]) for callee in facts.callees if callee.source),
        *(Related("caller", hits[use.source]) for use in facts.callers),
        *(Related("test", hits[use.source]) for use in facts.tests),
        *(Related("similar", source.hit) for source in facts.similar),
    )


def answer(facts: Facts) -> str:
    return "\n\n".join([NO_MODEL, *blocks(facts)]) + "\n"


def _subject(facts: Facts) -> Iterable[str]:
    where = f"{code(facts.path)}, {lines_of(facts.start_line, facts.end_line)} [1]"
    subject = facts.subject
    if subject is None:
        yield f"These lines stand at the top level of {where}."
        return
    part = "" if (facts.start_line, facts.end_line) != (subject.start_line, subject.end_line) else "the whole of "
    article = "an" if subject.kind[:1] in "aeiou" else "a"
    if part:
        yield f"{code(dotted(subject))} is {article} {subject.kind} in {where}."
    else:
        yield (
            f"The selection lies in {code(dotted(subject))}, {article} {subject.kind} of {where} "
            f"that spans {lines_of(subject.start_line, subject.end_line)}."
        )
    if subject.doc:
        yield "> " + " ".join(subject.doc.split())


def _list(title: str, items: list[str]) -> str:
    shown = items[:_LIST_LIMIT]
    if len(items) > _LIST_LIMIT:
        shown.append(f"… and {len(items) - _LIST_LIMIT} more")
    return f"**{title}**\n\n" + "\n".join(f"- {item}" for item in shown)


def _member(member: Definition) -> str:
    says = f": {first_sentence(member.doc)}" if member.doc else ""
    return f"{code(member.signature or member.name)} (line {member.name_line}){says}"


def _callee(callee: Callee) -> str:
    says = f": {first_sentence(callee.says)}" if callee.says else ""
    return f"{code(callee.name)}, {callee.kind} in {code(callee.place)} [{callee.source}]{says}"


def _use(use: Use) -> str:
    reference = use.reference.reference
    within = f" in {code(reference.within)}" if reference.within else ""
    line = f": {code(use.reference.text)}" if use.reference.text else ""
    return f"{code(place(use.reference.path, reference.line, reference.line))}{within} [{use.source}]{line}"


def _similar(source: Source) -> str:
    hit = source.hit
    name = f"{code(hit.symbol)} in " if hit.symbol else ""
    return f"{name}{code(place(hit.path, hit.start_line, hit.end_line))} [{source.number}]"


def _shortened(text: str, limit: int = 40) -> str:
    lines = dedented(text.splitlines())
    if len(lines) <= limit:
        return "\n".join(lines)
    return "\n".join([*lines[: limit - 1], f"… {len(lines) - limit + 1} more lines"])
