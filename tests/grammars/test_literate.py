"""Every language finds what its literate file says, and every language has such a file."""

from pathlib import Path

import pytest

from impetus.languages import grammar, languages
from tests.grammars.literate import read, render

FILES = sorted(Path(__file__).parent.glob("*.md"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_finds_what_the_file_says(file: Path) -> None:
    example = read(file)
    assert render(file.stem, example.code) == example.expected


def test_every_language_has_a_file_and_a_working_grammar() -> None:
    assert {file.stem for file in FILES} == set(languages())
    assert [name for name in languages() if grammar(name) is None] == []
