"""The language models of all sessions: the local ones in the worker, the remote ones behind the network.

A session names its models by its settings; two sessions that name the same model share it. Does not load or configure
models: local ones are the worker's business, remote ones their server's.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Literal, Protocol

import numpy as np

from impetus.config import ChatSettings, CompletionSettings, Settings
from impetus.domain.ports import Counters, DraftVerdicts, ModelWorker, Vectors
from impetus.domain.types import ModelState, Piece, Priority, Prompt, Sampling, Step
from impetus.errors import ModelUnavailable
from impetus.services.admission import Admission
from impetus.services.background import Background
from impetus.services.drafts import Draft

ModelRole = Literal["chat", "completion"]

#: Texts sent to the worker at once; between two batches the machine may ask to be spared.
EMBED_BATCH = 256

_ADVICE = {
    "chat": "No chat model is configured; set chat.model to the folder of an MLX model, or to a model's name together "
    "with chat.base_url",
    "completion": "No completion model is configured; set completion.model to `bundled` or to the folder of an MLX "
    "model with a fill-in-the-middle format",
}


class RemoteModel(Protocol):
    """A model behind the network. Leaving `stream` ends its request at once, whatever it waits for."""

    @property
    def model_id(self) -> str: ...

    @property
    def context_length(self) -> int: ...

    @property
    def state(self) -> str:
        """As in `ModelState.state`."""
        ...

    @property
    def detail(self) -> str: ...

    def stream(self, prompt: Prompt, sampling: Sampling) -> AsyncGenerator[Step, None]: ...

    async def check(self) -> None:
        """Bring `state` up to date; takes a few seconds at most."""
        ...

    async def close(self) -> None: ...


class PullStep(Protocol):
    """How far a fetch is: `bytes` of `total` over all files, `file` the one under way; the last `state` is "done"."""

    @property
    def state(self) -> str: ...

    @property
    def file(self) -> str: ...

    @property
    def bytes(self) -> int: ...

    @property
    def total(self) -> int: ...


class ModelPull(Protocol):
    """Fetches models by their names in the catalogue."""

    async def pull(self, name: str, on_progress: Callable[[PullStep], None]) -> Path:
        """The folder of the model; `on_progress` is called on the event loop. Canceling it leaves what was fetched for
        the next call. Raises BadRequest, NotFound, Denied, Busy, ModelError.
        """
        ...


class Model(Protocol):
    """One model as a session uses it, wherever it runs."""

    @property
    def model_id(self) -> str: ...

    @property
    def context_length(self) -> int:
        """In tokens; may read the model's configuration. Raises ModelError."""
        ...

    def state(self) -> tuple[str, str]:
        """State and detail, as in `ModelState`."""
        ...

    async def check(self) -> None: ...

    def stream(self, prompt: Prompt, sampling: Sampling, priority: Priority) -> AsyncGenerator[Step, None]: ...

    async def read(self, prompt: Prompt, max_tokens: int) -> None:
        """Read a prompt whenever nobody else needs the model, so that one that begins like it is answered sooner.

        `max_tokens` is that of the answers to come: a prompt is cut to leave them room.
        """
        ...

    async def load(self, *, asked: bool) -> None:
        """`asked` as in `ModelWorker.load`."""
        ...

    async def unload(self) -> None: ...


Connect = Callable[[ModelRole, ChatSettings | CompletionSettings], RemoteModel]


