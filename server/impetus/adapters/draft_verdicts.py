"""What was measured of draft models, a file for each model; void when the machine or either model changed."""

import hashlib
from collections.abc import Callable
from pathlib import Path

from impetus.adapters import lora
from impetus.adapters.verdict_file import VerdictFile
from impetus.domain.canary import Verdict
from impetus.domain.hardware import Hardware
from impetus.errors import ModelError


class DraftVerdictFiles:
    """Implements `DraftVerdicts` in `folder`. `hardware` may take a while when it is first asked."""

    def __init__(self, folder: Path, hardware: Callable[[], Hardware]) -> None:
        self._folder = folder
        self._hardware = hardware

    def get(self, model: Path, draft: Path) -> Verdict | None:
        return self._of(model).get(_identity(draft))

    def put(self, model: Path, draft: Path, verdict: Verdict) -> None:
        self._of(model).put(_identity(draft), verdict)

    def _of(self, model: Path) -> VerdictFile:
        return VerdictFile(self._folder, _identity(model), self._hardware())


def _identity(folder: Path) -> str:
    """Of names, sizes and times of a model's files: to read gigabytes takes longer than to measure again."""
    try:
        base = lora.base_of(folder)
    except ModelError:
        base = folder
    digest = hashlib.sha256()
    for each in dict.fromkeys((folder, base)):
        for file in sorted(each.iterdir()) if each.is_dir() else ():
            if file.is_file():
                facts = file.stat()
                digest.update(f"{file.name}\0{facts.st_size}\0{facts.st_mtime_ns}\0".encode())
    return digest.hexdigest()[:32]
