"""The configurations of docs/editors.md, so that what is tested is what people read."""

import re
import stat
from pathlib import Path

from tests.clients.project import server_command

DOCUMENT = Path(__file__).parents[2] / "docs" / "editors.md"


def blocks(language: str) -> list[str]:
    """The fenced blocks of a language, in order."""
    found = re.findall(rf"^```{language}\n(.*?)^```", DOCUMENT.read_text(), re.MULTILINE | re.DOTALL)
    assert found, f"{DOCUMENT.name} has no block of {language}"
    return found


def program(folder: Path) -> Path:
    """A folder for the search path, with an `impetus` that is the one of this checkout."""
    folder.mkdir(parents=True, exist_ok=True)
    script = folder / "impetus"
    *start, _lsp = server_command()
    script.write_text("#!/bin/sh\nexec " + " ".join(f"'{word}'" for word in start) + ' "$@"\n')
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    return folder
