"""Cursors for a replayed session: where people stop and an editor asks, in the code of a folder or in our own.

Three kinds take turns: the rest of a line is gone; the same, and the editor has closed the brackets that the line
opens; a new line below a line, indented as editors do it.
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from impetus.domain.completion import next_line
from impetus.services.evaluation_holes import Hole, cut_holes
from tests.grammars import literate

LANGUAGES = frozenset(
    {"bash", "c", "cpp", "csharp", "go", "java", "javascript", "php", "python", "ruby", "rust", "typescript", "tsx"}
)

_ROOT = Path(__file__).parents[2]
_CLOSERS = {"(": ")", "[": "]", "{": "}"}
_SUFFIXES = {
    "bash": "sh", "c": "c", "cpp": "cpp", "csharp": "cs", "go": "go", "java": "java", "javascript": "js", "php": "php",
    "python": "py", "ruby": "rb", "rust": "rs", "tsx": "tsx", "typescript": "ts",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Position:
    path: str
    language: str
    text: str
    offset: int

    @property
    def key(self) -> str:
        """The same for the same place, whatever is asked there."""
        return f"{self.path}:{self.offset}:{len(self.text)}"

    def around(self, lines: int) -> tuple[str, str]:
        """The text before and after the cursor, so many lines of each."""
        before, after = self.text[: self.offset].split("\n"), self.text[self.offset :].split("\n")
        return "\n".join(before[-lines:]), "\n".join(after[:lines])


def positions(folder: Path, paths: list[str], count: int, seed: int) -> list[Position]:
    """`count` places at most, languages taking turns; the same for the same files and seed."""
    holes = [hole for hole in cut_holes(folder, paths, count, seed) if hole.language in LANGUAGES]
    return [_position(hole, number) for number, hole in enumerate(holes)]


@contextmanager
def our_own() -> Iterator[tuple[Path, list[str]]]:
    """A folder with the code of this repository and the samples of its grammar tests, and the paths in it."""
    with tempfile.TemporaryDirectory(prefix="impetus-eval-") as name:
        folder = Path(name)
        for part in ("server", "clients", "tests"):
            for file in sorted((_ROOT / part).rglob("*")):
                if file.suffix in {".py", ".ts", ".mjs", ".sh", ".js"} and "node_modules" not in file.parts:
                    copy = folder / file.relative_to(_ROOT)
                    copy.parent.mkdir(parents=True, exist_ok=True)
                    copy.write_bytes(file.read_bytes())
        for language, suffix in _SUFFIXES.items():
            code = literate.read(_ROOT / "tests" / "grammars" / f"{language}.md").code
            (folder / f"sample.{suffix}").write_bytes(code)
        yield folder, sorted(str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file())


def _position(hole: Hole, number: int) -> Position:
    before, after = hole.text[: hole.offset], hole.text[hole.offset :]
    kind = number // len(LANGUAGES) % 3  # the languages take turns
    if kind == 1:
        closing = "".join(_CLOSERS[opener] for opener in reversed(_left_open(before[before.rfind("\n") + 1 :])))
        return Position(hole.path, hole.language, before + closing + after, hole.offset)
    if kind == 2:
        before += hole.expected
        before += next_line(before)
        return Position(hole.path, hole.language, before + after, len(before))
    return Position(hole.path, hole.language, hole.text, hole.offset)


def _left_open(line: str) -> list[str]:
    opened: list[str] = []
    for character in line:
        if character in _CLOSERS:
            opened.append(character)
        elif opened and character == _CLOSERS[opened[-1]]:
            opened.pop()
    return opened
