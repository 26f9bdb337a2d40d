"""Where a session comes from: an engine shared by all, or one of its own made from the editor's settings."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from impetus import config
from impetus.config import Settings
from impetus.errors import BadRequest

if TYPE_CHECKING:
    from impetus.services.engine import Engine
    from impetus.services.session import Session

EngineFactory = Callable[[Settings, Sequence[str]], Awaitable["Engine"]]
SessionFactory = Callable[["Engine", Settings], "Session"]


class EngineHost(Protocol):
    async def engine(self, editor: Mapping[str, Any]) -> tuple["Engine", Settings, list[str]]:
        """The engine for these settings of the editor, which may be the same as before; the settings of the session,
        and what is wrong with those of the editor."""
        ...

    def session(self, engine: "Engine", settings: Settings) -> "Session": ...


def session_of(engine: "Engine", settings: Settings) -> "Session":
    from impetus.services.session import Session  # it loads what `initialize` has no time for

    return Session(engine, settings)


def session_over_all(engine: "Engine") -> "Session":
    """With the engine's own settings, over the folders of every client."""
    from impetus.services.session import Session

    return Session(engine, sees_all=True)


class SharedEngine:
    """An engine that several editors use. Each has settings of its own, but for what only the engine can have."""

    def __init__(
        self,
        engine: Callable[[], Awaitable["Engine"]],
        environment: Mapping[str, str],
        session: SessionFactory = session_of,
    ) -> None:
        """`environment` is the editor's, which may differ from that of the process."""
        self._engine = engine
        self._environment = config.environment_layer(environment)
        self.session = session

    async def engine(self, editor: Mapping[str, Any]) -> tuple["Engine", Settings, list[str]]:
        engine = await self._engine()
        problems: list[str] = []
        layers = (config.file_layer(config.home()), self._environment, editor)
        for layer in layers[1:]:
            problems += _only_for_the_engine(layer, engine.settings)
        settings, more = config.resolve(*map(_without_engine, layers))
        shared = {section: getattr(engine.settings, section) for section in config.ENGINE_SECTIONS}
        return engine, settings.model_copy(update=shared), problems + more


def _without_engine(layer: Mapping[str, Any]) -> dict[str, Any]:
    return {section: values for section, values in layer.items() if section not in config.ENGINE_SECTIONS}


def _only_for_the_engine(layer: Mapping[str, Any], engine: Settings) -> list[str]:
    """A problem for each setting that a session cannot have for itself and that the engine has otherwise."""
    return [
        f"Setting '{section}.{key}' belongs to the engine that all windows share; put it into "
        f"{config.home() / 'settings.toml'} and run `impetus stop`: the next window starts the engine with it"
        for section in sorted(config.ENGINE_SECTIONS & layer.keys())
        if isinstance(layer[section], Mapping)
        for key, value in layer[section].items()
        if _differs(engine, section, key, value)
    ]


def _differs(engine: Settings, section: str, key: str, value: Any) -> bool:
    try:
        asked, _problems = config.resolve({section: {key: value}})
    except BadRequest:
        return True
    return bool(getattr(getattr(asked, section), key, None) != getattr(getattr(engine, section), key, None))


class OwnEngine:
    """An engine for one editor, made anew when the editor's settings change."""

    def __init__(self, create: EngineFactory, session: SessionFactory = session_of) -> None:
        self._create = create
        self.session = session
        self._engine: Engine | None = None
        self._settings: Settings | None = None

    async def engine(self, editor: Mapping[str, Any]) -> tuple["Engine", Settings, list[str]]:
        settings, problems = config.load(editor)
        if self._engine is None or settings != self._settings:
            await self.close()
            _without_editor, lasting = config.load()
            self._engine = await self._create(settings, lasting)
            self._settings = settings
        return self._engine, settings, problems

    async def close(self) -> None:
        engine, self._engine = self._engine, None
        if engine is not None:
            await engine.close()
