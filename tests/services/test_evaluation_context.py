"""What positions lack, and the share of it that the passages have."""

from pathlib import Path
from types import SimpleNamespace

import pytest
from tests.support.fakes import FakeRetrieval

from impetus.domain.types import Hit
from impetus.services.evaluation_context import evaluate_context, identifiers, missing, summarize
from impetus.services.evaluation_holes import Hole
from impetus.services.workspace import View

CALLER = "from prices import total\n\nprint()\n"


def hole(expected: str) -> Hole:
    return Hole("caller.py", "python", CALLER, CALLER.index("()") + 1, expected)


@pytest.fixture
def known(tmp_path: Path) -> dict[str, frozenset[str]]:
    (tmp_path / "prices.py").write_text("def total(net, taxes):\n    return net + taxes\n")
    (tmp_path / "caller.py").write_text("nowhere_else = 1\n")
    return identifiers(tmp_path, ["prices.py", "caller.py", "gone.py"])


def test_only_what_another_file_has_and_this_one_lacks_is_missing(known: dict[str, frozenset[str]]) -> None:
    assert missing(hole("total(net, taxes, nowhere_else, unheard_of)"), known) == {"net", "taxes"}
    assert missing(hole("total(1)"), known) == frozenset()


async def test_the_share_found_counts_positions_that_lack_something(known: dict[str, frozenset[str]]) -> None:
    passage = Hit(Path("/p"), "prices.py", 1, 1, 1.0, "def total(net, rate):", "python")
    retrieval = FakeRetrieval(definitions=[], snippets=[passage])
    session = SimpleNamespace(engine=SimpleNamespace(retriever=retrieval), view=View((), {}))
    times = iter((0.0, 0.5))
    scores = await evaluate_context(
        session,  # type: ignore[arg-type]
        Path("/p"),
        [hole("total(1)"), hole("net, taxes")],
        known,
        clock=lambda: next(times),
    )
    assert summarize(scores).as_json() == {"count": 1, "found": 0.5, "seconds_p50": 0.5}
    assert "total" in retrieval.asked[0].near


def test_nothing_to_find() -> None:
    assert summarize([]).as_json() == {"count": 0, "found": 0.0, "seconds_p50": 0.0}
