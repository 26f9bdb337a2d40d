"""Ignore files: one parsed `.gitignore` (or `.impetusignore`, or a setting) and the question which pattern decides.

Only the pattern language lives here; which files apply to a folder and who wins is in `rules.py`. Paths are relative
to the place where the outermost ignore file lies, with one character a byte (`narrow`), because git matches bytes.
"""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from impetus.adapters.wildmatch import NeverMatches, literal_length, translate


@dataclass(frozen=True, slots=True)
class Pattern:
    """One line. `regex` is matched against a name, or against the path below the file's folder if `anchored`."""

    text: str
    line: int
    regex: re.Pattern[str]
    negated: bool
    folders_only: bool
    anchored: bool
    segments: tuple[re.Pattern[str] | None, ...]  # of an anchored pattern; None stands for `**`

    def reaches_below(self, folder: str) -> bool:
        """Whether it can match something inside `folder` without matching anywhere.

        A pattern that begins with `**` matches anywhere, and does not open folders that are left out: one forced-in
        file name must not cost a walk through every dependency.
        """
        if not self.anchored or self.segments[0] is None:
            return False
        for index, name in enumerate(folder.split("/")):
            if index >= len(self.segments):
                return False
            segment = self.segments[index]
            if segment is None:
                return True
            if segment.fullmatch(name) is None:
                return False
        return len(self.segments) > folder.count("/") + 1


class IgnoreFile:
    """The patterns of one file, for everything below `base` ("" or "folder/"). Immutable."""

    __slots__ = ("_base", "_case_blind", "_endings", "_label", "_names", "_others", "_paths", "_patterns", "forces")

    def __init__(self, patterns: Sequence[Pattern], base: str, label: str, case_blind: bool) -> None:
        self._patterns = tuple(reversed(patterns))  # the last one that matches decides
        self._base = base
        self._label = label
        self._case_blind = case_blind
        #: The patterns that bring something in.
        self.forces = tuple(pattern for pattern in patterns if pattern.negated)
        names: set[str] = set()
        endings: set[str] = set()
        others: list[str] = []
        for pattern in patterns:
            text = self._fold(_body(pattern.text))
            if pattern.anchored:
                continue
            if literal_length(text) == len(text):
                names.add(text)
            elif text[0] == "*" and literal_length(text[1:]) == len(text) - 1:
                endings.add(text[1:])
            else:
                others.append(pattern.regex.pattern)
        self._names = frozenset(names)
        self._endings = tuple(endings)
        self._others = _union(others, case_blind)
        self._paths = _union([pattern.regex.pattern for pattern in patterns if pattern.anchored], case_blind)

    def match(self, path: str, name: str, is_folder: bool) -> Pattern | None:
        """The pattern that decides about `path` (its last part is `name`), or None."""
        folded = self._fold(name)
        below = path[len(self._base) :]
        if not (
            folded in self._names
            or (self._endings and folded.endswith(self._endings))
            or (self._others is not None and self._others.fullmatch(name))
            or (self._paths is not None and self._paths.fullmatch(below))
        ):
            return None
        for pattern in self._patterns:
            if (is_folder or not pattern.folders_only) and pattern.regex.fullmatch(below if pattern.anchored else name):
                return pattern
        return None

    def reaches_below(self, folder: str) -> bool:
        """Whether a pattern here forces in something inside `folder`, a path that is left out itself."""
        below = folder[len(self._base) :]
        return any(pattern.reaches_below(below) for pattern in self.forces)

    def describe(self, pattern: Pattern) -> str:
        """The reason in words, for people."""
        text = widen(pattern.text)
        if self._label.startswith("index."):
            return f"left out by the setting {self._label}: {text}"
        if not self._label:
            return f"left out by default: {text}"
        return f"ignored by {self._label} line {pattern.line}: {text}"

    def _fold(self, text: str) -> str:
        return text.lower() if self._case_blind else text


@lru_cache(maxsize=4096)
def parse(content: bytes, base: str, label: str, case_blind: bool) -> IgnoreFile:
    """Compile one ignore file; the same content at the same place is compiled once."""
    patterns: list[Pattern] = []
    for number, raw in enumerate(content.removeprefix(b"\xef\xbb\xbf").split(b"\n"), start=1):
        pattern = _pattern(raw.decode("latin-1"), number, case_blind)
        if pattern is not None:
            patterns.append(pattern)
    return IgnoreFile(patterns, base, label, case_blind)


def narrow(path: str) -> str:
    """A path of the file system with one character a byte."""
    return path if path.isascii() else os.fsencode(path).decode("latin-1")


def widen(path: str) -> str:
    """The inverse of `narrow`, for people: what is not UTF-8 is escaped."""
    return path if path.isascii() else path.encode("latin-1").decode("utf-8", "backslashreplace")


def _pattern(line: str, number: int, case_blind: bool) -> Pattern | None:
    if line.startswith("#"):
        return None
    text = _trim(line.removesuffix("\r"))
    body = _body(text)
    if not body:
        return None
    folders_only = text.endswith("/")
    anchored = "/" in body
    flags = re.ASCII | re.IGNORECASE if case_blind else re.ASCII
    path = body.removeprefix("/") if anchored else body
    try:
        regex = re.compile(translate(path, whole_path=anchored), flags)
        segments = tuple(_segments(path, flags)) if anchored and text.startswith("!") else ()
    except NeverMatches:
        return None
    return Pattern(text, number, regex, text.startswith("!"), folders_only, anchored, segments)


def _segments(path: str, flags: int) -> list[re.Pattern[str] | None]:
    return [
        None if set(part) == {"*"} and len(part) > 1 else re.compile(translate(part, whole_path=False), flags)
        for part in path.split("/")
    ]


def _body(text: str) -> str:
    """The pattern without its `!` and without the slash that means "folders only"."""
    return text.removeprefix("!").removesuffix("/")


def _trim(line: str) -> str:
    """Drop trailing spaces, but for one that a backslash protects."""
    bare = line.rstrip(" ")
    slashes = len(bare) - len(bare.rstrip("\\"))
    return bare + " " if slashes % 2 and len(bare) < len(line) else bare


def _union(patterns: Sequence[str], case_blind: bool) -> re.Pattern[str] | None:
    if not patterns:
        return None
    flags = re.ASCII | re.IGNORECASE if case_blind else re.ASCII
    return re.compile("|".join(f"(?:{pattern})" for pattern in dict.fromkeys(patterns)), flags)
