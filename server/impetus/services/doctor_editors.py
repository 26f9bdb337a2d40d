"""Looks whether the editors on this machine are set up to start Impetus, and says how to do it where they are not."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from impetus.services.doctor import Check, CheckResult, good, warning

#: Configuration files are small; larger files and deeper folders are plugins and caches.
MAX_BYTES = 1_000_000
MAX_FILES = 500
_SUFFIXES = frozenset({".lua", ".vim", ".toml", ".el", ".json"})


@dataclass(frozen=True, slots=True)
class Editor:
    """Where an editor keeps its configuration, relative to the user's folder (`~`) or the configuration folder."""

    name: str
    places: tuple[str, ...]
    advice: str


EDITORS = (
    Editor(
        "Neovim",
        ("$CONFIG/nvim",),
        "In init.lua: vim.lsp.config('impetus', {cmd = {'impetus', 'lsp'}, root_markers = {'.git'}}); "
        "vim.lsp.enable('impetus')",
    ),
    Editor(
        "VS Code",
        (
            "$CONFIG/Code/User/settings.json",
            "$CONFIG/VSCodium/User/settings.json",
            "~/Library/Application Support/Code/User/settings.json",
            "~/.vscode/extensions/extensions.json",
            "~/.vscode-oss/extensions/extensions.json",
        ),
        "Install the extension from clients/vscode",
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
    config = Path(os.environ.get("XDG_CONFIG_HOME") or user / ".config")
    present = [editor for editor in EDITORS if any(place.exists() for place in _places(editor, user, config))]
    if not present:
        return [Check("Editors", lambda: _none())]
    return [
        Check(f"Editor {editor.name}", lambda editor=editor: configured(editor, user, config))  # type: ignore[misc]
        for editor in present
    ]


def configured(editor: Editor, user: Path, config: Path) -> CheckResult:
    for place in _places(editor, user, config):
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


def _places(editor: Editor, user: Path, config: Path) -> list[Path]:
    return [
        config / place.removeprefix("$CONFIG/") if place.startswith("$CONFIG/") else user / place.removeprefix("~/")
        for place in editor.places
    ]


def _files(place: Path) -> Iterator[Path]:
    candidates = sorted(place.rglob("*")) if place.is_dir() else [place]
    fitting = (file for file in candidates if file == place or file.suffix in _SUFFIXES)
    for _, file in zip(range(MAX_FILES), fitting, strict=False):
        if file.is_file() and file.stat().st_size <= MAX_BYTES:
            yield file
