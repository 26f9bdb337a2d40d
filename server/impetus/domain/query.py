"""What kind of question a search text is, and the terms it is looked up by."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import TypeVar

from impetus.domain.tokens import WORD, parts, terms
from impetus.languages import TEXT, detect

T = TypeVar("T")


class Kind(Enum):
    SYMBOL = "symbol"  # one identifier, perhaps qualified: `Session.send`, `std::vec`
    PATH = "path"  # names a file or folder
    ERROR = "error"  # an error message or stack trace
    MIXED = "mixed"  # prose with an identifier in it
    PROSE = "prose"


#: Of a pasted log or file, the first so many distinct terms are looked up, and so many names, paths and frames.
_MAX_TERMS, _MAX_NAMED = 64, 16

#: English words that stand in questions, not in the code that answers them.
_QUESTION = """
    a about an and any are as at be been being but by can could did do does doing for from had has have how i if in into
    is it its me my of on or our over should so some such than that the their them then there these they this
    those to under up us was we were what when where which while who whom whose why will with would you your code
    function functions method methods class classes find show explain work works working happen happens used
    implemented implementation implement handled handle handles
"""
STOP_WORDS = frozenset(_QUESTION.split())

_QUALIFIED = re.compile(r"[\w$@!?]+(?:(?:\.|::|->|#|/)[\w$!?]+)*(?:\(\))?")
_IDENTIFIER = re.compile(r"[a-z0-9][A-Z]|[A-Z]{2}[a-z]|\w_\w|(?<!\S)_\w|::|\w\.\w|\(\)")
_PATH = re.compile(r"[\w@.+-]*(?:/[\w@.+-]+)+/?")
_ERROR = re.compile(
    r"Traceback \(most recent|^\s*File \"[^\"]+\", line \d+|^\s+at .+[(:]|panicked at|Exception\b|\bError:|"
    r"error\[E\d+\]|^\s*(?:fatal|error):",
    re.MULTILINE,
)
_FILE_IN_ERROR = re.compile(r"[\w@.+/\\-]{1,250}\.[A-Za-z]{1,4}(?=[\"':,)]|$)")
_FRAME = re.compile(r"([\w@.+/\\-]{1,250}\.[A-Za-z]{1,6})(?:\", line |:|\()(\d{1,7})")
#: Asks for tests, and not only for what has to do with testing: a test runner's own code is full of the word.
_TESTS = re.compile(
    r"\b(?:unit|integration|regression|end-to-end|e2e) tests?\b"
    r"|\btests?(?: cases?)? (?:for|of|that|which|covering|checking)\b|^tests?\b|\b(?:is|are|be) tested\b|\btest_\w+",
    re.IGNORECASE,
)
_EXAMPLES = re.compile(
    r"\b(?:examples?|demos?|samples?|benchmarks?|tutorials?|docs?|documentation|readme)\b", re.IGNORECASE
)
_WHOLE = r"(?:project|repo(?:sitory)?|code ?base)\b"
#: About the project as a whole or about working on it: its read-me and its data files tell, not its code. `the project`
#: may be a thing of the code (`the project config`), unless the sentence ends there or goes on with what it does.
_PROJECT = re.compile(
    rf"\b(?:this|our) {_WHOLE}|\bthe {_WHOLE}(?=\W*$| (?:do|have|use|need|require|support|depend)s?\b)"
    r"|\b(?:what|which) licen[cs]e\b"
    r"|\bhow (?:do|can|should) (?:i|we|you) (?:install|build|run|start|set ?up|contribute|deploy|release)\b",
    re.IGNORECASE,
)
#: What it is at all, which its read-me says in words that nobody can guess.
_OVERVIEW = re.compile(
    r"\b(?:what (?:is|does|are)|what's|describe|explain|summari[sz]e|(?:overview|summary|purpose|goal) of)"
    rf" (?:this {_WHOLE}|our {_WHOLE}|the {_WHOLE}(?=\W*$| (?:do|about)\b))",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class ParsedQuery:
    text: str
    kind: Kind
    terms: tuple[str, ...]  # distinct, for the lexical index
    identifiers: tuple[str, ...]  # last parts of the names that stand in the query, as written
    qualifiers: tuple[str, ...]  # the parts before them: `Session` of `Session.send`
    paths: tuple[str, ...]  # file names and paths that the query means, lower case; from the root after a /
    frames: tuple[tuple[str, int], ...]  # file (lower case) and line that it points to: frames of a trace
    wants_tests: bool
    wants_examples: bool
    wants_prose: bool  # documentation and data
    wants_overview: bool  # of the project


def parse(text: str) -> ParsedQuery:
    """Classify and cut up; never fails."""
    text = text.strip()
    kind = _kind(text)
    examples, overview = bool(_EXAMPLES.search(text)), bool(_OVERVIEW.search(text))
    names = [name for name in _QUALIFIED.findall(text) if kind is Kind.SYMBOL or _IDENTIFIER.search(name)]
    pieces = [[p for p in re.split(r"\.|::|->|#|/|\(\)", name) if p] for name in names]
    found = tuple(terms(text))
    useful = tuple(term for term in dict.fromkeys(found) if term not in STOP_WORDS)
    return ParsedQuery(
        text=text,
        kind=kind,
        terms=(useful or tuple(dict.fromkeys(found)))[:_MAX_TERMS],
        identifiers=_first(p[-1] for p in pieces if p),
        qualifiers=_first(q for p in pieces for q in p[:-1]),
        paths=_first(_posix(found) for found in _paths(text, kind)),
        frames=_first((_posix(path), int(line)) for path, line in _FRAME.findall(text)),
        wants_tests="test" in text.lower() and bool(_TESTS.search(text)),
        wants_examples=examples,
        wants_prose=examples or overview or bool(_PROJECT.search(text)),
        wants_overview=overview,
    )


def _first(found: Iterable[T]) -> tuple[T, ...]:
    return tuple(dict.fromkeys(found))[:_MAX_NAMED]


def _kind(text: str) -> Kind:
    if _ERROR.search(text) and (" " in text or "\n" in text):
        return Kind.ERROR
    if not re.search(r"\s", text):
        if _is_path(text):
            return Kind.PATH
        if _QUALIFIED.fullmatch(text):
            return Kind.SYMBOL
    if _IDENTIFIER.search(text):
        return Kind.MIXED
    return Kind.PROSE


def _is_path(word: str) -> bool:
    """`a/b` and `utils.py` are paths, `Session.send` is not: only a known ending makes a file."""
    return ("/" in word and bool(_PATH.fullmatch(word))) or ("." in word and detect(word) != TEXT)


def _posix(path: str) -> str:
    return path.lower().replace("\\", "/").strip("/")


def _paths(text: str, kind: Kind) -> list[str]:
    if kind is Kind.PATH:
        return [text]
    if kind is Kind.ERROR:
        return _FILE_IN_ERROR.findall(text)
    return [word for word in text.split() if _is_path(word)]


def name_parts(names: tuple[str, ...]) -> frozenset[str]:
    """The lower-case parts of some identifiers."""
    return frozenset(part for name in names for word in WORD.findall(name) for part in parts(word))
