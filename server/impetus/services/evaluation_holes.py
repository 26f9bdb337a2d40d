"""Lines with their rest cut off, for a completion model to fill in: from any folder, or from labeled positions."""

import json
import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from impetus.errors import BadRequest, NotFound
from impetus.languages import detect, languages

#: Larger files are mostly data or generated.
MAX_FILE = 200_000

#: Rests shorter than this say nothing about a model.
MIN_REST = 2

_TRIES = 20
_DATA = frozenset({"css", "html", "json", "sql", "toml", "yaml"})


@dataclass(frozen=True, slots=True)
class Hole:
    """A cursor at the end of a line that was cut off there; `expected` is what stood behind it."""

    path: str  # within the folder
    language: str
    text: str  # of the file, without `expected`
    offset: int
    expected: str


def cut_holes(folder: Path, paths: Iterable[str], count: int, seed: int) -> list[Hole]:
    """`count` holes at random lines of the code files among `paths`; the languages take turns, files are even.

    The cut falls on any character of a line from its first visible one on. The same files and seed give the same holes.
    """
    chooser = random.Random(seed)
    by_language: dict[str, list[str]] = {}
    for path in sorted(paths):
        language = detect(path)
        if language in languages() and _is_code(language):
            by_language.setdefault(language, []).append(path)
    holes: list[Hole] = []
    waiting = sorted(by_language)
    while waiting and len(holes) < count:
        for language in tuple(waiting):
            hole = _find(folder, by_language[language], language, chooser)
            if hole is None:
                waiting.remove(language)
            elif len(holes) < count:
                holes.append(hole)
    return holes


def read_holes(labels: Path) -> dict[str, list[Mapping[str, object]]]:
    """The rows of a holes.jsonl by the name of their repository, without its owner."""
    file = labels / "holes.jsonl" if labels.is_dir() else labels
    if not file.is_file():
        raise NotFound(f"{file} is not there; name a folder with holes.jsonl, or the file itself")
    rows: dict[str, list[Mapping[str, object]]] = {}
    try:
        for line in file.read_text("utf-8").splitlines():
            row = json.loads(line)
            rows.setdefault(str(row["repo"]).rsplit("/", 1)[-1], []).append(row)
    except (KeyError, TypeError, ValueError) as error:
        raise BadRequest(f"{file} is not in the format of holes: {error!r}", parameter="labels") from error
    return rows


def labeled_holes(folder: Path, rows: Iterable[Mapping[str, object]]) -> list[Hole]:
    """The holes of one checkout; rows whose file or line is not in it are left out."""
    holes = []
    for row in rows:
        path, line, column = str(row["file"]), int(str(row["line"])), int(str(row["character"]))
        lines = read(folder / path).split("\n")
        if line < len(lines) and lines[line][column:].strip():
            start = sum(len(one) + 1 for one in lines[:line])
            holes.append(_hole("\n".join(lines), start + column, path, detect(path)))
    return holes


def sampled(holes: list[Hole], count: int, seed: int) -> list[Hole]:
    """`count` of the holes at random, all when there are no more."""
    return random.Random(seed).sample(holes, min(count, len(holes)))


def _is_code(language: str) -> bool:
    known = languages()[language]
    return bool(known.query) and not known.prose and language not in _DATA


def read(path: Path) -> str:
    """The text of a file; empty for one that is gone, too large or no text."""
    try:
        data = path.read_bytes()
        return data.decode("utf-8").replace("\r\n", "\n") if len(data) <= MAX_FILE else ""
    except (OSError, UnicodeDecodeError):
        return ""


def _find(folder: Path, paths: list[str], language: str, chooser: random.Random) -> Hole | None:
    """A hole of one language; None when a fair number of tries finds no line long enough."""
    for _ in range(_TRIES * len(paths)):
        path = chooser.choice(paths)
        hole = _cut(read(folder / path), path, language, chooser)
        if hole is not None:
            return hole
    return None


def _cut(text: str, path: str, language: str, chooser: random.Random) -> Hole | None:
    lines = text.split("\n")
    number = chooser.randrange(len(lines))
    line = lines[number].rstrip()
    first = len(line) - len(line.lstrip())
    if len(line) - first < MIN_REST:
        return None
    column = chooser.randrange(first, len(line) - MIN_REST + 1)
    return _hole(text, sum(len(one) + 1 for one in lines[:number]) + column, path, language)


def _hole(text: str, offset: int, path: str, language: str) -> Hole:
    end = text.find("\n", offset)
    end = len(text) if end < 0 else end
    return Hole(path, language, text[:offset] + text[end:], offset, text[offset:end].rstrip())
