"""Digests in order, in this process or on others, whatever a parser does to its process."""

import os

import pytest

from impetus.adapters.parse_pool import ParsePool
from impetus.domain.chunking import blob_id
from impetus.domain.digest import digest
from impetus.domain.ports import Digest

_CRASHES = b"# crashes the parser\n"


def crashing(data: bytes, language: str) -> Digest:
    if data.startswith(_CRASHES):
        os.abort()
    return digest(data, language)


def sources(count: int) -> list[tuple[str, bytes]]:
    return [("python", f"def name_{number}():\n    return {number}\n\n".encode() * 900) for number in range(count)]


def blobs(contents: list[tuple[str, bytes]]) -> list[str]:
    return [blob_id(data, language) for language, data in contents]


@pytest.mark.parametrize("count", [3, 75])  # 75 are more than is digested here
def test_digests_come_in_order_and_are_those_of_one_process(count: int) -> None:
    contents = sources(count)
    made = list(ParsePool(2).analyze(iter(contents)))
    assert [each.analysis.blob for each in made] == blobs(contents)
    assert made[-1] == digest(contents[-1][1], "python")


def test_a_content_that_ends_its_process_is_kept_as_text_and_the_others_are_not_lost() -> None:
    contents = sources(70)
    contents[66:66] = [("python", _CRASHES + b"def lost(): pass\n")]
    made = list(ParsePool(2, crashing).analyze(iter(contents)))
    assert [each.analysis.blob for each in made] == blobs(contents)
    assert made[66].analysis.outline.definitions == ()
    assert "lost" in " ".join(made[66].terms)
    assert all(each.analysis.outline.definitions for number, each in enumerate(made) if number != 66)


def test_leaving_early_ends_the_processes() -> None:
    steps = ParsePool(2).analyze(iter(sources(75)))
    assert next(steps).analysis.chunks
    steps.close()  # type: ignore[attr-defined]
