"""`PATH:LINE-LINE` and `PATH:LINE:COL` as people and editors write them, and which project a path belongs to."""

import re
from dataclasses import dataclass
from pathlib import Path

from impetus.domain.types import Document, Selection
from impetus.errors import BadRequest, NotFound
from impetus.languages import detect

#: Stands for standard input.
STDIN = "-"

_LINES = re.compile(r"(?P<path>.+?)(?::(?P<first>\d+)(?:-(?P<last>\d+))?)?", re.DOTALL)
_POINT = re.compile(r"(?P<path>.+?)(?::(?P<line>\d+)(?::(?P<column>\d+))?)?", re.DOTALL)

#: What lies in the root folder of a project.
_MARKERS = (".git", ".hg", ".impetusignore", "pyproject.toml", "package.json", "Cargo.toml", "go.mod")


@dataclass(frozen=True, slots=True)
class Lines:
    """A path with a range of lines, 1-based and inclusive; without one, the whole file."""

    path: str
    first: int | None
    last: int | None


@dataclass(frozen=True, slots=True)
class Point:
    """A path with a line and a column, both 1-based; the end of the line, or of the text, without them."""

    path: str
    line: int | None
    column: int | None


def lines(text: str) -> Lines:
    match = _LINES.fullmatch(text)
    if match is None:
        raise BadRequest(f"{text!r} names no file; write PATH, PATH:LINE or PATH:LINE-LINE", parameter="PATH")
    first = int(match["first"]) if match["first"] else None
    last = int(match["last"]) if match["last"] else first
    if first is not None and last is not None and not 1 <= first <= last:
        raise BadRequest(f"{text!r} names no lines; they count from 1, the smaller one first", parameter="PATH")
    return Lines(match["path"], first, last)


def point(text: str) -> Point:
    match = _POINT.fullmatch(text)
    if match is None:
        raise BadRequest(f"{text!r} names no file; write PATH:LINE or PATH:LINE:COL", parameter="PATH")
    line, column = (int(match[name]) if match[name] else None for name in ("line", "column"))
    if line == 0 or column == 0:
        raise BadRequest(f"{text!r} names no place; lines and columns count from 1", parameter="PATH")
    return Point(match["path"], line, column)


def read(name: str | Path, root: Path, data: bytes | None = None) -> Document:
    """The file as a document; `data` stands in for what is on disk.

    A path is meant from the current folder, or, as search prints it, from the workspace `root`.
    """
    absolute = Path(name).expanduser().resolve()
    if not absolute.exists() and (root / name).exists():
        absolute = root / name
    if data is None:
        try:
            data = absolute.read_bytes()
        except OSError as error:
            raise NotFound(f"{name} cannot be read: {error.strerror or error}") from error
    language = detect(absolute.name, data[:1024])
    return Document(str(absolute), data.decode("utf-8", "replace"), 0, language)


def selection(document: Document, place: Lines) -> Selection:
    count = max(1, len(document.text.splitlines()))
    first, last = place.first or 1, place.last or count
    if first > count:
        raise BadRequest(f"{place.path} has {count} lines; line {first} is not there", parameter="PATH")
    return Selection(document, first, min(last, count))


def offset(document: Document, place: Point) -> int:
    """Characters before the cursor. A column past the end of its line is the end of the line, as editors do it."""
    if place.line is None:
        return len(document.text)
    rows = document.text.split("\n")
    if place.line > len(rows):
        raise BadRequest(f"{place.path} has {len(rows)} lines; line {place.line} is not there", parameter="PATH")
    row = rows[place.line - 1].removesuffix("\r")
    start = sum(len(each) + 1 for each in rows[: place.line - 1])
    return start + (len(row) if place.column is None else min(place.column - 1, len(row)))


def project_of(path: Path) -> Path:
    """The nearest folder above `path` that looks like the root of a project; else its own folder.

    The home directory never counts, nor what lies above it: indexing it is not what anyone asks for by accident.
    """
    start = path.absolute() if path.is_dir() else path.absolute().parent
    for folder in (start, *start.parents):
        if is_home(folder):
            break
        if any((folder / marker).exists() for marker in _MARKERS):
            return folder
    return start


def is_home(folder: Path) -> bool:
    """The person's home directory, or what it lies in."""
    return folder == Path.home() or folder in Path.home().parents


def folder(path: Path) -> Path:
    """An existing folder, absolute and without links, so that each folder has one name in the catalog."""
    resolved = path.expanduser().resolve()
    if not resolved.is_dir():
        reason = "is not a folder" if resolved.exists() else "does not exist"
        raise NotFound(f"The folder {path} {reason}; name one that does")
    return resolved
