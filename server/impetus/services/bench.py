"""What `impetus bench` measures on a person's own machine, and which of the project's targets it meets there.

Every figure says under which conditions it was taken. What cannot be measured is listed with the reason.
"""

import asyncio
import secrets
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Literal

from impetus.domain.hardware import Hardware
from impetus.domain.ports import Embedder
from impetus.domain.types import End, Piece, Priority, Sampling, TextPrompt
from impetus.errors import ImpetusError
from impetus.services.dispatcher import BackendState
from impetus.services.engine import Engine
from impetus.services.models import ModelRole, SessionModels
from impetus.services.session import Session

#: Tokens of a text for an embedding model, those of the Neural Engine's functions.
LENGTHS = (64, 128, 256, 512)
#: Tokens left in such a text for the model's own marks and for a prefix.
_SPARE = 10
#: How often each is timed; the median counts.
_TEXTS, _ANSWERS = 10, 3
ANSWER_TOKENS = 128
#: About a hundred tokens of code in every model's eyes.
CODE = (
    "def total(prices, rate):\n    # the sum with tax\n    return sum(price * (1 + rate) for price in prices)\n\n" * 3
)
#: Bytes of a model of 7 billion parameters at 4 bits, which the targets are about.
_SEVEN_BILLION = (3_500_000_000, 5_500_000_000)


@dataclass(frozen=True, slots=True)
class Figure:
    """`subject` is a model or a backend; `kind` names what targets are about."""

    kind: Literal[
        "first token",
        "tokens per second",
        "gain of the draft",
        "model load",
        "model memory",
        "embedding",
        "index",
        "engine memory",
    ]
    subject: str
    value: float
    unit: str
    conditions: str = ""


@dataclass(frozen=True, slots=True)
class Target:
    """A figure that the project wants on a Mac: at most `limit`, or at least with `least`."""

    name: str
    limit: float
    unit: str
    least: bool = False
    figure: Figure | None = None  # None: not measured

    @property
    def met(self) -> bool | None:
        if self.figure is None:
            return None
        return self.figure.value >= self.limit if self.least else self.figure.value <= self.limit


@dataclass(slots=True)
class Report:
    figures: list[Figure] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)  # what was not measured, and why
    backends: tuple[BackendState, ...] = ()  # of the neural embedder, after the canary


#: Told what is measured now.
Say = Callable[[str], None]


async def language_model(report: Report, session: Session, role: ModelRole, say: Say) -> None:
    """Load, first token, speed and memory of the model that the session's settings give a role."""
    models = session.models
    if not models.has(role):
        report.missing.append(f"{role} model: none is configured")
        return
    name = models.model_id(role)
    try:
        say(f"loading {name}")
        await models.unload(role)
        began = time.perf_counter()
        await models.load(role)
        loaded = time.perf_counter() - began
        memory = session.engine.models.memory().get(name)
        if memory is not None:
            report.figures.append(Figure("model load", name, loaded, "s", "from the system's file cache or the disk"))
        say(f"{name} writes")
        await _answers(report, models, role, name)
        if memory is not None:
            report.figures.append(Figure("model memory", name, memory / 1e6, "MB", "weights"))
    except ImpetusError as error:
        report.missing.append(f"{name}: {error}")


async def _answers(report: Report, models: SessionModels, role: ModelRole, name: str) -> None:
    first, speeds, read, wrote = [], [], 0, 0
    for number in range(_ANSWERS + 1):
        # Each prompt begins otherwise, so that nothing of it was read before.
        prompt = TextPrompt(f"# {number} {secrets.token_hex(8)}\n{CODE}")
        sampling = Sampling(max_tokens=ANSWER_TOKENS, temperature=0.0)
        began = time.perf_counter()
        at: float | None = None
        async with aclosing(models.stream(role, prompt, sampling, Priority.TYPING)) as steps:
            async for step in steps:
                if isinstance(step, Piece) and at is None:
                    at = time.perf_counter()
                if isinstance(step, End):
                    read, wrote = step.usage.prompt_tokens, step.usage.completion_tokens
        if number == 0 or at is None:
            continue  # the first one also warms the model up
        first.append(at - began)
        if wrote > 1:
            speeds.append((wrote - 1) / (time.perf_counter() - at))
    if first:
        conditions = f"{read} tokens read, median of {len(first)}"
        report.figures.append(Figure("first token", name, 1000 * statistics.median(first), "ms", conditions))
    else:
        report.missing.append(f"{name}: it ends its answers at once")
    if speeds:
        conditions = f"{wrote} tokens written, median of {len(speeds)}"
        report.figures.append(Figure("tokens per second", name, statistics.median(speeds), "tok/s", conditions))


