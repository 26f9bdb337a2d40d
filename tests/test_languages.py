"""The registry agrees with `pyproject.toml`, and files are recognized by name, extension and first line."""

import subprocess
import sys
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from impetus.domain.chunking import analyse
from impetus.languages import detect, grammar, languages

ROOT = Path(__file__).resolve().parent.parent


def test_every_wheel_is_pinned_and_used() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    pins = {pin for pin in project["dependencies"] if pin.startswith("tree-sitter-")}
    assert {language.wheel for language in languages().values()} == pins


def test_every_folder_is_named_like_its_language() -> None:
    assert {folder.name for folder in (ROOT / "grammars").iterdir() if folder.is_dir()} == set(languages())


def test_no_name_belongs_to_two_languages() -> None:
    for part in ("extensions", "filenames", "shebangs"):
        names = [name for language in languages().values() for name in getattr(language, part)]
        assert sorted(names) == sorted(set(names))


@pytest.mark.parametrize(
    ("path", "head", "expected"),
    [
        ("src/app.py", b"", "python"),
        ("src/app.PYI", b"", "python"),
        ("a/b.mjs", b"", "javascript"),
        ("a/types.d.ts", b"", "typescript"),
        ("view.tsx", b"", "tsx"),
        ("include/list.h", b"#include <stdio.h>\nint f(void);\n", "c"),
        ("include/list.h", b"#pragma once\nnamespace a {\n", "cpp"),
        ("include/list.h", b"#include <vector>\n", "cpp"),
        ("test/run.bats", b"", "bash"),
        ("Rakefile", b"", "ruby"),
        ("sub/.bashrc", b"", "bash"),
        ("note.ipynb", b"{}", "markdown"),
        ("tool", b"#!/usr/bin/env python3\n", "python"),
        ("tool", b"#!/usr/bin/python3.12 -u\n", "python"),
        ("tool", b"#!/usr/bin/env -S node --harmony\n", "javascript"),
        ("tool", b"#!/bin/sh\n", "bash"),
        ("run.rb", b"#!/bin/sh\n", "ruby"),
        ("windows\\style\\main.go", b"", "go"),
        ("Page.vue", b"", "text"),
        ("tool", b"#!/opt/unknown\n", "text"),
        ("README", b"", "text"),
        (".py", b"", "python"),
        ("", b"", "text"),
    ],
)
def test_detect(path: str, head: bytes, expected: str) -> None:
    assert detect(path, head) == expected


def test_text_and_unknown_languages_have_no_grammar() -> None:
    assert grammar("text") is None
    assert grammar("no such language") is None


def test_grammars_are_shared_between_threads() -> None:
    source = b"def f(x):\n    return g(x)\n" * 50
    with ThreadPoolExecutor(4) as pool:
        results = set(pool.map(lambda _: analyse(source, "python").blob, range(16)))
        grammars = {id(found) for found in pool.map(lambda _: grammar("lua"), range(16))}
    assert len(results) == len(grammars) == 1


def test_importing_the_registry_loads_no_grammar() -> None:
    code = "import sys, impetus.languages as l; l.detect('a.py'); print('tree_sitter' in sys.modules)"
    package = Path(sys.modules["impetus"].__file__ or "").parent.parent
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=package)
    assert result.stdout.strip() == "False"
