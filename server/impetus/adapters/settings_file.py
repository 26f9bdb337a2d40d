"""Changes single values of settings.toml and leaves all else in it as the person wrote it."""

import os
from pathlib import Path

from impetus.errors import BadRequest


class SettingsFile:
    """Implements `SettingsWriter`."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def put(self, section: str, key: str, value: str) -> None:
        import tomlkit  # every command makes one of these, and nearly none changes a setting
        from tomlkit.exceptions import TOMLKitError

        try:
            document = tomlkit.parse(self._path.read_text("utf-8")) if self._path.exists() else tomlkit.document()
            table = document.setdefault(section, tomlkit.table())
            table[key] = value
            part = self._path.with_suffix(f".{os.getpid()}.part")
            self._path.parent.mkdir(parents=True, exist_ok=True)
            part.write_text(tomlkit.dumps(document), "utf-8")
            part.replace(self._path)
        except (OSError, UnicodeDecodeError, TOMLKitError, TypeError) as error:
            raise BadRequest(
                f"{self._path} cannot be changed: {error}. Mend or delete it", parameter="settings.toml"
            ) from error
