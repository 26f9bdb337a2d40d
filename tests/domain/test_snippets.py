"""Which passages help to complete at a cursor."""

from pathlib import Path

from impetus.domain.ports import FileState, Placed, PlacedFile
from impetus.domain.snippets import Found, around, choose, excerpt, helps, imports
from impetus.domain.types import Chunk

ROOT = Path("/project")


def found(path: str, wide: float, near: float = 0.0, number: int = 0) -> Found:
    chunk = Chunk(f"{path}{number}", 0, 10, 1, 2, (), "", (), "function")
    return Found(Placed(PlacedFile(ROOT, path, "python", FileState(10, 0, "blob")), chunk), wide, near)


def test_it_asks_with_the_lines_around_the_cursor() -> None:
    before = "import early\n" + "\n" * 30 + "wide_word = 1\n" + "\n" * 8 + "near_word = "
    asked = around(before, "\nbelow_word\n\n\n\nfar_below_word", "src/app/view.py")
    assert "near_word" in asked.near
    assert "below_word" in asked.near
    assert "wide_word" in asked.wide
    assert "wide_word" not in asked.near
    assert "far_below_word" in asked.wide
    assert "early" not in asked.wide
    assert asked.imported >= {"early"}


def test_imports_of_several_languages() -> None:
    assert imports("from a import b\nx = 1\n#include <c.h>\nuse d::e;\nconst f = require('g')\n").count("\n") == 3


def test_both_searches_count_and_one_passage_of_a_file_is_taken() -> None:
    asked = around("x = ", "", "src/own.py")
    candidates = [found("a.py", 4), found("a.py", 3, 4, 1), found("b.py", 1, 1), found("src/own.py", 9, 9)]
    chosen = choose(asked, candidates, 5)
    assert [(one.placed.path, one.placed.chunk.id) for one in chosen] == [("a.py", "a.py1"), ("b.py", "b.py0")]


def test_paths_decide_between_equals() -> None:
    asked = around("from app import prices\nx = ", "", "src/app/orders.py")
    chosen = choose(asked, [found("lib/zoo.py", 1), found("src/app/users.py", 1), found("lib/prices.py", 1)], 2)
    assert [one.placed.path for one in chosen] == ["lib/prices.py", "src/app/users.py"]


def test_a_passage_helps_when_it_is_related_and_new() -> None:
    asked = around("total = price * amount\nship(total)\n", "", "own.py")
    lines = frozenset({"total = price * amount", "ship(total)"})
    assert helps("total = price * amount\nbook(total, price)", asked, lines)
    assert not helps("total = price * amount\n    ship(total)", asked, lines)
    assert not helps("completely different words", asked, lines)


def test_an_excerpt_has_the_lines_that_were_asked_for() -> None:
    text = "\n".join([f"filler line {i}" for i in range(20)] + ["ship(total, price)"] + ["other"] * 20)
    cut = excerpt(text, ("total", "price"), 60)
    assert "ship(total, price)" in cut
    assert len(cut) <= 60
    assert excerpt("short", (), 60) == "short"
