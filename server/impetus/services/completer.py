"""Inline completion: the latest request of a document wins, and nothing that still fits is computed twice.

A request is answered from what was kept, from a completion under way that agrees with what is typed, or from a new one.
Never embeds and never waits for the index.
"""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import aclosing
from dataclasses import replace
from typing import Any

from impetus.config import CompletionSettings
from impetus.domain import completion, trimming
from impetus.domain.breakage import breaks
from impetus.domain.rhythm import Rhythm
from impetus.domain.types import (
    Completion,
    Cursor,
    Document,
    End,
    FinishReason,
    Piece,
    Priority,
    Sampling,
    Shape,
)
from impetus.services.completion_cache import CompletionCache
from impetus.services.completion_context import CodeLookup
from impetus.services.completion_prompts import REST_S, CompletionPrompts, Request
from impetus.services.completion_running import Running
from impetus.services.facts import place_of
from impetus.services.models import SessionModels
from impetus.services.workspace import View

#: A completion whose request was canceled goes on for so long when what was typed agrees with it: editors cancel at
#: every key and ask again at once.
LINGER_S = 0.25

#: The completion behind the one shown is computed ahead only where completions are faster than this.
AHEAD_WITHIN_S = 0.5

#: What is shown first is the most likely; the others, for cycling through, are drawn with this temperature.
OTHERS_TEMPERATURE = 0.6


