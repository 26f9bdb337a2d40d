"""Single files of every open root, each read under the settings that its index has."""

from collections.abc import Callable
from pathlib import Path

from impetus.domain.ports import FileReader


class RootFiles:
    """Implements `FileReader`."""

    def __init__(self, of: Callable[[Path], FileReader]) -> None:
        self._of = of

    def stat(self, root: Path, path: str) -> tuple[int, int] | None:
        return self._of(root).stat(root, path)

    def read(self, root: Path, path: str) -> bytes:
        return self._of(root).read(root, path)
