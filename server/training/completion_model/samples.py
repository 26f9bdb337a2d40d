"""Training samples cut from files as an editor would ask: suffix first, prefix and middle contiguous.

    <|endoftext|> (<|file_sep|> path \\n context \\n)*
    <|file_sep|> path \\n <|fim_suffix|> suffix <|fim_prefix|> prefix middle <|endoftext|>

Cuts fall on any character. Prefix and middle are always encoded apart, as they are when a person stops typing inside
of a word, so the model knows what to write there.
"""

import json
import lzma
import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tokenizers import Tokenizer

from training.completion_model.corpus import Source
from training.completion_model.outlines import Neighbors, Passage

SPECIALS = (
    "<|endoftext|>", "<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>", "<|fim_pad|>", "<|repo_name|>",
    "<|file_sep|>",
)  # fmt: skip
END, PREFIX, SUFFIX, PAD, FILE = (
    SPECIALS.index(f"<|{name}|>") for name in ("endoftext", "fim_prefix", "fim_suffix", "fim_pad", "file_sep")
)

#: Tokens of the longest sample, the last one a target only.
LENGTH = 1_537

#: How much a token counts in the loss, in tenths.
BODY, MIDDLE, CONTEXT = 10, 20, 3

_MAX_BLOCK = 900  # characters
_CLOSERS = frozenset(")]}>\"'`,;:")


@dataclass(frozen=True, slots=True)
class PackageFiles:
    name: str
    files: list[Source]


@dataclass(frozen=True, slots=True)
class Hole:
    """`text[start:end]` is the middle."""

    start: int
    end: int


def read_shard(path: Path) -> Iterator[PackageFiles]:
    with lzma.open(path, "rt", encoding="utf-8", newline="\n") as lines:
        for line in lines:
            name, files = json.loads(line)
            yield PackageFiles(name, [Source(*file) for file in files])


def cut(text: str, chooser: random.Random) -> Hole | None:
    """A hole at a random line with text: mostly the rest of the line, sometimes up to what an editor closed for us,
    sometimes some lines or the rest of the block."""
    for _ in range(8):
        position = chooser.randrange(len(text))
        start = text.rfind("\n", 0, position) + 1
        end = text.find("\n", start)
        end = len(text) if end < 0 else end
        line = text[start:end]
        if line.strip():
            break
    else:
        return None
    first = start + len(line) - len(line.lstrip())
    last = start + len(line.rstrip())
    kind = chooser.random()
    at = first if chooser.random() < 0.12 else chooser.randrange(first, last)
    if kind < 0.62:
        return Hole(at, last)
    if kind < 0.72:
        closing = last
        while closing > at + 1 and text[closing - 1] in _CLOSERS:
            closing -= 1
        return Hole(at, closing)
    if kind < 0.76:
        return Hole(at, min(last, at + 1 + chooser.randrange(20)))
    if chooser.random() < 0.4:
        at = last  # the next lines
    stop = _block_end(text, start, end) if kind < 0.90 else _lines_end(text, end, chooser.randint(1, 6))
    fits = at < stop <= at + _MAX_BLOCK and text[at:stop].strip()
    return Hole(at, stop) if fits else Hole(min(at, last - 1), last)


def _lines_end(text: str, end: int, count: int) -> int:
    for _ in range(count):
        following = text.find("\n", end + 1)
        if following < 0:
            break
        end = following
    return end


def _block_end(text: str, start: int, end: int) -> int:
    """The end of the lines that stand deeper than this one, or of the paragraph when none does."""
    indent = _indent(text[start:end])
    stop = end
    position = end + 1
    while position < len(text):
        following = text.find("\n", position)
        following = len(text) if following < 0 else following
        line = text[position:following]
        if line.strip():
            if _indent(line) < indent or (_indent(line) == indent and line.strip()[0] not in ")]}" and stop > end):
                break
            stop = following
        elif stop == end:
            break
        position = following + 1
    return stop


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


