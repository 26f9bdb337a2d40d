"""A `TextModel` behind the port `Generator`, until the model worker takes its place.

Everything that touches the model happens in `steps` and `unload`, which one thread calls; the model is loaded there on
first use. Several `steps` may be under way at once on that thread.
"""

import itertools
import threading
import time
from collections import defaultdict, deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from impetus.adapters import mlx_loader
from impetus.adapters.mlx_model import PREFIX_BYTES, clear_streams, load_model
from impetus.adapters.mlx_tokenizer import ModelTokenizer
from impetus.domain.ports import TextModel
from impetus.domain.types import End, InfillPrompt, Priority, Prompt, Sampling, Step
from impetus.errors import ModelError

__all__ = ["MlxGenerator", "clear_streams"]


class MlxGenerator:
    """`name` is shown to people; the folder's name by default."""

    local: Final = True

    def __init__(self, folder: Path, *, name: str = "", cache_bytes: int = PREFIX_BYTES) -> None:
        self._folder = folder
        self._name = name or folder.name
        self._cache_bytes = cache_bytes
        self._reading = threading.Lock()  # config and tokenizer are read by whoever needs them first
        self._config: dict[str, Any] | None = None
        self._tokenizer: ModelTokenizer | None = None
        self._model: TextModel | None = None
        self._failure = ""
        self._numbers = itertools.count()
        self._waiting: defaultdict[int, deque[Step | ModelError]] = defaultdict(deque)
        self.load_seconds = 0.0

    @property
    def model_id(self) -> str:
        return self._name

    @property
    def context_length(self) -> int:
        return mlx_loader.context_length(self._read()[0])

    @property
    def state(self) -> str:
        if self._model is not None:
            return "ready"
        if not self._folder.is_dir():
            return "missing"
        return "failed" if self._failure else "not loaded"

    @property
    def detail(self) -> str:
        match self.state:
            case "ready":
                return f"loaded in {self.load_seconds:.1f} s from {self._folder}"
            case "missing":
                return f"There is no model folder at {self._folder}; set the right path or fetch the model again"
            case "failed":
                return self._failure
        return f"{self._folder}; loads on first use"

    def count_tokens(self, text: str) -> int:
        return len(self._read()[1].encode(text))

    def unload(self) -> None:
        """Give the memory back; the next `steps` loads again."""
        if self._model is not None:
            self._model.close()
            self._model = None

    def steps(self, prompt: Prompt, sampling: Sampling) -> Iterator[Step]:
        """Prefill*, Piece*, End. A closed iterator keeps what it has read of the prompt for the next request."""
        model = self._load()
        number = next(self._numbers)
        priority = Priority.TYPING if isinstance(prompt, InfillPrompt) else Priority.CHAT
        model.start(number, prompt, sampling, priority)
        try:
            while True:
                while not self._waiting[number]:
                    self._advance(model, priority)
                step = self._waiting[number].popleft()
                if isinstance(step, ModelError):
                    raise step
                yield step
                if isinstance(step, End):
                    return
        finally:
            model.cancel(number)
            self._waiting.pop(number, None)

    def _advance(self, model: TextModel, priority: Priority) -> None:
        try:
            for number, step in model.step(priority):
                self._waiting[number].append(step)
        except ModelError as error:
            for number in error.numbers:
                self._waiting[number].append(error)

    def _read(self) -> tuple[dict[str, Any], ModelTokenizer]:
        """Configuration and tokenizer, read once."""
        with self._reading:
            if self._config is None or self._tokenizer is None:
                try:
                    self._config = mlx_loader.read_config(self._folder)
                    self._tokenizer = ModelTokenizer(self._folder, self._config)
                except ModelError as error:
                    self._failure = str(error)
                    raise
            return self._config, self._tokenizer

    def _load(self) -> TextModel:
        if self._model is None:
            began = time.perf_counter()
            try:
                self._model = load_model(self._folder, prefix_bytes=self._cache_bytes)
            except ModelError as error:
                self._failure = str(error)
                raise
            self._failure = ""
            self.load_seconds = time.perf_counter() - began
        return self._model
