"""The configured language models by the job they do, and the way to each: the model thread or the network.

Local models share one thread and its priorities. A remote model only waits for the network, so it is awaited and never
holds up a local one. Does not load, configure or choose models.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Literal, Protocol

from impetus.domain.ports import Generator
from impetus.domain.types import ModelState, Priority, Prompt, Sampling, Step
from impetus.errors import Busy, ModelUnavailable
from impetus.services.scheduler import ModelThread

ModelRole = Literal["chat", "completion"]

#: Requests that may be under way to remote models.
REMOTE_LIMIT = 8

_ADVICE = {
    "chat": "No chat model is configured; set chat.model to the folder of an MLX model, or to a model's name together "
    "with chat.base_url",
    "completion": "No completion model is configured; set completion.model to `bundled` or to the folder of an MLX "
    "model with a fill-in-the-middle format",
}


class LocalModel(Generator, Protocol):
    """A generator that computes on this machine, on the shared model thread, and can say how it is."""

    @property
    def local(self) -> Literal[True]: ...

    @property
    def state(self) -> str:
        """As in `ModelState.state`."""
        ...

    @property
    def detail(self) -> str: ...

    def unload(self) -> None:
        """Give memory back; the next request loads again. Called on the model thread."""
        ...


class RemoteModel(Protocol):
    """A model behind the network. Leaving `stream` ends its request at once, whatever it waits for."""

    @property
    def local(self) -> Literal[False]: ...

    @property
    def model_id(self) -> str: ...

    @property
    def context_length(self) -> int: ...

    @property
    def state(self) -> str: ...

    @property
    def detail(self) -> str: ...

    def count_tokens(self, text: str) -> int: ...

    def stream(self, prompt: Prompt, sampling: Sampling) -> AsyncGenerator[Step, None]: ...

    async def close(self) -> None: ...


HostedGenerator = LocalModel | RemoteModel


class Models:
    """Owns `thread` from here on: `close` ends it."""

    def __init__(
        self,
        thread: ModelThread,
        *,
        chat: HostedGenerator | None = None,
        completion: HostedGenerator | None = None,
    ) -> None:
        self._thread = thread
        self._generators: dict[ModelRole, HostedGenerator | None] = {"chat": chat, "completion": completion}
        self._remote = 0

    def has(self, role: ModelRole) -> bool:
        return self._generators[role] is not None

    def model_id(self, role: ModelRole) -> str:
        return self._generator(role).model_id

    def context_length(self, role: ModelRole) -> int:
        return self._generator(role).context_length

    async def count_tokens(self, role: ModelRole, text: str) -> int:
        return await asyncio.to_thread(self._generator(role).count_tokens, text)

    async def stream(
        self, role: ModelRole, prompt: Prompt, sampling: Sampling, priority: Priority
    ) -> AsyncGenerator[Step, None]:
        """Prefill*, Piece*, End. Use with `contextlib.aclosing`; leaving it stops the model before its next step."""
        generator = self._generator(role)
        if generator.local:
            source = self._thread.stream(lambda: generator.steps(prompt, sampling), priority)
        else:
            source = self._bounded(generator, prompt, sampling)
        async with aclosing(source) as steps:
            async for step in steps:
                yield step

    async def unload(self, role: ModelRole) -> None:
        """Give the model's memory back; does nothing to a remote one."""
        generator = self._generator(role)
        if generator.local:
            await self._thread.call(generator.unload, Priority.INDEX)

    def states(self) -> tuple[ModelState, ...]:
        return tuple(
            ModelState(role, generator.model_id, generator.state, generator.detail)
            if generator is not None
            else ModelState(role, "", "none", _ADVICE[role])
            for role, generator in self._generators.items()
        )

    async def idle(self) -> None:
        await self._thread.idle()

    async def close(self) -> None:
        """Stop local work, end its thread and close connections."""
        await asyncio.to_thread(self._thread.close)
        for generator in self._generators.values():
            if generator is not None and not generator.local:
                await generator.close()

    def _generator(self, role: ModelRole) -> HostedGenerator:
        generator = self._generators[role]
        if generator is None:
            raise ModelUnavailable(_ADVICE[role])
        return generator

    async def _bounded(self, generator: RemoteModel, prompt: Prompt, sampling: Sampling) -> AsyncGenerator[Step, None]:
        if self._remote >= REMOTE_LIMIT:
            raise Busy(f"{REMOTE_LIMIT} requests to remote models are under way; try again in a moment")
        self._remote += 1
        try:
            async with aclosing(generator.stream(prompt, sampling)) as steps:
                async for step in steps:
                    yield step
        finally:
            self._remote -= 1
