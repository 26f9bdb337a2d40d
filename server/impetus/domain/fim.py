"""Fill-in-the-middle formats of model families, as data, and prompts rendered in them.

A rendered prompt is a list of parts: a special token, or plain text that must be encoded as text whatever it looks
like. Repository text can therefore never become a control token. Knows no tokenizer: callers bring `known` (does the
model have this token as a single id?) and `count`.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from enum import Enum

from impetus.domain.types import ContextFile, InfillPrompt


class Slot(Enum):
    """Where a format places the pieces of a request."""

    CONTEXT = "context"
    PATH = "path"
    PREFIX = "prefix"
    SUFFIX = "suffix"


@dataclass(frozen=True, slots=True)
class Special:
    """A control token, by its text in the model's vocabulary."""

    token: str


@dataclass(frozen=True, slots=True)
class Text:
    """Text that is never read as a control token."""

    text: str


Part = Special | Text
Template = tuple[Special | Text | Slot, ...]


@dataclass(frozen=True, slots=True)
class FimFormat:
    """`layout` is the whole prompt; `context` is repeated per context file (PATH and CONTEXT are that file's).

    `with_context` replaces `layout` when there are context files. Every special token of the format, and `ends`, stop
    the generation.
    """

    name: str
    layout: Template
    context: Template = ()
    with_context: Template | None = None
    ends: tuple[str, ...] = ()
    model_types: tuple[str, ...] = ()  # config.json's model_type, where two families share their tokens
    names: tuple[str, ...] = ()  # parts of the folder's name, for the same

    def specials(self) -> frozenset[str]:
        """The tokens without which the format cannot be used."""
        return frozenset(part.token for part in self.layout if isinstance(part, Special))

    def stops(self) -> frozenset[str]:
        """Every token of the family that ends a completion."""
        templates = (self.layout, self.context, self.with_context or ())
        used = {part.token for template in templates for part in template if isinstance(part, Special)}
        return frozenset(used | set(self.ends))

    @property
    def takes_context(self) -> bool:
        return bool(self.context)


def _s(token: str) -> Special:
    return Special(token)


_PIPE_ENDS = ("<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>", "<|fim_pad|>", "<|repo_name|>", "<|file_sep|>")
_NEWLINE = Text("\n")

#: Trained by this project: suffix first, so that typing only appends to the prompt.
IMPETUS = FimFormat(
    "impetus",
    (
        _s("<|endoftext|>"), _s("<|file_sep|>"), Slot.PATH, _NEWLINE,
        _s("<|fim_suffix|>"), Slot.SUFFIX, _s("<|fim_prefix|>"), Slot.PREFIX,
    ),
    context=(_s("<|file_sep|>"), Slot.PATH, _NEWLINE, Slot.CONTEXT, _NEWLINE),
    with_context=(
        _s("<|endoftext|>"), Slot.CONTEXT, _s("<|file_sep|>"), Slot.PATH, _NEWLINE,
        _s("<|fim_suffix|>"), Slot.SUFFIX, _s("<|fim_prefix|>"), Slot.PREFIX,
    ),
    ends=("<|endoftext|>", *_PIPE_ENDS),
    names=("impetus",),
)  # fmt: skip

QWEN = FimFormat(
    "qwen",
    (_s("<|fim_prefix|>"), Slot.PREFIX, _s("<|fim_suffix|>"), Slot.SUFFIX, _s("<|fim_middle|>")),
    context=(_s("<|file_sep|>"), Slot.PATH, _NEWLINE, Slot.CONTEXT, _NEWLINE),
    with_context=(
        _s("<|repo_name|>"), Text("workspace\n"), Slot.CONTEXT, _s("<|file_sep|>"), Slot.PATH, _NEWLINE,
        _s("<|fim_prefix|>"), Slot.PREFIX, _s("<|fim_suffix|>"), Slot.SUFFIX, _s("<|fim_middle|>"),
    ),
    ends=("<|endoftext|>", "<|im_end|>", "<|im_start|>", *_PIPE_ENDS),
    model_types=("qwen2", "qwen2_moe", "qwen3", "qwen3_moe", "qwen3_next"),
)  # fmt: skip

CODEGEMMA = FimFormat(
    "codegemma",
    (_s("<|fim_prefix|>"), Slot.PREFIX, _s("<|fim_suffix|>"), Slot.SUFFIX, _s("<|fim_middle|>")),
    context=(Slot.PATH, _NEWLINE, Slot.CONTEXT, _s("<|file_separator|>")),
    with_context=(
        Slot.CONTEXT, _s("<|fim_prefix|>"), Slot.PREFIX, _s("<|fim_suffix|>"), Slot.SUFFIX, _s("<|fim_middle|>"),
    ),
    ends=("<|file_separator|>", "<eos>"),
    model_types=("gemma",),
)  # fmt: skip

