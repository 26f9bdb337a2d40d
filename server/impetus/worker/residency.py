"""Which models are in memory: loaded when they are needed, let go of when memory is. Knows no model runtime.

A model is loaded only if it fits beside the others, after letting go of those that nobody uses. Where memory gets
scarce later, caches shrink first.
"""

import logging
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from impetus.domain.ports import HeldModel, TextModel
from impetus.errors import ImpetusError, InsufficientMemory, ModelError

log = logging.getLogger(__name__)

#: Memory is looked at so often, in seconds, and below so many available bytes caches shrink.
LOOK_S = 5.0
SCARCE_BYTES = 512 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Machine:
    """What has to be known of memory, in bytes. `limit` is for all models together."""

    available: Callable[[], int]
    needed: Callable[[Path], int]
    limit: int


@dataclass(slots=True)
class Loaded:
    model: TextModel
    weights: int
    detail: str
    stepped: int = 0  # when it had its turn, counted in steps of the loop


class Residency:
    """`changed` is told what is held after every change, `unloading` the name of a model that is about to go."""

    def __init__(
        self,
        load: Callable[[Path], TextModel],
        machine: Machine,
        changed: Callable[[dict[str, HeldModel]], None],
        unloading: Callable[[str], None],
        clock: Callable[[], float],
    ) -> None:
        self.models: OrderedDict[str, Loaded] = OrderedDict()  # least recently used first
        self._load = load
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
        self.models[name] = Loaded(model, model.nbytes, detail)
        self._changed(self.held())
        return self.models[name]

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
        """Where memory is scarce, halve the caches; where that gave nothing, let go of what nobody uses."""
        if self._clock() - self._looked < LOOK_S:
            return
        self._looked = self._clock()
        available = self._machine.available()
        if available >= SCARCE_BYTES:
            return
        log.warning("%d MB of memory are left; caches shrink", available // 1_000_000)
        for name, loaded in list(self.models.items()):
            caches = loaded.model.nbytes - loaded.weights
            if caches > 0:
                loaded.model.trim(caches // 2)
            elif loaded.model.waiting() is None:
                self.unload(name)
        self._changed(self.held())

    def close(self) -> None:
        for loaded in self.models.values():
            loaded.model.close()
        self.models.clear()

    def _make_room(self, name: str, beside: str) -> None:
        needed = self._machine.needed(Path(name))
        idle = {other: held for other, held in self.models.items() if held.model.waiting() is None and other != beside}
        most = self._room() + sum(held.model.nbytes for held in idle.values())
        if needed > most:
            raise InsufficientMemory(Path(name).name, needed, most)
        for other in idle:
            if needed <= self._room():
                return
            log.warning("%s makes room for %s", other, name)
            self.unload(other)

    def _room(self) -> int:
        held = sum(loaded.model.nbytes for loaded in self.models.values())
        return min(self._machine.available(), self._machine.limit - held)


def unforeseen(error: Exception) -> ModelError:
    reason = (str(error) or type(error).__name__).splitlines()[0][:200]
    return ModelError(f"The model failed for a reason Impetus did not foresee: {reason}; the log says where")