class Models:
    """Owns `worker` and the remote models from here on: `close` ends them.

    `context_length` reads that of a model's folder and raises ModelError; `bundled` is the folder of our own model.
    """

    def __init__(
        self,
        worker: ModelWorker,
        background: Background,
        *,
        connect: Connect,
        context_length: Callable[[Path], int],
        bundled: Path,
        drafts: DraftVerdicts,
        admission: Admission | None = None,
    ) -> None:
        self._worker = worker
        self._background = background
        self._connect = connect
        self._context_length = context_length
        self._bundled = bundled
        self._drafts = drafts
        self._admission = admission or Admission()
        self._remotes: dict[tuple[str, str, str, str], RemoteModel] = {}

    def named_by(self, settings: Settings) -> "SessionModels":
        """The models of a session with these settings."""
        completion = settings.completion
        if completion.model == "bundled" and not completion.base_url:
            return SessionModels(self._named("chat", settings.chat), self._local(self._bundled))
        return SessionModels(self._named("chat", settings.chat), self._named("completion", completion))

    async def embed(self, embedder: str, texts: Sequence[str]) -> Vectors:
        """(n, dimensions), by an embedder of the worker, whenever nobody else needs the worker."""
        batches = []
        for start in range(0, len(texts), EMBED_BATCH):
            await self._background.wait()
            with self._admission.local(Priority.INDEX):
                batches.append(await self._worker.embed(embedder, texts[start : start + EMBED_BATCH]))
        return np.concatenate(batches) if batches else np.zeros((0, 0), np.float32)

    def memory(self) -> dict[str, int]:
        """Name of each local model that is held → bytes of its weights and caches."""
        return {folder.name: held.nbytes for folder, held in self._worker.states().items() if held.nbytes}

    def counters(self) -> dict[str, Counters]:
        """Name of each local model that is held → what it has computed, as of the last request that ran to its end."""
        return {folder.name: held.counters for folder, held in self._worker.states().items()}

    def subscribe(self, listener: Callable[[], None]) -> None:
        """Call `listener` on the event loop when the state of a local model has changed."""
        self._worker.subscribe(listener)

    async def close(self) -> None:
        """Stop local work, end the worker and close connections."""
        await self._worker.close()
        for remote in self._remotes.values():
            await remote.close()

    def _named(self, role: ModelRole, settings: ChatSettings | CompletionSettings) -> Model | None:
        if settings.base_url:
            key = (role, settings.base_url, settings.model, settings.api_key_env)
            if key not in self._remotes:
                self._remotes[key] = self._connect(role, settings)
            return _Remote(self._remotes[key], self._admission)
        if not settings.model:
            return None
        drafted_by = settings.draft_model if isinstance(settings, ChatSettings) else ""
        return self._local(_folder(settings.model), _folder(drafted_by) if drafted_by else None)

    def _local(self, folder: Path, drafted_by: Path | None = None) -> Model:
        draft = Draft(folder, drafted_by, self._worker, self._drafts) if drafted_by is not None else None
        return _Local(folder, draft, self._worker, self._admission, self._background, self._context_length)


class _Local:
    """A model in the worker, named by its folder."""

    def __init__(
        self,
        folder: Path,
        draft: Draft | None,
        worker: ModelWorker,
        admission: Admission,
        background: Background,
        context_length: Callable[[Path], int],
    ) -> None:
        self._folder = folder
        self.draft = draft
        self._worker = worker
        self._admission = admission
        self._background = background
        self._context_length = context_length

    @property
    def model_id(self) -> str:
        return self._folder.name

    @property
    def context_length(self) -> int:
        return self._context_length(self._folder)

    def state(self) -> tuple[str, str]:
        state, detail = self._state()
        return state, f"{detail}; {self.draft.said()}" if self.draft is not None else detail

    def _state(self) -> tuple[str, str]:
        held = self._worker.states().get(self._folder)
        if held is not None and held.state != "failed":
            return held.state, held.detail
        if not self._folder.is_dir():
            return "missing", f"There is no model folder at {self._folder}; set the right path or fetch the model again"
        return (held.state, held.detail) if held is not None else ("not loaded", f"{self._folder}; loads on first use")

    async def stream(self, prompt: Prompt, sampling: Sampling, priority: Priority) -> AsyncGenerator[Step, None]:
        draft = await self._used_draft()
        with self._admission.local(priority):
            async with aclosing(self._worker.stream(self._folder, prompt, sampling, priority, draft)) as steps:
                async for step in steps:
                    yield step

    async def check(self) -> None:
        return  # the worker tells of its own accord

    async def read(self, prompt: Prompt, max_tokens: int) -> None:
        await self._background.wait()
        async with aclosing(self.stream(prompt, Sampling(max_tokens, temperature=0.0), Priority.INDEX)) as steps:
            async for step in steps:
                if isinstance(step, Piece):
                    return

    async def load(self, *, asked: bool) -> None:
        await self._worker.load(self._folder, asked=asked)

    async def unload(self) -> None:
        await self._worker.unload(self._folder)
        if self.draft is not None:
            await self._worker.unload(self.draft.folder)

    async def _used_draft(self) -> Path | None:
        return await asyncio.to_thread(self.draft.used) if self.draft is not None else None


