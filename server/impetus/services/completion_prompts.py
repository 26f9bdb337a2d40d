"""What a completion model is given: as much as it can begin to answer soon. The rest is read while nobody waits.

A processor reads about a thousand tokens a second, but nothing twice that stood at the beginning of an earlier prompt.
So the first request of a place gets the lines next to the cursor, and after it the whole window is read, with code of
other files, in the gaps between requests; from then on requests build on that.
"""

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from impetus.config import CompletionSettings
from impetus.domain.completion import Plan, brief, unread
from impetus.domain.secrets import mask
from impetus.domain.types import Document, InfillPrompt
from impetus.errors import ImpetusError
from impetus.services.completion_context import CodeLookup, CompletionContext
from impetus.services.models import SessionModels
from impetus.services.workspace import View

log = logging.getLogger(__name__)

#: What was not read before may take so long, in seconds, before something shorter is asked instead.
SOON_S = 0.4

#: Characters a second that a model is taken to read before it was seen reading, and the least that tell something.
FIRST_SPEED = 1_500.0
LEAST_SEEN = 300

#: Reading begins so long after a request, lest a cursor that flies past is read at every place.
REST_S = 0.1

#: Fewer characters are read with the next request.
WORTH_READING = 200

#: Prompts of a document, and documents, of which it is remembered that they were read.
READ_PROMPTS = 3
READ_DOCUMENTS = 50


@dataclass(frozen=True, slots=True)
class Request:
    """What stays the same while a completion is worked on."""

    document: Document
    offset: int
    plan: Plan
    path: str
    view: View
    explicit: bool

    @property
    def key(self) -> str:
        return self.document.key

    @property
    def text(self) -> str:
        return self.document.text


class CompletionPrompts:
    def __init__(
        self,
        models: SessionModels,
        lookup: CodeLookup,
        settings: CompletionSettings,
        *,
        clock: Callable[[], float] = time.monotonic,
        rest: Callable[[], Awaitable[None]] = lambda: asyncio.sleep(REST_S),
    ) -> None:
        self._models = models
        self._settings = settings
        self._context = CompletionContext(lookup)
        self._clock = clock
        self._rest = rest
        self._speed = FIRST_SPEED
        self._read: OrderedDict[str, list[InfillPrompt]] = OrderedDict()  # by document, the latest last
        self._wanted: dict[str, Request] = {}  # by document, where the cursor was last
        self._reading: dict[str, asyncio.Task[None]] = {}

    async def make(self, request: Request) -> InfillPrompt:
        """The most that is answered soon: with what the index has now, with what it had before, or the next lines."""
        whole = await self._whole(request)
        if not self._models.is_local("completion"):
            return whole  # a server is fast, and keeps what it has read by itself
        if not self._models.is_ready("completion"):
            self._read.clear()  # it was unloaded meanwhile, or never loaded
        latest = self._read.get(request.key, [])[-1:]
        for prompt in (whole, *(replace(whole, context=read.context) for read in latest)):
            if self._unread(request.key, prompt) <= self._speed * SOON_S:
                return prompt
        return brief(whole)

    def answering(self, key: str, prompt: InfillPrompt) -> Callable[[], None]:
        """To be called when the first text of an answer comes."""
        ready = self._models.is_ready("completion")
        characters, began = self._unread(key, prompt), self._clock()

        def read() -> None:
            seconds = self._clock() - began
            if ready and characters >= LEAST_SEEN and seconds > 0:
                self._speed = characters / seconds
            self._note(key, prompt)

        return read

    def settle(self, request: Request) -> None:
        """The cursor is here now; what a request here would need is read soon, after what is being read already.

        Who asks meanwhile waits for one small step of it at most.
        """
        self._wanted[request.key] = request
        if request.key not in self._reading:
            self._reading[request.key] = asyncio.create_task(self._settled(request.key))

    async def read(self, request: Request) -> None:
        """Read what a request here would need, unless that is done."""
        whole = await self._whole(request)
        if self._models.is_local("completion") and self._unread(request.key, whole) > WORTH_READING:
            await self._models.read("completion", whole, self._settings.max_tokens)
            self._note(request.key, whole)

    def forget(self, key: str) -> None:
        self._stop(key)
        self._read.pop(key, None)
        self._context.forget(key)

    def close(self) -> None:
        for key in tuple(self._reading):
            self._stop(key)

    def _stop(self, key: str) -> None:
        self._wanted.pop(key, None)
        task = self._reading.pop(key, None)
        if task is not None:
            task.cancel()

    async def _settled(self, key: str) -> None:
        try:
            while key in self._wanted:
                await self._rest()
                await self.read(self._wanted.pop(key))
        except ImpetusError as error:
            log.info("The model did not read ahead: %s", error)
        finally:
            if self._reading.get(key) is asyncio.current_task():
                del self._reading[key]

    async def _whole(self, request: Request) -> InfillPrompt:
        plan = request.plan
        context = (
            await self._context.gather(request.key, request.document, request.offset, request.path, request.view)
            if self._settings.context
            else ()
        )
        return InfillPrompt(mask(plan.prefix), mask(plan.told), request.path, context)

    def _unread(self, key: str, prompt: InfillPrompt) -> int:
        everything = unread(prompt, InfillPrompt("", ""))
        return min((unread(prompt, read) for read in self._read.get(key, ())), default=everything)

    def _note(self, key: str, prompt: InfillPrompt) -> None:
        known = self._read.setdefault(key, [])
        known[:] = [*(one for one in known if one != prompt), prompt][-READ_PROMPTS:]
        self._read.move_to_end(key)
        while len(self._read) > READ_DOCUMENTS:
            self._read.popitem(last=False)
