"""Files that were shown lately, kept as long as they look unchanged on disk: searches show the same ones again.

Only for showing; what is indexed is always read anew.
"""

import threading
from collections import OrderedDict
from pathlib import Path

from impetus.domain.ports import FileReader

_KEPT_BYTES = 2_000_000  # some hundred files


class Contents:
    """`read` of a file source, remembered by size and modification time. Safe to use from several threads."""

    def __init__(self, files: FileReader) -> None:
        self._files = files
        self._kept: OrderedDict[str, tuple[tuple[int, int], bytes]] = OrderedDict()
        self._size = 0
        self._lock = threading.Lock()

    def read(self, root: Path, path: str) -> tuple[bytes, tuple[int, int] | None]:
        """The bytes, with their size and modification time. Raises NotFound when the file is gone or unreadable."""
        key = f"{root}/{path}"
        state = self._files.stat(root, path)
        with self._lock:
            known = self._kept.get(key)
            if known is not None and known[0] == state:
                self._kept.move_to_end(key)
                return known[1], state
        data = self._files.read(root, path)
        if state is not None:
            self._keep(key, state, data)
        return data, state

    def _keep(self, key: str, state: tuple[int, int], data: bytes) -> None:
        with self._lock:
            replaced = self._kept.pop(key, None)
            self._size += len(data) - (len(replaced[1]) if replaced else 0)
            self._kept[key] = (state, data)
            while self._size > _KEPT_BYTES:
                self._size -= len(self._kept.popitem(last=False)[1][1])