class _Remote:
    """A remote model within the limit of requests; its memory is its server's business."""

    def __init__(self, remote: RemoteModel, admission: Admission) -> None:
        self._remote = remote
        self._admission = admission

    @property
    def model_id(self) -> str:
        return self._remote.model_id

    @property
    def context_length(self) -> int:
        return self._remote.context_length

    def state(self) -> tuple[str, str]:
        return self._remote.state, self._remote.detail

    async def stream(self, prompt: Prompt, sampling: Sampling, priority: Priority) -> AsyncGenerator[Step, None]:
        with self._admission.remote():
            async with aclosing(self._remote.stream(prompt, sampling)) as steps:
                async for step in steps:
                    yield step

    async def check(self) -> None:
        await self._remote.check()

    async def read(self, prompt: Prompt, max_tokens: int) -> None:
        """What its server keeps of prompts is its own affair."""
        return

    async def load(self, *, asked: bool) -> None:
        return

    async def unload(self) -> None:
        return


class SessionModels:
    """The models of one session by the job they do."""

    def __init__(self, chat: Model | None, completion: Model | None) -> None:
        self._roles: dict[ModelRole, Model | None] = {"chat": chat, "completion": completion}

    def has(self, role: ModelRole) -> bool:
        return self._roles[role] is not None

    def model_id(self, role: ModelRole) -> str:
        return self._model(role).model_id

    def is_local(self, role: ModelRole) -> bool:
        return isinstance(self._roles[role], _Local)

    def is_ready(self, role: ModelRole) -> bool:
        """Whether a request is answered without loading anything first."""
        return self._model(role).state()[0] == "ready"

    async def context_length(self, role: ModelRole) -> int:
        """In tokens. Raises ModelError."""
        return await asyncio.to_thread(lambda: self._model(role).context_length)

    def stream(
        self, role: ModelRole, prompt: Prompt, sampling: Sampling, priority: Priority
    ) -> AsyncGenerator[Step, None]:
        """Prefill*, Piece*, End. Use with `contextlib.aclosing`; leaving it stops the model before its next step."""
        return self._model(role).stream(prompt, sampling, priority)

    async def read(self, role: ModelRole, prompt: Prompt, max_tokens: int) -> None:
        """Let a local model read a prompt in the background; does nothing to a remote one."""
        await self._model(role).read(prompt, max_tokens)

    @property
    def draft(self) -> Draft | None:
        """The draft of the chat model, whether it is used or not."""
        chat = self._roles["chat"]
        return chat.draft if isinstance(chat, _Local) else None

    async def load(self, role: ModelRole, *, asked: bool = True) -> None:
        """Load a local model now, if a person `asked` also one that is not loaded by itself any more; does nothing to a
        remote one.
        """
        await self._model(role).load(asked=asked)

    async def unload(self, role: ModelRole) -> None:
        """Give a local model's memory back; does nothing to a remote one."""
        await self._model(role).unload()

    async def check(self) -> None:
        """Ask the servers of remote models whether they are there; `states` says what came out."""
        await asyncio.gather(*(model.check() for model in self._roles.values() if model is not None))

    def states(self) -> tuple[ModelState, ...]:
        return tuple(
            ModelState(role, model.model_id, *model.state())
            if model is not None
            else ModelState(role, "", "none", _ADVICE[role])
            for role, model in self._roles.items()
        )

    def _model(self, role: ModelRole) -> Model:
        model = self._roles[role]
        if model is None:
            raise ModelUnavailable(_ADVICE[role])
        return model


def _folder(setting: str) -> Path:
    return Path(setting).expanduser().absolute()
