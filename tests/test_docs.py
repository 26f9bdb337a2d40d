"""Generated documents are up to date, and what the documents promise of the tree is there."""

import re
import tomllib
from pathlib import Path

from impetus import __version__, config

REPOSITORY = Path(__file__).resolve().parent.parent


def test_settings_page_is_generated_from_config() -> None:
    shown = (REPOSITORY / "docs" / "settings.md").read_text("utf-8")
    assert shown == config.describe(), "run: .venv/bin/python -m impetus.config > docs/settings.md"


def test_version_is_one() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["version"] == __version__


def test_files_that_the_architecture_names_exist() -> None:
    text = (REPOSITORY / "docs" / "architecture.md").read_text("utf-8")
    package = REPOSITORY / "server" / "impetus"
    named = set(re.findall(r"`((?:domain|services|adapters|lsp|web|cli)/\w+\.py|\w+\.py)`", text))
    missing = {name for name in named if not list(package.rglob(Path(name).name)) or not (package / name).exists()}
    assert named and not missing


def test_every_module_says_what_it_is_for() -> None:
    silent = [
        path.relative_to(REPOSITORY).as_posix()
        for path in (REPOSITORY / "server" / "impetus").rglob("*.py")
        if not path.read_text("utf-8").lstrip().startswith('"""')
    ]
    assert not silent


def test_every_relative_link_of_a_document_leads_somewhere() -> None:
    broken = [
        f"{document.name}: {target}"
        for document in [REPOSITORY / "README.md", *(REPOSITORY / "docs").glob("*.md")]
        for target in re.findall(r"\]\(([^)#\s]+)", document.read_text("utf-8"))
        if "://" not in target and not (document.parent / target).exists()
    ]
    assert not broken
