"""`TextModel` on MLX: prompts become token sequences, and each priority's sequences run in a lane of their own.

Everything happens on the thread that loaded the network: MLX's streams belong to threads.
"""

import gc
from collections.abc import Sequence as Steps
from typing import Any

import mlx.core as mx
from mlx.utils import tree_flatten

from impetus.adapters.mlx_draft import Draft, SmallModel
from impetus.adapters.mlx_grammar import Grammar, Grammars
from impetus.adapters.mlx_lane import PREFILL_CHUNK, Lane, Shared
from impetus.adapters.mlx_prefixes import PrefixCache
from impetus.adapters.mlx_sampler import Sampler
from impetus.adapters.mlx_sequence import Sequence
from impetus.adapters.mlx_tokenizer import ModelTokenizer
from impetus.domain import tool_choice
from impetus.domain.answer_parts import AnswerForm
from impetus.domain.fim import Text, fit, render
from impetus.domain.ports import Counters, TextModel
from impetus.domain.types import ChatPrompt, InfillPrompt, JsonSchema, Priority, Prompt, Sampling, Step
from impetus.errors import BadRequest, ContextOverflow, ModelError

#: Tokens of the context left free beside a completion's prompt and answer.
SPARE_TOKENS = 16

#: Tokens read in one step while nobody waits: a key may come in the middle of it. A processor takes 60 ms for them, and
#: for twice as many 110.
BACKGROUND_CHUNK = 32


class MlxTextModel:
    """`network` is mlx-lm's model; `context_length` counts tokens; `prefix_bytes` bounds the caches of past prompts."""

    def __init__(
        self, network: Any, tokenizer: ModelTokenizer, context_length: int, name: str, prefix_bytes: int
    ) -> None:
        self._name = name
        self._tokenizer = tokenizer
        self._grammars: dict[frozenset[int], Grammars] = {}  # by the tokens that end an answer
        self._prefixes = PrefixCache(prefix_bytes)
        self._weights = sum(int(array.nbytes) for _, array in tree_flatten(network.parameters()))
        self.context_length = context_length
        self.counters = Counters()
        self._as_draft = SmallModel(network, self._prefixes, context_length, tokenizer.size)
        shared = Shared(network, self._prefixes, self.counters)
        # Who types comes back for a cache within the next keystroke; a conversation may go on in several ways at once.
        self._lanes = {
            priority: Lane(
                shared,
                moves=priority is Priority.TYPING,
                chunk=BACKGROUND_CHUNK if priority is Priority.INDEX else PREFILL_CHUNK,
            )
            for priority in Priority
        }

    @property
    def nbytes(self) -> int:
        return self._weights + self._prefixes.nbytes + sum(lane.nbytes for lane in self._lanes.values())

    @property
    def cached(self) -> int:
        return self._prefixes.nbytes

    def start(
        self, number: int, prompt: Prompt, sampling: Sampling, priority: Priority, draft: TextModel | None = None
    ) -> None:
        guessing = self._draft(draft) if draft is not None else None
        tokens, ends, form = self._encode(prompt, sampling)
        if len(tokens) >= self.context_length:
            raise ContextOverflow(self.context_length, len(tokens) + 1)
        room = max(1, min(sampling.max_tokens, self.context_length - len(tokens)))
        sampler = Sampler(sampling, tokens, self._grammar(_demanded(prompt) or sampling.grammar, ends))
        sequence = Sequence(number, tokens, sampling, sampler, self._tokenizer, ends, room, form, guessing)
        self._lanes[priority].add(sequence)

    def waiting(self) -> Priority | None:
        return min((priority for priority, lane in self._lanes.items() if lane.busy), default=None)

    def step(self, priority: Priority) -> Steps[tuple[int, Step]]:
        return self._lanes[priority].step()

    def cancel(self, number: int) -> None:
        for lane in self._lanes.values():
            lane.cancel(number)

    def trim(self, nbytes: int) -> None:
        self._prefixes.shrink(nbytes)
        mx.clear_cache()

    def close(self) -> None:
        self._lanes.clear()
        self._as_draft.network = None  # sequences of others may still hold it
        self._prefixes.shrink(0)
        gc.collect()
        mx.clear_cache()

    def _draft(self, model: TextModel) -> Draft:
        assert isinstance(model, MlxTextModel)  # a process has one runtime
        if model._tokenizer.fingerprint != self._tokenizer.fingerprint:
            raise BadRequest(
                f"{model._name} cannot draft for {self._name}, because its tokens are others; set chat.draft_model to "
                "a small model of the same family, or to nothing",
                parameter="chat.draft_model",
            )
        return Draft(model._as_draft)

    def _grammar(self, schema: JsonSchema | None, ends: frozenset[int]) -> Grammar | None:
        if schema is None:
            return None
        if ends not in self._grammars:
            self._grammars[ends] = Grammars(self._tokenizer.to_json(), ends)
        return self._grammars[ends].start(schema)

    def _encode(self, prompt: Prompt, sampling: Sampling) -> tuple[list[int], frozenset[int], AnswerForm]:
        """The prompt's tokens, those that end the answer, and its form."""
        tokenizer = self._tokenizer
        match prompt:
            case ChatPrompt(tool_use=use):
                if use is not None and use.choice == "auto" and sampling.grammar is not None:
                    raise BadRequest(
                        "An answer that is kept to JSON cannot call tools; leave response_format or tools out",
                        parameter="response_format",
                    )
                tokens, form = tokenizer.encode_chat(prompt, kept_to_grammar=sampling.grammar is not None)
                return tokens, tokenizer.end_ids, form
            case InfillPrompt():
                if tokenizer.fim is None:
                    raise ModelError(
                        f"{self._name} was not trained to fill in code (its tokenizer has none of the known marks); "
                        "set completion.model to `bundled` or to a base model such as Qwen2.5-Coder"
                    )
                room = self.context_length - min(sampling.max_tokens, self.context_length // 4) - SPARE_TOKENS
                fitted = fit(prompt, room, lambda text: len(tokenizer.encode(text)))
                return tokenizer.encode_parts(render(tokenizer.fim, fitted)), tokenizer.fim_end_ids(), AnswerForm()
            case _:
                tokens = tokenizer.encode_parts([Text(prompt.text)])
                if not tokens:
                    raise BadRequest("The prompt is empty; send at least one character", parameter="prompt")
                return tokens, tokenizer.end_ids, AnswerForm()


def _demanded(prompt: Prompt) -> JsonSchema | None:
    use = prompt.tool_use if isinstance(prompt, ChatPrompt) else None
    return tool_choice.demanded(use) if use is not None else None