GRANITE = FimFormat(
    "granite",
    (_s("<|fim_prefix|>"), Slot.PREFIX, _s("<|fim_suffix|>"), Slot.SUFFIX, _s("<|fim_middle|>")),
    ends=("<|end_of_text|>", "<|endoftext|>", "<|fim_pad|>"),
    model_types=("granite", "granitemoe", "granitemoehybrid"),
)

STARCODER = FimFormat(
    "starcoder",
    (_s("<fim_prefix>"), Slot.PREFIX, _s("<fim_suffix>"), Slot.SUFFIX, _s("<fim_middle>")),
    context=(_s("<file_sep>"), Slot.PATH, _NEWLINE, Slot.CONTEXT, _NEWLINE),
    with_context=(
        _s("<repo_name>"), Text("workspace"), Slot.CONTEXT, _s("<file_sep>"), _s("<fim_prefix>"), Slot.PATH, _NEWLINE,
        Slot.PREFIX, _s("<fim_suffix>"), Slot.SUFFIX, _s("<fim_middle>"),
    ),
    ends=("<|endoftext|>", "<file_sep>", "<repo_name>", "<fim_pad>"),
    model_types=("starcoder2", "gpt_bigcode"),
)  # fmt: skip

#: Granite Code has StarCoder's tokens but was not trained on its repository form.
GRANITE_CODE = FimFormat(
    "granite-code",
    (_s("<fim_prefix>"), Slot.PREFIX, _s("<fim_suffix>"), Slot.SUFFIX, _s("<fim_middle>")),
    ends=("<|endoftext|>", "<fim_pad>"),
    model_types=("llama", "granite"),
)

MELLUM = FimFormat(
    "mellum",
    (_s("<fim_suffix>"), Slot.SUFFIX, _s("<fim_prefix>"), Slot.PREFIX, _s("<fim_middle>")),
    context=(_s("<filename>"), Slot.PATH, _NEWLINE, Slot.CONTEXT, _NEWLINE),
    with_context=(
        Slot.CONTEXT, _s("<filename>"), Slot.PATH, _NEWLINE,
        _s("<fim_suffix>"), Slot.SUFFIX, _s("<fim_prefix>"), Slot.PREFIX, _s("<fim_middle>"),
    ),
    ends=("<|endoftext|>", "<filename>"),
    names=("mellum",),
)  # fmt: skip

CODELLAMA = FimFormat(
    "codellama",
    (_s("▁<PRE>"), Text(" "), Slot.PREFIX, _s("▁<SUF>"), Slot.SUFFIX, _s("▁<MID>")),
    ends=("▁<EOT>", "</s>"),
)

DEEPSEEK = FimFormat(
    "deepseek",
    (_s("<｜fim▁begin｜>"), Slot.PREFIX, _s("<｜fim▁hole｜>"), Slot.SUFFIX, _s("<｜fim▁end｜>")),
    context=(Text("#"), Slot.PATH, _NEWLINE, Slot.CONTEXT, _NEWLINE),
    with_context=(
        _s("<｜fim▁begin｜>"), Slot.CONTEXT, Text("#"), Slot.PATH, _NEWLINE, Slot.PREFIX,
        _s("<｜fim▁hole｜>"), Slot.SUFFIX, _s("<｜fim▁end｜>"),
    ),
    ends=("<｜end▁of▁sentence｜>", "<|EOT|>"),
)  # fmt: skip

CODESTRAL = FimFormat(
    "codestral",
    (_s("[SUFFIX]"), Slot.SUFFIX, _s("[PREFIX]"), Slot.PREFIX),
    context=(Text("+++++ "), Slot.PATH, _NEWLINE, Slot.CONTEXT, _NEWLINE),
    with_context=(
        _s("[SUFFIX]"), Slot.SUFFIX, _s("[PREFIX]"), Slot.CONTEXT, Text("+++++ "), Slot.PATH, _NEWLINE, Slot.PREFIX,
    ),
    ends=("</s>",),
)  # fmt: skip

SEED_CODER = FimFormat(
    "seed-coder",
    (_s("<[fim-suffix]>"), Slot.SUFFIX, _s("<[fim-prefix]>"), Slot.PREFIX, _s("<[fim-middle]>")),
    ends=("<[end▁of▁sentence]>", "<[PAD▁TOKEN]>"),
)

