"""Looks whether the editors on this machine are set up to start Impetus, and says how to do it where they are not."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from impetus.services.doctor import Check, CheckResult, good, warning

#: Configuration files are small; larger files and deeper folders are plugins and caches.
MAX_BYTES = 1_000_000
MAX_FILES = 500
_SUFFIXES = frozenset({".lua", ".vim", ".toml", ".el", ".json"})


@dataclass(frozen=True, slots=True)
class Editor:
    """Where an editor keeps configuration and plugins, as patterns below the folders of `_folders`."""

    name: str
    places: tuple[str, ...]
    advice: str


EDITORS = (
    Editor(
        "Neovim",
        ("$CONFIG/nvim", "$DATA/nvim/site/pack/*/*/impetus"),
        "Install the plugin clients/neovim of the repository; its README says how",
    ),
    Editor(
        "VS Code",
        (
            "$CONFIG/Code/User/settings.json",
            "$CONFIG/VSCodium/User/settings.json",
            "~/Library/Application Support/Code/User/settings.json",
            "~/.vscode/extensions/extensions.json",
            "~/.vscode-oss/extensions/extensions.json",
            "~/.vscode-server/extensions/extensions.json",
        ),
        "Install the extension clients/vscode of the repository; its README says how",
    ),
    Editor(
        "Helix",
        ("$CONFIG/helix/languages.toml", "$CONFIG/helix/config.toml"),
        'In languages.toml: [language-server.impetus] command = "impetus", args = ["lsp"]; then name it in '
        "language-servers of your languages",
    ),
    Editor(
        "Emacs",
        ("~/.emacs", "~/.emacs.d/init.el", "~/.emacs.d/lisp", "$CONFIG/emacs/init.el", "$CONFIG/emacs/lisp"),
        'In init.el: (add-to-list \'eglot-server-programs \'(prog-mode . ("impetus" "lsp")))',
    ),
)


def editor_checks(user: Path) -> list[Check]:
    """One check for each editor that has a configuration here; one that says so when none has."""
    folders = _folders(user)
    present = [editor for editor in EDITORS if _places(editor, folders)]
    if not present:
        return [Check("Editors", lambda: _none())]
    return [
        Check(f"Editor {editor.name}", lambda editor=editor: configured(editor, folders))  # type: ignore[misc]
        for editor in present
    ]


def configured(editor: Editor, folders: Mapping[str, Path]) -> CheckResult:
    for place in _places(editor, folders):
        for file in _files(place):
            try:
                if b"impetus" in file.read_bytes().lower():
                    return good(f"configured in {file}")
            except OSError:
                continue  # another file may say it
    return warning("does not mention Impetus", editor.advice)


def _none() -> CheckResult:
    names = ", ".join(editor.name for editor in EDITORS)
    return warning(f"no configuration of {names} found", "Any LSP client can start `impetus lsp`")


def _folders(user: Path) -> dict[str, Path]:
    return {
        "~": user,
        "$CONFIG": Path(os.environ.get("XDG_CONFIG_HOME") or user / ".config"),
        "$DATA": Path(os.environ.get("XDG_DATA_HOME") or user / ".local" / "share"),
    }


def _places(editor: Editor, folders: Mapping[str, Path]) -> list[Path]:
    """Those that are there."""
    parts = (place.partition("/") for place in editor.places)
    return [found for folder, _, pattern in parts for found in sorted(folders[folder].glob(pattern))]


def _files(place: Path) -> Iterator[Path]:
    candidates = sorted(place.rglob("*")) if place.is_dir() else [place]
    fitting = (file for file in candidates if file == place or file.suffix in _SUFFIXES)
    for _, file in zip(range(MAX_FILES), fitting, strict=False):
        if file.is_file() and file.stat().st_size <= MAX_BYTES:
            yield file
