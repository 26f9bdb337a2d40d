"""Where a session comes from: an engine shared by all, or one of its own made from the editor's settings."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from impetus import config

if TYPE_CHECKING:
    from impetus.services.engine import Engine
    from impetus.services.session import Session

EngineFactory = Callable[[config.Settings, Sequence[str]], Awaitable["Engine"]]
SessionFactory = Callable[["Engine"], "Session"]


class EngineHost(Protocol):
    async def engine(self, editor: Mapping[str, Any]) -> tuple["Engine", list[str]]:
        """The engine for these settings of the editor, and what is wrong with them. May be the same as before."""
        ...

    def session(self, engine: "Engine") -> "Session": ...


def session_of(engine: "Engine") -> "Session":
    from impetus.services.session import Session  # it loads what `initialize` has no time for

    return Session(engine)


class SharedEngine:
    """An engine that several editors use: it keeps the settings it was started with."""

    def __init__(self, engine: "Engine", session: SessionFactory = session_of) -> None:
        self._engine = engine
        self.session = session

    async def engine(self, editor: Mapping[str, Any]) -> tuple["Engine", list[str]]:
        _settings, problems = config.resolve(editor)
        return self._engine, problems


class OwnEngine:
    """An engine for one editor, made anew when the editor's settings change."""

    def __init__(self, create: EngineFactory, session: SessionFactory = session_of) -> None:
        self._create = create
        self.session = session
        self._engine: Engine | None = None
        self._settings: config.Settings | None = None

    async def engine(self, editor: Mapping[str, Any]) -> tuple["Engine", list[str]]:
        settings, problems = config.load(editor)
        if self._engine is None or settings != self._settings:
            await self.close()
            _without_editor, lasting = config.load()
            self._engine = await self._create(settings, lasting)
            self._settings = settings
        return self._engine, problems

    async def close(self) -> None:
        engine, self._engine = self._engine, None
        if engine is not None:
            await engine.close()