async def embedders(report: Report, found: Mapping[str, Embedder], say: Say) -> None:
    """Time of one text, by backend and length."""
    for backend, embedder in found.items():
        say(f"embedding on the {backend}")
        try:
            for length in LENGTHS:
                seconds = await asyncio.to_thread(_time_texts, embedder, "x " * (length - _SPARE))
                subject = f"{embedder.id} on the {backend}"
                conditions = f"{length} tokens or the model's most, median of {_TEXTS}"
                report.figures.append(Figure("embedding", subject, 1000 * seconds, "ms", conditions))
        except ImpetusError as error:
            report.missing.append(f"embedding on the {backend}: {error}")


async def canary(report: Report, engine: Engine, say: Say) -> None:
    """What the backends of the neural embedder do with the canary, as far as it was not known."""
    say("comparing backends with the reference")
    try:
        report.backends = await engine.try_embedding_backends()
    except ImpetusError as error:
        report.missing.append(f"neural embeddings: {error}")
        return
    if not report.backends:
        report.missing.append("neural embeddings: embedding.model names no folder of a model")


def _time_texts(embedder: Embedder, text: str) -> float:
    numbers = count()
    embedder.embed([text])  # loads it
    took = []
    for _ in range(_TEXTS):
        began = time.perf_counter()
        embedder.embed([f"{text}{next(numbers)}"])
        took.append(time.perf_counter() - began)
    return statistics.median(took)


async def index(report: Report, session: Session, root: Path, say: Say) -> None:
    """How fast a folder that was never seen is indexed; `session` has a home of its own."""
    say("indexing a sample")
    began = time.perf_counter()
    await session.open_root(root)
    await session.indexed()
    took = time.perf_counter() - began
    counts = await session.counts(root)
    conditions = f"{counts.files} files, {counts.chunks} chunks: Impetus' own sources"
    report.figures.append(Figure("index", "index", counts.files / took, "files/s", conditions))


def targets(figures: Sequence[Figure], hardware: Hardware) -> tuple[Target, ...]:
    """Those of the project, on a Mac; nothing elsewhere."""
    if not hardware.family:
        return ()
    large = {
        figure.subject
        for figure in figures
        if figure.kind == "model memory" and _SEVEN_BILLION[0] <= figure.value * 1e6 <= _SEVEN_BILLION[1]
    }

    def of(kind: str, *, seven_billion: bool = False, containing: str = "", conditions: str = "") -> Figure | None:
        return next(
            (
                figure
                for figure in figures
                if figure.kind == kind
                and (not seven_billion or figure.subject in large)
                and containing in figure.subject
                and figure.conditions.startswith(conditions)
            ),
            None,
        )

    return (
        Target(
            "embedding of 128 tokens on the Neural Engine",
            5,
            "ms",
            figure=of("embedding", containing="Neural Engine", conditions="128 tokens"),
        ),
        Target("first token of a 7B model after 100 tokens", 500, "ms", figure=of("first token", seven_billion=True)),
        Target(
            "speed of a 7B model at 4 bits, asked of an M1",
            50,
            "tok/s",
            least=True,
            figure=of("tokens per second", seven_billion=True),
        ),
        Target("load of a 7B model at 4 bits", 5, "s", figure=of("model load", seven_billion=True)),
        Target("memory of the engine without a model", 500, "MB", figure=of("engine memory")),
    )