class Completer:
    def __init__(
        self,
        models: SessionModels,
        lookup: CodeLookup,
        settings: CompletionSettings,
        *,
        clock: Callable[[], float] = time.monotonic,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
        rest: Callable[[], Awaitable[None]] = lambda: asyncio.sleep(REST_S),
    ) -> None:
        self._models = models
        self._settings = settings
        self._prompts = CompletionPrompts(models, lookup, settings, clock=clock, rest=rest)
        self._clock = clock
        self._pause = pause
        self._kept = CompletionCache()
        self._running: dict[str, Running] = {}
        self._latest: dict[str, asyncio.Event] = {}  # set when a newer request of the document comes
        self._rhythms: dict[str, Rhythm] = {}

    async def complete(
        self,
        cursor: Cursor,
        view: View,
        *,
        explicit: bool = False,
        least: float = completion.LEAST_CERTAIN,
        now: Callable[[], Document | None] = lambda: None,
    ) -> Completion | None:
        """The text to show at the cursor. None: nothing to say, switched off, or a newer request came.

        `least` is how sure (log-probability) the model has to begin unless `explicit`; `now` gives the document as it
        is when the caller leaves.
        """
        document = cursor.document
        key = document.key
        overtaken = self._overtake(key)
        request = self._request(cursor, view, explicit)
        try:
            if request is None:
                self._stop(key)
                return None
            return await self._answer(request, overtaken, -math.inf if explicit else least)
        except asyncio.CancelledError:
            if self._latest.get(key) is overtaken:
                self._left(key, now())
            raise
        finally:
            if self._latest.get(key) is overtaken:
                del self._latest[key]
                if request is not None:
                    self._prompts.settle(request)

    def rest(self, cursor: Cursor, view: View) -> None:
        """The cursor went here, and may stay: a completion asked for here should come at once."""
        request = self._request(cursor, view, explicit=False)
        if request is not None and cursor.document.key not in self._latest:
            self._prompts.settle(request)

    async def prepare(self, cursor: Cursor, view: View) -> None:
        """Have the model read what a completion here would need, now."""
        request = self._request(cursor, view, explicit=True)
        if request is not None:
            await self._prompts.read(request)

    async def load(self) -> None:
        """Load the model if completions are wanted. That is a guess: nobody has asked for it yet."""
        if self._models.has("completion") and self._settings.enable:
            await self._models.load("completion", asked=False)

    async def others(self, cursor: Cursor, view: View, number: int) -> list[Completion]:
        """Up to `number` further completions of a place, drawn at random; the same one is not given twice."""
        request = self._request(cursor, view, explicit=True)
        if request is None:
            return []
        seeds = [Sampling(self._settings.max_tokens, OTHERS_TEMPERATURE, seed=seed) for seed in range(number)]
        texts = await asyncio.gather(*(self._compute(request, sampling, -math.inf) for sampling in seeds))
        return [self._completion(text, request) for text in dict.fromkeys(texts) if text]

    def forget(self, key: str) -> None:
        """A document was closed: stop its request and drop what was kept for it."""
        self._overtake(key)
        self._latest.pop(key, None)
        self._stop(key)
        self._kept.forget(key)
        self._prompts.forget(key)
        self._rhythms.pop(key, None)

    def close(self) -> None:
        """Stop what is under way; nobody waits for it any more."""
        for key in tuple(self._running):
            self._stop(key)
        self._prompts.close()

    # -- one request ---------------------------------------------------------------------------------------------------

    def _request(self, cursor: Cursor, view: View, explicit: bool) -> Request | None:
        """None where nothing is wanted."""
        if not self._models.has("completion") or not (self._settings.enable or explicit):
            return None
        document = cursor.document
        offset = max(0, min(cursor.offset, len(document.text)))
        plan = completion.plan(document.text, offset, document.language, explicit=explicit)
        if plan.shape is Shape.NONE:
            return None
        _, path = place_of(document, view)
        return Request(document, offset, plan, path, view, explicit)

    async def _answer(self, request: Request, overtaken: asyncio.Event, least: float) -> Completion | None:
        key, text, offset = request.key, request.text, request.offset
        rhythm = self._rhythms.setdefault(key, Rhythm())
        rhythm.asked(self._clock())
        own: Running | None = None
        while True:
            kept = self._kept.find(key, text, offset)
            if kept is not None and (kept.text or not request.explicit or own is not None):
                return self._shown(request, kept.text)
            running = self._running.get(key)
            # One that is done and whose kept result does not go on here has nothing to say.
            if running is None or running is own or running.done or request.explicit or not running.agrees(text):
                if own is not None:
                    return None  # its result belongs to a text that is gone
                self._stop(key)
                if not request.explicit and not await _first(self._pause(rhythm.wait()), overtaken):
                    return None
                running = own = self._start(request, least, rhythm)
            if not await _first(running.settled(text), overtaken):
                return None
            if running is own and running.error is not None:
                raise running.error

    def _start(self, request: Request, least: float, rhythm: Rhythm) -> Running:
        """Compute the completion of a request; the result is kept."""
        running = Running(request.text[: request.offset], request.text[request.offset :])
        began = self._clock()

        async def work() -> str:
            sampling = Sampling(self._settings.max_tokens, temperature=0.0)
            text = await self._compute(request, sampling, least, wrote=running.wrote)
            self._kept.add(request.key, request.text, request.offset, text)
            rhythm.took(self._clock() - began)
            return text

        self._running[request.key] = running
        running.start(work)
        return running

    def _shown(self, request: Request, text: str) -> Completion | None:
        if not text:
            return None
        self._ahead(request, text)
        return self._completion(text, request)

    def _ahead(self, request: Request, shown: str) -> None:
        """While a suggestion is looked at, compute the one that comes after it is accepted."""
        rhythm = self._rhythms.get(request.key)
        running = self._running.get(request.key)
        busy = running is not None and not running.done
        takes = rhythm.takes if rhythm is not None else None
        if busy or not self._settings.ahead or takes is None or takes > AHEAD_WITHIN_S:
            return
        added = shown if request.plan.right.strip() else shown + completion.next_line(request.plan.left + shown)
        text = request.text[: request.offset] + added + request.text[request.offset :]
        document, offset = replace(request.document, text=text), request.offset + len(added)
        if self._kept.find(request.key, text, offset) is not None:
            return
        following = self._request(Cursor(document, offset), request.view, explicit=False)
        if following is not None:
            self._start(following, completion.LEAST_CERTAIN, Rhythm())

    # -- who is waiting ------------------------------------------------------------------------------------------------

    def _overtake(self, key: str) -> asyncio.Event:
        previous = self._latest.pop(key, None)
        if previous is not None:
            previous.set()
        event = self._latest[key] = asyncio.Event()
        return event

    def _left(self, key: str, document: Document | None) -> None:
        """The one who waited has left. What was typed since may agree with what is being written."""
        running = self._running.get(key)
        if running is None or running.done:
            return
        typed_on = document is not None and document.text != running.before + running.after
        if document is None or not typed_on or not running.agrees(document.text):
            self._stop(key)
            return
        loop = asyncio.get_running_loop()
        loop.call_later(LINGER_S, lambda: self._stop_unwanted(key, running))

    def _stop_unwanted(self, key: str, running: Running) -> None:
        if key not in self._latest and self._running.get(key) is running:
            self._stop(key)

    def _stop(self, key: str) -> None:
        running = self._running.pop(key, None)
        if running is not None:
            running.stop()

    # -- the model -----------------------------------------------------------------------------------------------------

    async def _compute(
        self,
        request: Request,
        sampling: Sampling,
        least: float,
        wrote: Callable[[str], None] = lambda raw: None,
    ) -> str:
        """What to insert, trimmed and checked; empty when nothing of it is worth showing."""
        plan, document = request.plan, request.document
        text = trimming.trim(await self._generate(request, sampling, least, wrote), plan)
        if text is None:
            return ""
        if len(document.text) <= completion.MAX_PARSED:
            bad = await asyncio.to_thread(breaks, document.text, request.offset, text, document.language)
            return "" if bad else text
        return text

    async def _generate(self, request: Request, sampling: Sampling, least: float, wrote: Callable[[str], None]) -> str:
        """What the model writes, as far as it can matter; nothing when it begins less sure than `least`."""
        plan, raw = request.plan, ""
        prompt = await self._prompts.make(request)
        answering = self._prompts.answering(request.key, prompt)
        async with aclosing(self._models.stream("completion", prompt, sampling, Priority.TYPING)) as steps:
            async for step in steps:
                if isinstance(step, Piece):
                    if not raw:
                        answering()
                    if not raw and step.logprob is not None and step.logprob < least:
                        return ""
                    raw += step.text
                    wrote(raw)
                    if trimming.finished(raw, plan):
                        break
                elif isinstance(step, End) and step.reason is FinishReason.LENGTH:
                    raw = trimming.whole_lines(raw, plan)
        return raw

    def _completion(self, text: str, request: Request) -> Completion:
        model = self._models.model_id("completion")
        return Completion(text, request.offset, request.offset, request.document.version, model)


async def _first(work: Coroutine[Any, Any, Any] | Awaitable[Any], overtaken: asyncio.Event) -> bool:
    """Wait for `work`, or until the request is overtaken; whether it was not."""
    if overtaken.is_set():
        if asyncio.iscoroutine(work):
            work.close()
        return False
    doing = asyncio.ensure_future(work)
    waiting = asyncio.ensure_future(overtaken.wait())
    try:
        await asyncio.wait((doing, waiting), return_when=asyncio.FIRST_COMPLETED)
        return not overtaken.is_set()
    finally:
        doing.cancel()
        waiting.cancel()
