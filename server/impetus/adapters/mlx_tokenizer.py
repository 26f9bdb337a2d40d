"""A model folder's tokenizer and chat template, through `tokenizers` and Jinja alone.

Text is always encoded as text: a control token spelled out in it is split so that it cannot act as one. Only parts
that we or the model's own template mark as special become control tokens.
"""

import json
import re
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer
from tokenizers.decoders import DecodeStream

from impetus.adapters import mlx_chat
from impetus.domain.answer_parts import AnswerForm
from impetus.domain.fim import FimFormat, Part, Special, choose
from impetus.domain.types import ChatPrompt
from impetus.errors import ModelError

#: What byte-level tokenizers write for each byte (GPT-2's alphabet): printable ones as they are, the others in order
#: from U+0100.
_PRINTABLE = (*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100))
_OTHERS = tuple(byte for byte in range(256) if byte not in _PRINTABLE)
_BYTES = {chr(byte): byte for byte in _PRINTABLE} | {chr(256 + i): byte for i, byte in enumerate(_OTHERS)}


class ModelTokenizer:
    def __init__(self, folder: Path, config: dict[str, Any]) -> None:
        try:
            self._tokenizer: Any = Tokenizer.from_file(str(folder / "tokenizer.json"))
        except Exception as error:  # the library raises bare Exception for a missing or broken file
            raise ModelError(
                f"{folder / 'tokenizer.json'} cannot be read: {error}; fetch the model again, or convert it with "
                "mlx_lm.convert, which writes this file"
            ) from error
        self._folder = folder
        self._settings = _read_json(folder / "tokenizer_config.json")
        added = [token.content for token in self._tokenizer.get_added_tokens_decoder().values()]
        # Longest first, so that of two tokens that begin alike the whole longer one is taken apart.
        pattern = "|".join(re.escape(token) for token in sorted(added, key=len, reverse=True) if len(token) > 1)
        self._control = re.compile(pattern) if pattern else None
        self._guard = self._find_guard()
        decoder = self._tokenizer.decoder
        self._byte_level = decoder is not None and b'"ByteLevel"' in decoder.__getstate__()
        self._leading: list[int] = self._find_leading()
        self.fim: FimFormat | None = choose(
            self.knows,
            model_type=str(config["model_type"]),
            name=folder.name,
            declared=str(config.get("impetus_fim", "")),
        )
        self.end_ids = self._find_end_ids(config)
        template = _chat_template(folder, self._settings)
        names = {key: self._token_text(key) for key in ("bos_token", "eos_token", "pad_token", "unk_token")}
        self._chat = (
            mlx_chat.ChatForm(template, folder.name, self.knows, self._control, names) if template is not None else None
        )

    # -- text to tokens ----------------------------------------------------------------------------------------------

    def knows(self, token: str) -> bool:
        return self._tokenizer.token_to_id(token) is not None

    def encode(self, text: str) -> list[int]:
        """The tokens of plain text; whatever it spells out, none of them is a control token."""
        if self._control is None:
            return self._encode_piece(text)
        ids: list[int] = []
        start = 0
        for match in self._control.finditer(text):
            cut = match.start() + 1
            ids += self._encode_piece(text[start:cut])
            start = cut
        return ids + self._encode_piece(text[start:])

    def encode_parts(self, parts: Sequence[Part]) -> list[int]:
        """A prompt of special tokens and plain text, with the model's leading token where it wants one."""
        ids: list[int] = []
        for part in parts:
            if isinstance(part, Special):
                ids.append(self._tokenizer.token_to_id(part.token))
            else:
                ids += self.encode(part.text)
        return ids if ids[:1] == self._leading else self._leading + ids

    def encode_chat(self, prompt: ChatPrompt, *, kept_to_grammar: bool = False) -> tuple[list[int], AnswerForm]:
        """A conversation in the model's own template, and the form that the answer will have.

        Raises BadRequest when the template refuses it, or for what the family has not.
        """
        if self._chat is None:
            raise mlx_chat.no_template(self._folder.name)
        self._chat.check(prompt)
        laid = self._chat.lay_out(prompt, kept_to_grammar=kept_to_grammar)
        ids: list[int] = []
        for text, written in laid.pieces:
            if not written:
                ids += self.encode(text)
            elif text:
                ids += self._tokenizer.encode(text, add_special_tokens=False).ids
        return (ids if ids[:1] == self._leading else self._leading + ids), laid.form

    # -- tokens to text ----------------------------------------------------------------------------------------------

    def decoder(self) -> "StreamDecoder":
        return StreamDecoder(self._tokenizer, self._guard)

    def data(self, token: int) -> bytes:
        """The token's bytes, perhaps a part of a character."""
        added = self._tokenizer.get_added_tokens_decoder().get(token)
        text: str = added.content if added is not None else self._tokenizer.id_to_token(token) or ""
        if added is not None:
            return text.encode()
        if self._byte_level:
            return bytes(_BYTES[character] for character in text if character in _BYTES)
        byte = re.fullmatch("<0x([0-9A-F]{2})>", text)
        return bytes.fromhex(byte.group(1)) if byte else text.replace("▁", " ").encode()

    @property
    def size(self) -> int:
        """Tokens that there are; a network may have room for more."""
        count: int = self._tokenizer.get_vocab_size(with_added_tokens=True)
        return count

    @cached_property
    def fingerprint(self) -> int:
        """The same for tokenizers of one process that give every token the same id."""
        return hash(frozenset(self._tokenizer.get_vocab(with_added_tokens=True).items()))

    def to_json(self) -> str:
        """The whole tokenizer, as in tokenizer.json."""
        text: str = self._tokenizer.to_str()
        return text

    # -- parts -------------------------------------------------------------------------------------------------------

    def _encode_piece(self, text: str) -> list[int]:
        if not text:
            return []
        if not self._guard:
            ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False).ids
            return ids
        guarded: list[int] = self._tokenizer.encode("\n" + text, add_special_tokens=False).ids
        return guarded[len(self._guard) :] if guarded[: len(self._guard)] == self._guard else guarded

    def _find_guard(self) -> list[int]:
        """Tokens of a newline where the tokenizer puts a space before every text; a text led by it stays as it is."""
        newline: list[int] = self._tokenizer.encode("\n", add_special_tokens=False).ids
        return newline if len(newline) > 1 else []

    def _find_leading(self) -> list[int]:
        """The beginning-of-sequence token, when the tokenizer adds one by itself."""
        ids: list[int] = self._tokenizer.encode("", add_special_tokens=True).ids
        token = self._settings.get("bos_token")
        content = token.get("content") if isinstance(token, dict) else token
        if ids or not content or not self._settings.get("add_bos_token"):
            return ids[:1]
        known = self._tokenizer.token_to_id(content)
        return [] if known is None else [known]

    def _find_end_ids(self, config: dict[str, Any]) -> frozenset[int]:
        declared = config.get("eos_token_id")
        ids = {declared} if isinstance(declared, int) else set(declared or ())
        names = [self._settings.get("eos_token")]
        names += ["<|im_end|>", "<|eot_id|>", "<|end_of_turn|>", "<end_of_turn>"]
        for name in names:
            content = name.get("content") if isinstance(name, dict) else name
            known = self._tokenizer.token_to_id(content) if content else None
            if known is not None:
                ids.add(known)
        return frozenset(ids)

    def fim_end_ids(self) -> frozenset[int]:
        """End tokens of a completion: the model's and every control token of its fill-in-the-middle family."""
        stops = self.fim.stops() if self.fim is not None else frozenset[str]()
        known = (self._tokenizer.token_to_id(token) for token in stops)
        return self.end_ids | {token for token in known if token is not None}

    def _token_text(self, key: str) -> str:
        token = self._settings.get(key)
        return str(token.get("content", "") if isinstance(token, dict) else token or "")


class StreamDecoder:
    """Tokens to text, one at a time; an incomplete character gives an empty text until it is complete."""

    def __init__(self, tokenizer: Any, guard: list[int]) -> None:
        self._tokenizer = tokenizer
        # The guard keeps the first token's leading space where a tokenizer would strip it.
        self._stream = DecodeStream(list(guard), False) if guard else DecodeStream(skip_special_tokens=False)

    def add(self, token: int) -> str:
        return self._stream.step(self._tokenizer, token) or ""


def _chat_template(folder: Path, settings: dict[str, Any]) -> str | None:
    file = folder / "chat_template.jinja"
    if file.exists():
        return file.read_text("utf-8")
    template = settings.get("chat_template") or _read_json(folder / "chat_template.json").get("chat_template")
    if isinstance(template, list):
        named = {entry.get("name"): entry.get("template") for entry in template if isinstance(entry, dict)}
        template = named.get("default")
    return template if isinstance(template, str) else None


def _read_json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise ModelError(f"{path} cannot be read: {error}; fetch the model again") from error
    return value if isinstance(value, dict) else {}
