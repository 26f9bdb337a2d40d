"""Which models are in memory: loaded when they are needed, let go of when memory is. Knows no model runtime.

A model is loaded only if it fits beside the others, after letting go of those that nobody uses. Where memory gets
scarce later, caches shrink first. An encoder works in the background, so it takes only what is free.
"""

import logging
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from impetus.domain.ports import Embedder, HeldModel, TextModel
from impetus.errors import ImpetusError, InsufficientMemory, ModelError

log = logging.getLogger(__name__)

#: Memory is looked at so often, in seconds, and below so many available bytes caches shrink.
LOOK_S = 5.0
SCARCE_BYTES = 512 * 1024 * 1024

#: Share of the limit that caches of past prompts may take.
CACHE_SHARE = 1 / 8


@dataclass(frozen=True, slots=True)
class Machine:
    """What has to be known of memory, in bytes. `limit` is for all models together; `reclaim` gives back what the
    runtime keeps of what was let go of.
    """

    available: Callable[[], int]
    needed: Callable[[Path], int]
    limit: int
    reclaim: Callable[[], None] = lambda: None

    @property
    def caches(self) -> int:
        """The limit of the caches of past prompts of all models together."""
        return int(self.limit * CACHE_SHARE)


@dataclass(slots=True)
class Loaded:
    model: TextModel
    detail: str
    stepped: int = 0  # when it had its turn, counted in steps of the loop


@dataclass(slots=True)
class _Encoder:
    embedder: Embedder
    nbytes: int  # as estimated
    used: float


class Residency:
    """`changed` is told what is held after every change, `unloading` the name of a model that is about to go."""

    def __init__(
        self,
        load: Callable[[Path], TextModel],
        embedder: Callable[[str], Embedder],
        machine: Machine,
        changed: Callable[[dict[str, HeldModel]], None],
        unloading: Callable[[str], None],
        clock: Callable[[], float],
    ) -> None:
        self.models: OrderedDict[str, Loaded] = OrderedDict()  # least recently used first
        self._encoders: dict[str, _Encoder] = {}
        self._load = load
        self._embedder = embedder
        self._machine = machine
        self._changed = changed
        self._unloading = unloading
        self._clock = clock
        self._failures: dict[str, str] = {}
        self._looked = clock()

    def use(self, name: str) -> Loaded | None:
        """The model, where it is loaded, as the most recently used one."""
        if name in self.models:
            self.models.move_to_end(name)
        return self.models.get(name)

    def load(self, name: str, beside: str = "") -> Loaded:
        """Make room for it, but not by letting go of `beside`, and load it. Raises ModelError, InsufficientMemory."""
        began = self._clock()
        self._failures.pop(name, None)
        try:
            self._make_room(name, beside)
            self._changed(self.held() | {name: HeldModel("loading", f"loading from {name}")})
            model = self._load(Path(name))
        except Exception as error:
            if not isinstance(error, ImpetusError):
                log.exception("a model could not be loaded")
                error = unforeseen(error)
            self._failures[name] = str(error)
            self._changed(self.held())
            raise error
        detail = f"loaded in {self._clock() - began:.1f} s from {name}"
        self.models[name] = Loaded(model, detail)
        self._changed(self.held())
        return self.models[name]

    def encoder(self, name: str) -> Embedder:
        """To be asked for anew with each batch: between two it may have had to go. Raises InsufficientMemory."""
        if name not in self._encoders:
            needed = self._machine.needed(Path(name))
            if needed > self._room():
                raise self._too_large(name, needed, 0)
            self._encoders[name] = _Encoder(self._embedder(name), needed, self._clock())
        self._encoders[name].used = self._clock()
        return self._encoders[name].embedder

    def unload(self, name: str) -> None:
        self._failures.pop(name, None)
        if name in self.models:
            self._unloading(name)
            self.models.pop(name).model.close()
            self._changed(self.held())

    def held(self) -> dict[str, HeldModel]:
        """Every model that is loaded or failed to load."""
        failed = {name: HeldModel("failed", reason) for name, reason in self._failures.items()}
        return failed | {
            name: HeldModel("ready", loaded.detail, loaded.model.nbytes, loaded.model.counters)
            for name, loaded in self.models.items()
        }

    def watch(self) -> None:
        """Keep caches within their limit. Where memory is scarce, halve them; where there are none, let go of one that
        nobody uses, and see at the next look what that gave.
        """
        if self._clock() - self._looked < LOOK_S:
            return
        self._looked = self._clock()
        self._shrink(self._machine.caches)
        available, held = self._machine.available(), self._nbytes()
        if available >= SCARCE_BYTES and held <= self._machine.limit:
            return
        log.warning("%d MB of memory are left, and models hold %d MB", available // 1_000_000, held // 1_000_000)
        caches = self._caches()
        if caches:
            self._shrink(caches // 2)
        else:
            self._let_one_go()
        self._changed(self.held())

    def close(self) -> None:
        for loaded in self.models.values():
            loaded.model.close()
        self.models.clear()
        self._encoders.clear()

    def _make_room(self, name: str, beside: str) -> None:
        """Encoders go first, then models that nobody uses, then the caches of those that are in use."""
        needed = self._machine.needed(Path(name))
        idle = {other: held for other, held in self.models.items() if held.model.waiting() is None and other != beside}
        in_use = [held.model for other, held in self.models.items() if other not in idle]
        spare = sum(held.model.nbytes for held in idle.values()) + sum(model.cached for model in in_use)
        spare += sum(encoder.nbytes for encoder in self._encoders.values())
        if needed > self._room() + spare:
            raise self._too_large(name, needed, spare)
        if needed > self._room():
            self._encoders.clear()
            self._machine.reclaim()
        for other in idle:
            if needed <= self._room():
                return
            log.warning("%s makes room for %s", other, name)
            self.unload(other)
        missing = needed - self._room()
        if missing > 0:
            self._shrink(max(0, self._caches() - missing))

    def _too_large(self, name: str, needed: int, spare: int) -> InsufficientMemory:
        by_setting = self._machine.limit - self._nbytes() < self._machine.available()
        return InsufficientMemory(Path(name).name, needed, self._room() + spare, by_setting=by_setting)

    def _shrink(self, budget: int) -> None:
        """Trim caches to so many bytes together, those of the least recently used model first."""
        for loaded in self.models.values():
            surplus = self._caches() - budget
            if surplus <= 0:
                return
            loaded.model.trim(max(0, loaded.model.cached - surplus))

    def _let_one_go(self) -> None:
        """Of the encoders and models that nobody uses."""
        for name, encoder in self._encoders.items():
            if self._clock() - encoder.used > LOOK_S:
                del self._encoders[name]
                self._machine.reclaim()
                return
        for name, loaded in self.models.items():
            if loaded.model.waiting() is None:
                self.unload(name)
                return

    def _room(self) -> int:
        return min(self._machine.available(), self._machine.limit - self._nbytes())

    def _nbytes(self) -> int:
        models = sum(loaded.model.nbytes for loaded in self.models.values())
        return models + sum(encoder.nbytes for encoder in self._encoders.values())

    def _caches(self) -> int:
        return sum(loaded.model.cached for loaded in self.models.values())


def unforeseen(error: Exception) -> ModelError:
    reason = (str(error) or type(error).__name__).splitlines()[0][:200]
    return ModelError(f"The model failed for a reason Impetus did not foresee: {reason}; the log says where")