FORMATS: tuple[FimFormat, ...] = (
    IMPETUS, CODEGEMMA, GRANITE, QWEN, MELLUM, STARCODER, GRANITE_CODE, CODELLAMA, DEEPSEEK, CODESTRAL, SEED_CODER,
)  # fmt: skip


def choose(known: Callable[[str], bool], *, model_type: str, name: str, declared: str = "") -> FimFormat | None:
    """The format whose tokens the model has, or None for a model that was not trained to fill in.

    `declared` is `impetus_fim` of config.json and settles it. Where families share tokens the folder's name decides,
    then the model's type, then the order of FORMATS: those without a condition, then the first with one.
    """
    fitting = [form for form in FORMATS if all(known(token) for token in form.specials())]
    lower = name.lower()
    by_declaration = [form for form in fitting if form.name == declared]
    by_name = [form for form in fitting if any(part in lower for part in form.names)]
    by_type = [form for form in fitting if model_type in form.model_types and not form.names]
    open_to_all = [form for form in fitting if not form.names]
    chosen = by_declaration or by_name or by_type or open_to_all
    return chosen[0] if chosen else None


def render(form: FimFormat, prompt: InfillPrompt) -> list[Part]:
    """The prompt in the family's format; neighboring texts are joined so that they are tokenized as one."""
    use_context = bool(prompt.context) and form.takes_context
    layout = form.with_context if use_context and form.with_context is not None else form.layout
    parts: list[Part] = []
    for item in layout:
        match item:
            case Slot.CONTEXT:
                for file in prompt.context:
                    _fill(parts, form.context, {Slot.PATH: file.path, Slot.CONTEXT: file.text})
            case _:
                values = {Slot.PATH: prompt.path, Slot.PREFIX: prompt.prefix, Slot.SUFFIX: prompt.suffix}
                _fill(parts, (item,), values)
    return parts


def _fill(parts: list[Part], template: Template, values: dict[Slot, str]) -> None:
    for item in template:
        part = Text(values[item]) if isinstance(item, Slot) else item
        if isinstance(part, Special):
            parts.append(part)
        elif part.text and parts and isinstance(parts[-1], Text):
            parts[-1] = Text(parts[-1].text + part.text)
        elif part.text:
            parts.append(part)


#: Of the room for a prompt, the suffix gets at most this share, and context files together at most this one.
SUFFIX_SHARE = 0.25
CONTEXT_SHARE = 0.5

#: The prefix loses a multiple of so many lines: were it one line now and then, the model had to read the rest anew.
CUT_STEP = 8


def fit(prompt: InfillPrompt, room: int, count: Callable[[str], int]) -> InfillPrompt:
    """The prompt cut to `room` tokens: context files whole or not at all, the suffix's end, the prefix's beginning."""
    context: list[ContextFile] = []
    used = 0
    for file in reversed(prompt.context):  # the last are the most telling
        cost = count(file.path) + count(file.text) + 4
        if used + cost <= room * CONTEXT_SHARE:
            context.insert(0, file)
            used += cost
    room -= used + count(prompt.path)
    suffix = _cut(prompt.suffix, int(room * SUFFIX_SHARE), count, keep_end=False)
    prefix = _cut(prompt.prefix, room - count(suffix), count, keep_end=True)
    return InfillPrompt(prefix, suffix, prompt.path, tuple(context))


def _cut(text: str, limit: int, count: Callable[[str], int], *, keep_end: bool) -> str:
    """The longest run of whole lines at one end of `text` within `limit` tokens; part of a line if none fits."""
    if limit <= 0:
        return ""
    if count(text) <= limit:
        return text
    lines: Sequence[str] = text.splitlines(keepends=True)
    low, high = 0, len(lines)
    while low < high:
        middle = (low + high + 1) // 2
        if count(_join(lines, middle, keep_end)) <= limit:
            low = middle
        else:
            high = middle - 1
    if low and keep_end:
        dropped = -(-(len(lines) - low) // CUT_STEP) * CUT_STEP
        low = len(lines) - dropped if dropped < len(lines) else low
    if low:
        return _join(lines, low, keep_end)
    characters = limit  # a token is at least one character nearly always; a safe length for one enormous line
    return text[-characters:] if keep_end else text[:characters]


def _join(lines: Sequence[str], number: int, keep_end: bool) -> str:
    return "".join(lines[len(lines) - number :] if keep_end else lines[:number])


def leaked(text: str, stops: Collection[str]) -> int:
    """Where the first control token spelled out as text begins, or the length of the text."""
    return min((at for stop in stops if (at := text.find(stop)) >= 0), default=len(text))
