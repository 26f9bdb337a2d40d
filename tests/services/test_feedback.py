"""What became of suggestions is counted, and what it changes."""

import asyncio
import datetime

import pytest

from impetus.domain.completion import LEAST_CERTAIN
from impetus.domain.feedback import Tally, retained
from impetus.domain.types import Completion, Document, Outcome
from impetus.errors import BadRequest
from impetus.services.feedback import Feedback

DOCUMENT = Document("/a.py", "x = compute(1)\n", 1, "python")
COMPLETION = Completion("compute(1)", 4, 4, 1, "fim")


class Store:
    def __init__(self) -> None:
        self.tallies: list[Tally] = []

    def add(self, tally: Tally) -> None:
        self.tallies.append(tally)

    def all(self) -> list[Tally]:
        return self.tallies

    def total(self, name: str) -> int:
        return sum(getattr(tally, name) for tally in self.tallies)


class Later:
    """The pause before a suggestion is looked at again; ends when the test says so."""

    def __init__(self) -> None:
        self.over = asyncio.Event()

    async def __call__(self, _seconds: float) -> None:
        await self.over.wait()


def feedback() -> tuple[Feedback, Store, Later]:
    store, later = Store(), Later()
    return Feedback(store, today=lambda: datetime.date(2026, 11, 21), pause=later), store, later


async def test_each_outcome_is_counted_by_day_language_and_model() -> None:
    service, store, later = feedback()
    later.over.set()
    offered = service.offered(COMPLETION, DOCUMENT, "me")
    service.note(offered.id, Outcome.SHOWN, None, lambda key: DOCUMENT)
    service.note(offered.id, Outcome.PARTLY, 4, lambda key: DOCUMENT)
    service.note(offered.id, Outcome.ACCEPTED, None, lambda key: DOCUMENT)
    await service.idle()
    assert {(t.day, t.language, t.model) for t in store.tallies} == {("2026-11-21", "python", "fim")}
    counted = {name: store.total(name) for name in ("offered", "shown", "partly", "accepted", "rejected", "characters")}
    assert counted == {"offered": 1, "shown": 1, "partly": 1, "accepted": 1, "rejected": 0, "characters": 14}


async def test_what_was_kept_is_looked_at_later() -> None:
    service, store, later = feedback()
    offered = service.offered(COMPLETION, DOCUMENT, "me")
    changed = Document("/a.py", "x = compute(2, y)\n", 2, "python")
    service.note(offered.id, Outcome.ACCEPTED, None, lambda key: changed)
    later.over.set()
    await service.idle()
    assert (store.total("checked"), store.total("retained")) == (10, len("compute("))


async def test_a_document_that_was_closed_is_not_judged() -> None:
    service, store, later = feedback()
    later.over.set()
    service.note(service.offered(COMPLETION, DOCUMENT, "me").id, Outcome.ACCEPTED, None, lambda key: None)
    await service.idle()
    assert store.total("checked") == 0


async def test_who_rejects_is_offered_less_until_one_is_accepted() -> None:
    service, _, later = feedback()
    later.over.set()
    steps = []
    for _ in range(7):
        steps.append(service.least_certain("me"))
        service.note(service.offered(COMPLETION, DOCUMENT, "me").id, Outcome.REJECTED, None, lambda key: None)
    assert steps[0] == LEAST_CERTAIN
    assert steps[3] > LEAST_CERTAIN
    assert steps[6] > steps[3]
    assert service.least_certain("another") == LEAST_CERTAIN
    service.note(service.offered(COMPLETION, DOCUMENT, "me").id, Outcome.ACCEPTED, None, lambda key: None)
    assert service.least_certain("me") == LEAST_CERTAIN
    await service.close()


async def test_an_unknown_suggestion_and_a_wrong_outcome_are_refused() -> None:
    service, _, _ = feedback()
    with pytest.raises(BadRequest, match="No suggestion 7"):
        service.note(7, Outcome.SHOWN, None, lambda key: None)
    with pytest.raises(BadRequest, match="when it is sent"):
        service.note(service.offered(COMPLETION, DOCUMENT, "me").id, Outcome.OFFERED, None, lambda key: None)
    await service.close()


@pytest.mark.parametrize(
    ("accepted", "text", "kept"),
    [("compute(1)", "x = compute(1)", 10), ("compute(1)", "nothing of it", 0), ("a b", "a b", 3), ("ab", "xab", 2)],
)
def test_retained_counts_the_characters_that_still_stand(accepted: str, text: str, kept: int) -> None:
    assert retained(accepted, text) == kept
