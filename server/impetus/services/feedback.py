"""Takes what editors tell of suggestions, counts it, and says how sure the next ones have to be."""

import asyncio
import datetime
import itertools
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from impetus.domain.feedback import Tally, TallyStore, least_certain, retained
from impetus.domain.types import Completion, Document, Outcome
from impetus.errors import BadRequest, ImpetusError

log = logging.getLogger(__name__)

#: Suggestions that may still be told of.
MAX_OFFERED = 500
#: Text that was kept so long after it was accepted was of use.
RETAINED_AFTER_S = 60.0
#: The accepted text is looked for so many characters around its place.
_AROUND = 2_000


@dataclass(frozen=True, slots=True)
class _Offer:
    """Without the document's text: five hundred of them would weigh."""

    completion: Completion
    document: str  # its key
    language: str
    owner: str


class Feedback:
    def __init__(
        self,
        store: TallyStore,
        *,
        today: Callable[[], datetime.date] = datetime.date.today,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._store = store
        self._today = today
        self._pause = pause
        self._numbers = itertools.count(1)
        self._offers: OrderedDict[int, _Offer] = OrderedDict()
        self._rejected: dict[str, int] = {}  # owner → rejections in a row
        self._tasks: set[asyncio.Task[None]] = set()

    def offered(self, completion: Completion, document: Document, owner: str) -> Completion:
        """The same completion with the number by which the editor tells of it."""
        completion = replace(completion, id=next(self._numbers))
        offer = self._offers[completion.id] = _Offer(completion, document.key, document.language, owner)
        while len(self._offers) > MAX_OFFERED:
            self._offers.popitem(last=False)
        self._count(offer, offered=1)
        return completion

    def note(
        self, number: int, outcome: Outcome, characters: int | None, document: Callable[[str], Document | None]
    ) -> None:
        """`characters` were accepted, all of them by default; `document` gives an open one by its key, later."""
        offer = self._offers.get(number)
        if offer is None:
            raise BadRequest(f"No suggestion {number} is remembered; send the id that came with it", parameter="id")
        text = offer.completion.text
        taken = text if characters is None else text[:characters]
        match outcome:
            case Outcome.SHOWN:
                self._count(offer, shown=1)
            case Outcome.REJECTED:
                self._count(offer, rejected=1)
                self._rejected[offer.owner] = self._rejected.get(offer.owner, 0) + 1
            case Outcome.ACCEPTED | Outcome.PARTLY:
                whole = outcome is Outcome.ACCEPTED
                self._count(offer, accepted=whole, partly=not whole, characters=len(taken))
                self._rejected.pop(offer.owner, None)
                self._background(self._check(offer, taken, document))
            case Outcome.OFFERED:
                raise BadRequest("A suggestion is counted as offered when it is sent; tell what came of it")

    def least_certain(self, owner: str) -> float:
        return least_certain(self._rejected.get(owner, 0))

    def forget(self, owner: str) -> None:
        """A client has gone."""
        self._rejected.pop(owner, None)

    def all(self) -> list[Tally]:
        return self._store.all()

    async def idle(self) -> None:
        """Return once everything is written and checked; for tests."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def close(self) -> None:
        """What was to be checked later is not."""
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _check(self, offer: _Offer, taken: str, document: Callable[[str], Document | None]) -> None:
        await self._pause(RETAINED_AFTER_S)
        present = document(offer.document)
        if present is None or not taken:
            return
        start = max(0, offer.completion.start - _AROUND)
        near = present.text[start : offer.completion.start + len(taken) + _AROUND]
        kept = await asyncio.to_thread(retained, taken, near)
        self._count(offer, checked=len(taken), retained=kept)

    def _count(self, offer: _Offer, **counts: int) -> None:
        tally = Tally(self._today().isoformat(), offer.language, offer.completion.model, **counts)

        async def write() -> None:
            try:
                await asyncio.to_thread(self._store.add, tally)
            except ImpetusError as error:
                log.warning("Suggestions are not counted: %s", error)

        self._background(write())

    def _background(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        assert isinstance(task, asyncio.Task)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
