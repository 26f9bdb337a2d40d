"""A workspace opened for one command: an engine in this process, the index brought up to date with its progress shown.

A folder that was never indexed is indexed; one that was costs a quick look for changes.
"""

import logging
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from impetus import config
from impetus.cli.output import Output
from impetus.cli.runtime import Runtime
from impetus.domain.types import EngineStatus, IndexProgress
from impetus.errors import IndexFailed

if TYPE_CHECKING:
    from impetus.services.session import Session

#: A command reads the disk once; nobody saves files under it.
ONCE = {"index": {"watch": False, "enable": True}}

#: Neither reads nor changes the index.
UNINDEXED = {"index": {"watch": False, "enable": False}}


@asynccontextmanager
async def engine_session(runtime: Runtime, overrides: Mapping[str, Any], out: Output) -> "AsyncIterator[Session]":
    """A session with no folder open. Problems of the settings are told, the log goes to standard error."""
    settings, problems = config.load(overrides)
    logging.basicConfig(
        level=settings.log.level.upper(), stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s"
    )
    for problem in problems:
        out.note(f"impetus: {problem}")
    session = await runtime.open_session(settings, problems)
    try:
        yield session
    finally:
        await session.close()
        await session.engine.close()


@asynccontextmanager
async def workspace(runtime: Runtime, root: Path, out: Output) -> "AsyncIterator[Session]":
    """A session with `root` open and its index up to date. Raises IndexFailed when there is no usable index."""
    async with engine_session(runtime, ONCE, out) as session:
        await bring_up_to_date(session, root, out)
        yield session


async def bring_up_to_date(session: "Session", root: Path, out: Output, *, full: bool = False) -> None:
    """Open `root` and wait for its index; with `full`, forget what is known of it first."""
    with progress(session, root, out):
        await session.open_root(root)
        await session.indexed()
        if full:
            await session.reindex([root], full=True)
            await session.indexed()
    index = state(session.status(), root)
    if index is not None and index.phase == "failed":
        reason = index.problems[0].message if index.problems else "its log says why"
        raise IndexFailed(f"{root} could not be indexed: {reason}")
    if index is not None and index.phase == "shared":
        out.note(f"impetus: {index.problems[0].message}")


def state(status: EngineStatus, root: Path) -> IndexProgress | None:
    return next((index for index in status.indexes if index.root == root), None)


@contextmanager
def progress(session: "Session", root: Path, out: Output) -> Iterator[None]:
    """A bar on standard error while the index works: how far, how fast, what failed. Only on a terminal."""
    if not sys.stderr.isatty():
        yield
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=out.errors, transient=True) as bars:
        task = bars.add_task("scanning", total=None, rate="")

        def show(status: EngineStatus) -> None:
            index = state(status, root)
            if index is not None:
                rate = f"{index.rate:,.0f} files/s" if index.rate else ""
                failed = f"  {index.failed} failed" if index.failed else ""
                # While it scans, the counts are those of the time before.
                counted = index.total if index.phase != "scanning" else 0
                bars.update(
                    task,
                    description=index.phase,
                    completed=index.done if counted else 0,
                    total=counted or None,
                    rate=rate + failed,
                )

        unsubscribe = session.engine.subscribe(show)
        try:
            yield
        finally:
            unsubscribe()