class Sampler:
    """Encoded samples of one neighborhood of files."""

    def __init__(self, tokenizer: Tokenizer, chooser: random.Random) -> None:
        tokenizer.encode_special_tokens = True  # in a file they are text
        self._tokenizer = tokenizer
        self._chooser = chooser
        self.late = False  # the last part of the training: what an editor asks for most

    def samples(self, files: Neighbors, count: int) -> Iterator[tuple[list[int], list[int]]]:
        """(tokens, weights) of `count` samples, files drawn by their size."""
        sizes = [len(file.source.text) for file in files.files]
        for number in self._chooser.choices(range(len(sizes)), sizes, k=count):
            made = (
                self._plain(files, number)
                if self._chooser.random() < (0.03 if self.late else 0.12)
                else self._filled(files, number)
            )
            if made is not None:
                yield made

    def _filled(self, files: Neighbors, number: int) -> tuple[list[int], list[int]] | None:
        source = files.files[number].source
        hole = cut(source.text, self._chooser)
        if hole is None:
            return None
        prefix, suffix = self._window(source.text, hole)
        middle = source.text[hole.start : hole.end]
        head = [FILE, *self._encode(source.path + "\n"), SUFFIX, *self._encode(suffix), PREFIX, *self._encode(prefix)]
        target = [*self._encode(middle), END]
        context = self._context(files, number, prefix, suffix, middle)
        return self._joined(context, head, target)

    def _plain(self, files: Neighbors, number: int) -> tuple[list[int], list[int]] | None:
        """A stretch of a file from left to right, as at its end, where nothing follows the cursor."""
        source = files.files[number].source
        start = source.text.rfind("\n", 0, self._chooser.randrange(len(source.text))) + 1
        text = source.text[start : start + 2_600]
        head = [FILE, *self._encode(source.path + "\n"), SUFFIX, PREFIX, *self._encode(text)]
        context = self._context(files, number, text[:400], "", "")
        return self._joined(context, head, [END] if start + 2_600 >= len(source.text) else [])

    def _joined(self, context: list[Passage], head: list[int], target: list[int]) -> tuple[list[int], list[int]] | None:
        """As much of the context as there is room for, its last passages first."""
        room = LENGTH - 1 - len(head) - len(target)
        if room < 0:
            return None
        shown: list[int] = []
        for path, text in reversed(context):
            passage = [FILE, *self._encode(f"{path}\n{text}\n")]
            if len(shown) + len(passage) <= room:
                shown = passage + shown
        tokens = [END, *shown, *head, *target]
        weights = [0] + [CONTEXT] * len(shown) + [BODY] * len(head) + [MIDDLE] * len(target)
        return tokens, weights

    def _window(self, text: str, hole: Hole) -> tuple[str, str]:
        """Whole lines before, and up to a line's end after; mostly as much as the editor gives."""
        full = self._chooser.random() < (0.85 if self.late else 0.6)
        before = 2_000 if full else int(math.exp(self._chooser.uniform(4, 7.9)))
        after = 500 if full else int(math.exp(self._chooser.uniform(3, 7.2)))
        if self._chooser.random() < 0.06:
            after = 0
        start = max(0, hole.start - before)
        if start:
            line = text.find("\n", start, hole.start) + 1
            start = line or text.rfind("\n", 0, hole.start) + 1
        suffix = text[hole.end : hole.end + after]
        if hole.end + after < len(text):
            suffix = suffix[: suffix.rfind("\n") + 1] or suffix
        return text[start : hole.start], suffix

    def _context(self, files: Neighbors, number: int, prefix: str, suffix: str, middle: str) -> list[Passage]:
        """Mostly both kinds, as the editor gives them; nothing now and then, as in a project of one file."""
        if self._chooser.random() < 0.2:
            return []
        found: list[Passage] = []
        if self._chooser.random() < 0.75:
            found += files.similar(number, prefix, suffix, self._chooser.randint(1, 4))
        if self._chooser.random() < 0.75:
            # Now and then what the middle names is among it, as when the names of an import are all looked up.
            also = middle if self._chooser.random() < 0.25 else ""
            found += files.definitions(number, prefix, also)
        return found

    def _encode(self, text: str) -> list[int]:
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False).ids
        return ids
