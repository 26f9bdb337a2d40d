"""A language model in this process, on MLX: any folder that mlx-lm can load.

Everything that touches the model happens in `steps` and `unload`, which one thread calls; MLX is imported and the model
loaded there on first use. Several `steps` may be under way at once on that thread and do not disturb each other.
"""

import gc
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from impetus.adapters import mlx_loader
from impetus.adapters.mlx_tokenizer import ModelTokenizer
from impetus.domain.fim import Text, fit, render
from impetus.domain.stops import StopFilter
from impetus.domain.types import (
    ChatPrompt,
    End,
    FinishReason,
    InfillPrompt,
    Piece,
    Prefill,
    Prompt,
    Sampling,
    Step,
    Usage,
)
from impetus.errors import BadRequest, ContextOverflow, ModelError

if TYPE_CHECKING:
    from impetus.adapters.mlx_prefixes import PrefixCache

#: Tokens read per step of a prompt: how long another request waits at most behind this one's prompt.
PREFILL_CHUNK = 256

#: So few tokens are read at once with the logits of each.
FEW_TOKENS = 4


class _Loaded:
    """The model with its caches; exists on the model thread only."""

    def __init__(self, model: Any, prefixes: "PrefixCache") -> None:
        self.model = model
        self.prefixes = prefixes


class MlxGenerator:
    """`name` is shown to people; the folder's name by default."""

    local: Final = True

    def __init__(self, folder: Path, *, name: str = "", cache_bytes: int = 1 << 30) -> None:
        self._folder = folder
        self._name = name or folder.name
        self._cache_bytes = cache_bytes
        self._reading = threading.Lock()  # config and tokenizer are read by whoever needs them first
        self._config: dict[str, Any] | None = None
        self._tokenizer: ModelTokenizer | None = None
        self._loaded: _Loaded | None = None
        self._failure = ""
        self.load_seconds = 0.0

    # -- what the port and the status ask ----------------------------------------------------------------------------

    @property
    def model_id(self) -> str:
        return self._name

    @property
    def context_length(self) -> int:
        return mlx_loader.context_length(self._read()[0])

    @property
    def state(self) -> str:
        if self._loaded is not None:
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

    def load(self) -> int:
        """Bytes of the weights."""
        import mlx.core as mx

        before = mx.get_active_memory()
        self._load()
        return int(mx.get_active_memory() - before)

    @property
    def cached_bytes(self) -> int:
        return self._loaded.prefixes.nbytes if self._loaded is not None else 0

    def trim(self, nbytes: int) -> None:
        if self.cached_bytes > nbytes and self._loaded is not None:
            self._loaded.prefixes.clear()

    def unload(self) -> None:
        """Give the memory back; the next `steps` loads again."""
        if self._loaded is None:
            return
        import mlx.core as mx

        self._loaded.prefixes.clear()
        self._loaded = None
        gc.collect()
        mx.clear_cache()

    # -- generation --------------------------------------------------------------------------------------------------

    def steps(self, prompt: Prompt, sampling: Sampling) -> Iterator[Step]:
        """Prefill*, Piece*, End. A closed iterator keeps what it has read of the prompt for the next request."""
        tokens, ends = self._encode(prompt, sampling)
        limit = self.context_length
        if len(tokens) >= limit:
            raise ContextOverflow(limit, len(tokens) + 1)
        loaded = self._load()
        return self._run(loaded, tokens, ends, sampling, min(sampling.max_tokens, limit - len(tokens)))

    def _run(
        self, loaded: _Loaded, tokens: list[int], ends: frozenset[int], sampling: Sampling, room: int
    ) -> Iterator[Step]:
        import mlx.core as mx

        from impetus.adapters.mlx_sampler import Sampler

        prefix = loaded.prefixes.take(loaded.model, tokens)
        cached = len(prefix.tokens)
        intact = True

        def feed(part: list[int], *, wanted: bool = True) -> Any:
            """Read `part` into the cache; the logits after its last token, computed only when `wanted`."""
            nonlocal intact
            intact = False
            logits = loaded.model(mx.array([part]), cache=prefix.layers)
            last = logits[:, -1, :] if wanted else None
            mx.eval(*([last] if wanted else []), [layer.state for layer in prefix.layers])
            prefix.tokens += part
            intact = True
            return last

        try:
            # Logits of a whole chunk would be thrown away, so the last few tokens are read by themselves.
            while (left := len(tokens) - len(prefix.tokens)) > FEW_TOKENS:
                done = len(prefix.tokens)
                feed(tokens[done : done + min(PREFILL_CHUNK, left - 1)], wanted=False)
                yield Prefill(len(prefix.tokens), len(tokens))
            logits = feed(tokens[len(prefix.tokens) :])
            yield Prefill(len(tokens), len(tokens))

            sampler = Sampler(sampling, tokens)
            decoder = self._read()[1].decoder()
            stops = StopFilter(sampling.stop)
            count, reason = 0, FinishReason.LENGTH
            while count < room:
                token = sampler.pick(logits)
                count += 1
                if token in ends:
                    reason = FinishReason.STOP
                    break
                text = stops.feed(decoder.add(token))
                if stops.stopped:
                    if text:
                        yield Piece(text, sampler.logprob)
                    reason = FinishReason.STOP
                    break
                yield Piece(text, sampler.logprob)
                if count < room:
                    logits = feed([token])
            rest = stops.finish()
            if rest:
                yield Piece(rest)
            yield End(reason, Usage(len(tokens), count, cached))
        except RuntimeError as error:  # MLX raises these for lack of memory and for kernels that fail
            intact = False
            raise ModelError(
                f"{self._name} failed while generating: {str(error).splitlines()[0]}; try again with a shorter question"
            ) from error
        finally:
            if intact:
                loaded.prefixes.put(prefix)

    def _encode(self, prompt: Prompt, sampling: Sampling) -> tuple[list[int], frozenset[int]]:
        """The prompt's tokens and those that end the answer."""
        _, tokenizer = self._read()
        match prompt:
            case ChatPrompt(messages):
                return tokenizer.encode_chat(messages), tokenizer.end_ids
            case InfillPrompt():
                if tokenizer.fim is None:
                    raise ModelError(
                        f"{self._name} was not trained to fill in code (its tokenizer has none of the known marks); "
                        "set completion.model to `bundled` or to a base model such as Qwen2.5-Coder"
                    )
                room = self.context_length - min(sampling.max_tokens, self.context_length // 4) - 16
                fitted = fit(prompt, room, lambda text: len(tokenizer.encode(text)))
                return tokenizer.encode_parts(render(tokenizer.fim, fitted)), tokenizer.fim_end_ids()
            case _:
                tokens = tokenizer.encode_parts([Text(prompt.text)])
                if not tokens:
                    raise BadRequest("The prompt is empty; send at least one character", parameter="prompt")
                return tokens, tokenizer.end_ids

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

    def _load(self) -> _Loaded:
        if self._loaded is None:
            began = time.perf_counter()
            try:
                model = mlx_loader.load_model(self._folder, self._read()[0])
            except ModelError as error:
                self._failure = str(error)
                raise
            from impetus.adapters.mlx_prefixes import PrefixCache

            self._loaded = _Loaded(model, PrefixCache(budget=self._cache_bytes))
            self._failure = ""
            self.load_seconds = time.perf_counter() - began
        return self._loaded


def clear_streams() -> None:
    """The model thread's last statement where it has used MLX: without it the process aborts at exit."""
    import sys

    if "mlx.core" in sys.modules:
        import mlx.core as mx

        mx.synchronize()
        mx.clear_streams()
