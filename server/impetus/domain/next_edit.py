"""What an edit asks for elsewhere: a renamed definition its uses, a changed parameter its arguments. Pure.

Compares the outlines of a text as it was and as it is. Names are compared as tokens of the syntax tree, so that strings
and comments are left alone; nothing is resolved, and the caller decides which files may be meant.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from tree_sitter import Node

from impetus.domain.syntax import is_quoted_kind, parse
from impetus.domain.types import Definition, Outline

#: Share of a definition's text that stays when only its name changes.
SIMILAR = 0.6
#: Of a long definition so much is compared.
_COMPARED = 2_000

_IDENTIFIER = re.compile(r"[^\W\d]\w*\Z")
_WORDS = re.compile(r"[^\W\d]\w*")


@dataclass(frozen=True, slots=True)
class Renamed:
    """A definition with another name. `after` is the definition as it is now."""

    old: str
    after: Definition

    @property
    def new(self) -> str:
        return self.after.name


@dataclass(frozen=True, slots=True)
class Resigned:
    """A function whose parameters changed. `renamed` is (old, new) when one of them only got another name."""

    before: Definition
    after: Definition
    renamed: tuple[str, str] | None


Change = Renamed | Resigned


def changes(before: str, old: Outline, after: str, new: Outline) -> list[Change]:
    """What happened to the definitions of a text, in the order in which they stand now."""
    known = {_address(definition): definition for definition in old.definitions}
    now = {_address(definition): definition for definition in new.definitions}
    gone = [definition for address, definition in known.items() if address not in now]
    found: list[Change] = []
    for address, definition in now.items():
        if address in known:
            resigned = _resigned(known[address], definition)
            if resigned is not None:
                found.append(resigned)
            continue
        former = next((one for one in gone if _is_renamed(one, before, definition, after)), None)
        if former is not None:
            gone.remove(former)
            found.append(Renamed(former.name, definition))
    return found


def uses(text: str, language: str, name: str) -> list[tuple[int, int]]:
    """Character ranges where `name` stands as an identifier, in order."""
    data = text.encode("utf-8", "replace")
    tree = parse(data, language)
    if tree is None:
        return []
    wanted = name.encode()
    ranges = [
        (node.start_byte, node.end_byte)
        for node in _leaves(tree.root_node)
        if data[node.start_byte : node.end_byte] == wanted
    ]
    return [(_characters(data, start), _characters(data, end)) for start, end in ranges]


def call_arguments(text: str, language: str, name: str) -> list[tuple[int, int]]:
    """Character ranges between the parentheses right after `name`, where they close."""
    found = []
    for _, end in uses(text, language, name):
        opening = end + len(text[end:]) - len(text[end:].lstrip(" \t"))
        if text[opening : opening + 1] != "(":
            continue
        closing = _closing(text, opening)
        if closing is not None:
            found.append((opening + 1, closing))
    return found


def keyword(text: str, start: int, end: int, name: str) -> tuple[int, int] | None:
    """Where `name=` or `name:` stands directly in an argument list."""
    depth = 0
    for match in re.finditer(r"[()\[\]{}]|[^\W\d]\w*(?=\s*[=:][^=:])", text[start:end]):
        token = match[0]
        if token in "([{":
            depth += 1
        elif token in ")]}":
            depth -= 1
        elif depth == 0 and token == name:
            return start + match.start(), start + match.end()
    return None


# -- parts -----------------------------------------------------------------------------------------------------------


def _address(definition: Definition) -> tuple[tuple[str, ...], str]:
    return definition.scope, definition.name


def _is_renamed(old: Definition, before: str, new: Definition, after: str) -> bool:
    if (old.scope, old.kind) != (new.scope, new.kind) or not _IDENTIFIER.match(old.name + new.name):
        return False
    was = _text(before, old).replace(old.name, "")
    now = _text(after, new).replace(new.name, "").replace(old.name, "")
    return SequenceMatcher(None, was, now, autojunk=False).ratio() >= SIMILAR


def _text(text: str, definition: Definition) -> str:
    return text.encode("utf-8", "replace")[definition.start : definition.end].decode("utf-8", "replace")[:_COMPARED]


def _resigned(old: Definition, new: Definition) -> Resigned | None:
    was, now = _parameters(old), _parameters(new)
    if was is None or now is None or was == now:
        return None
    renamed = None
    if len(was) == len(now):
        differing = [(a, b) for a, b in zip(was, now, strict=True) if a != b]
        if len(differing) == 1 and differing[0][0] not in now and differing[0][1] not in was:
            renamed = differing[0]
    return Resigned(old, new, renamed)


def _parameters(definition: Definition) -> list[str] | None:
    """Words between the parentheses of a signature; None for what takes no arguments."""
    opening = definition.signature.find("(", definition.signature.find(definition.name))
    closing = _closing(definition.signature, opening) if opening >= 0 else None
    return _WORDS.findall(definition.signature[opening:closing]) if closing is not None else None


def _closing(text: str, opening: int) -> int | None:
    """The parenthesis that closes the one at `opening`."""
    depth = 0
    quote = ""
    for i in range(opening, len(text)):
        character = text[i]
        if quote:
            quote = "" if character == quote and text[i - 1] != "\\" else quote
        elif character in "\"'":
            quote = character
        elif character in "([{":
            depth += 1
        elif character in ")]}":
            depth -= 1
            if depth == 0:
                return i
    return None


def _leaves(root: Node) -> Iterator[Node]:
    """Tokens outside of strings and comments, in order."""
    pending = [root]
    while pending:
        node = pending.pop()
        if node.is_named and is_quoted_kind(node.type):
            pending.extend(child for child in reversed(node.children) if "interpolation" in child.type)
        elif node.child_count == 0:
            yield node
        else:
            pending.extend(reversed(node.children))


def _characters(data: bytes, offset: int) -> int:
    return len(data[:offset].decode("utf-8", "replace"))


def nearest(ranges: Sequence[tuple[int, int]], offset: int) -> list[tuple[int, int]]:
    """Those behind the cursor first, from it downwards, then the others from the top."""
    return [r for r in ranges if r[0] >= offset] + [r for r in ranges if r[0] < offset]
