"""What is known of the backends of an embedding model, in a small file that is void when the machine changed.

What was measured of the drafts of a language model has the same form (`draft_verdicts`).
"""

import json
import os
from dataclasses import asdict
from pathlib import Path

import msgspec

from impetus.domain.canary import Verdict
from impetus.domain.hardware import Hardware


class VerdictFile:
    """Implements `Verdicts`. An update of the system or another chip starts anew; so does another model, by its id."""

    def __init__(self, folder: Path, model: str, hardware: Hardware) -> None:
        self._path = folder / f"{model}.json"
        self._machine = {"build": hardware.build, "chip": hardware.chip}

    def get(self, backend: str) -> Verdict | None:
        try:
            return msgspec.convert(self._read()[backend], Verdict)
        except (KeyError, msgspec.ValidationError):
            return None

    def put(self, backend: str, verdict: Verdict) -> None:
        verdicts = self._read() | {backend: asdict(verdict)}
        part = self._path.with_suffix(f".{os.getpid()}.part")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            part.write_text(json.dumps({"machine": self._machine, "verdicts": verdicts}), "utf-8")
            part.replace(self._path)
        except OSError:
            part.unlink(missing_ok=True)

    def _read(self) -> dict[str, dict[str, object]]:
        try:
            value = json.loads(self._path.read_text("utf-8"))
            return dict(value["verdicts"]) if value["machine"] == self._machine else {}
        except (OSError, ValueError, KeyError, TypeError):
            return {}
