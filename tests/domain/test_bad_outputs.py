"""What models really wrote at some place, and what is shown of it: one file each in `tests/data/bad_outputs`.

How they are collected stands in `tests/evals/bad_outputs.py`.
"""

import tomllib
from pathlib import Path

import pytest

from impetus.domain import trimming
from impetus.domain.breakage import breaks
from impetus.domain.completion import plan
from tests.evals.defects import defects

FILES = sorted((Path(__file__).parents[1] / "data" / "bad_outputs").glob("*.toml"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_what_is_shown_of_a_bad_output(file: Path) -> None:
    one = tomllib.loads(file.read_text("utf-8"))
    text, offset, language = one["before"] + one["after"], len(one["before"]), one["language"]
    shown = trimming.trim(one["written"], plan(text, offset, language)) or ""
    if breaks(text, offset, shown, language):
        shown = ""
    assert shown == one["shown"], one["reason"]
    assert defects(text, offset, shown, language) == []


def test_there_are_outputs_of_many_kinds() -> None:
    found = [tomllib.loads(file.read_text("utf-8")) for file in FILES]
    assert len(found) >= 40
    assert len({one["language"] for one in found}) >= 12
    assert len({one["reason"] for one in found}) >= 6
