"""Changes on disk, from watchfiles: one thread for each watch, batches of paths on the event loop.

Deliberately knows no ignore rules (`Disk.admits` does) but for the inside of version control folders, of which only
`.git/HEAD` is of interest. A folder that appears, moves or goes is reported as itself; the receiver expands it.
"""

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Callable, Generator, Sequence
from pathlib import Path

import watchfiles

from impetus.adapters.rules import VERSION_CONTROL
from impetus.domain.types import Problem

logger = logging.getLogger(__name__)

_GROUP_MS = 200  # a batch is held back so long at most
_STEP_MS = 50  # how often the thread looks for changes and for the order to stop
_READY_MS = 60  # a quiet moment this long proves that watching has begun
_POLL_MS = 2000  # without notifications: every file's time is looked at this often

_Watch = Callable[..., Generator[set[watchfiles.main.FileChange], None, None]]


class WatchfilesWatcher:
    """`Watcher` and `ProblemSource`. The first batch is empty: whatever changes after it is seen.

    `watch` is the function of that name in watchfiles, or one with its signature.
    """

    def __init__(self, *, watch: _Watch = watchfiles.watch) -> None:
        self._watch = watch
        self._problems: dict[tuple[Path, ...], dict[str, Problem]] = {}  # of each watch, by subject

    async def watch(self, roots: Sequence[Path]) -> AsyncIterator[set[Path]]:
        """Watch until the iterator is closed or the task that waits for it is canceled."""
        key = tuple(roots)
        problems = self._problems[key] = {}
        feed = _Feed(asyncio.get_running_loop(), problems)
        thread = threading.Thread(target=self._run, args=(list(roots), feed), name="impetus-watcher", daemon=True)
        thread.start()
        try:
            while (batch := await feed.next()) is not None:
                yield batch
        except (GeneratorExit, asyncio.CancelledError):
            if self._problems.get(key) is problems:  # nobody watches these any more
                del self._problems[key]
            raise
        finally:
            feed.stop.set()
            await feed.stopped()
            thread.join()  # it has said its last word

    def problems(self) -> tuple[Problem, ...]:
        """Roots that are not watched, and watching that is slow."""
        return tuple(dict.fromkeys(each for problems in self._problems.values() for each in problems.values()))

    # -- on the thread -----------------------------------------------------------------------------------------------

    def _run(self, roots: list[Path], feed: "_Feed") -> None:
        try:
            present = [root for root in roots if root.is_dir()]
            for root in roots:
                if root not in present:
                    feed.report(str(root), "is not there and is not watched; bring it back and reload the window")
            if present:
                self._watch_roots(present, feed)
        finally:
            feed.finish()

    def _watch_roots(self, roots: list[Path], feed: "_Feed") -> None:
        try:
            try:
                self._follow(roots, feed, polling=False)
            except PermissionError:
                # Asked to pass over closed folders watchfiles also passes over the limits of the system, so it is
                # asked only where there is such a folder.
                self._follow(roots, feed, polling=False, closed_folders=True)
        except (OSError, RuntimeError) as error:  # the limit of inotify comes as either
            logger.warning("file notifications failed, falling back to polling: %s", error)
            feed.report(
                "watching",
                f"Changes are noticed every {_POLL_MS // 1000} seconds only, because the system refused notifications "
                f"({error}); raise fs.inotify.max_user_watches and max_user_instances, or leave large folders out",
            )
            try:
                self._follow(roots, feed, polling=True, closed_folders=True)
            except (OSError, RuntimeError) as second:
                logger.warning("polling failed: %s", second)
                feed.report("watching", f"Changes outside the editor are not noticed: {second}; reindex to see them")

    def _follow(self, roots: list[Path], feed: "_Feed", *, polling: bool, closed_folders: bool = False) -> None:
        changes = self._watch(
            *roots,
            watch_filter=None,
            debounce=_GROUP_MS,
            step=_STEP_MS,
            stop_event=feed.stop,
            rust_timeout=_READY_MS,
            yield_on_timeout=True,
            raise_interrupt=False,
            force_polling=polling or None,  # None leaves the choice to watchfiles (WSL needs polling)
            poll_delay_ms=_POLL_MS,
            ignore_permission_denied=closed_folders,
        )
        places = [(root, root.resolve()) for root in roots]
        for batch in changes:
            feed.begin()
            paths = {path for _, name in batch if (path := _of_interest(Path(name), places)) is not None}
            if paths:
                feed.put(paths)


class _Feed:
    """Hands paths from the thread to the loop. Waiting batches merge, so that a slow reader costs no memory."""

    def __init__(self, loop: asyncio.AbstractEventLoop, problems: dict[str, Problem]) -> None:
        self.stop = threading.Event()
        self._loop = loop
        self._problems = problems
        self._waiting: set[Path] | None = None
        self._has_begun = False
        self._is_announced = False
        self._wake = asyncio.Event()
        self._finished = asyncio.Event()

    async def next(self) -> set[Path] | None:
        """The next batch, an empty one first; None after the last one."""
        while True:
            if self._has_begun and not self._is_announced:
                self._is_announced = True
                return set()
            if self._waiting is not None or self._finished.is_set():
                break
            self._wake.clear()
            await self._wake.wait()
        batch, self._waiting = self._waiting, None
        return batch

    async def stopped(self) -> None:
        await self._finished.wait()

    def begin(self) -> None:
        """From the thread: watching has begun. May be said again."""
        if not self._has_begun:
            self._call(self._begin)

    def put(self, paths: set[Path]) -> None:
        """From the thread."""
        self._call(self._put, paths)

    def report(self, subject: str, message: str) -> None:
        """From the thread."""
        self._call(self._problems.__setitem__, subject, Problem(subject, message))

    def finish(self) -> None:
        """From the thread, as its last act."""
        self._call(self._finish)

    def _begin(self) -> None:
        self._has_begun = True
        self._wake.set()

    def _put(self, paths: set[Path]) -> None:
        self._waiting = paths if self._waiting is None else self._waiting | paths
        self._wake.set()

    def _finish(self) -> None:
        self._finished.set()
        self._wake.set()

    def _call(self, function: Callable[..., None], *arguments: object) -> None:
        try:
            self._loop.call_soon_threadsafe(function, *arguments)
        except RuntimeError:  # the loop is closed: nobody listens any more
            self.stop.set()


def _of_interest(path: Path, places: Sequence[tuple[Path, Path]]) -> Path | None:
    """The path below the root as the caller named it (macOS reports real paths), or None for what is nobody's source.

    `places` are the roots, each with its real path.
    """
    for root, real in places:
        for start in (root, real):
            if path.is_relative_to(start):
                inside = path.relative_to(start)
                hidden = next((index for index, part in enumerate(inside.parts) if part in VERSION_CONTROL), None)
                if hidden is None or inside.parts[hidden:] in ((".git",), (".git", "HEAD")):
                    return root / inside
                return None
    return None
