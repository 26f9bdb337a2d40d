"""Definitions and references of a parsed file, as the `chunks.scm` of its language captures them.

`grammars/README.md` describes the captures. One pass of the query per file; no language is named here, and nothing is
resolved: a reference is a name at a place.
"""

import re
from bisect import bisect_right
from dataclasses import dataclass
from typing import NamedTuple

from tree_sitter import Node, QueryCursor

from impetus.domain.types import Definition, Outline, Reference
from impetus.languages import Grammar

MAX_NAME = 120
MAX_SIGNATURE = 200
MAX_DOC = 400

#: A function in one of these is a method, a constant or variable a field.
_OWNERS = frozenset({"class", "interface", "type", "struct", "enum", "trait", "object", "protocol", "container"})
_PIECEWISE = ("function", "method", "macro")
_ORDINARY = ("call", "type")
_MEMBERS = {"function": "method", "constant": "field", "variable": "field"}

#: `export default`, `pub(crate)`, `@Inject public static`: words before a definition that belong to it.
_PREFIX = re.compile(rb"[\w\s@]*")
_COMMENT_MARKS = re.compile(r"^\s*(?:/\*+!?|\*+/|//[/!]*|#+[!:]?|--+\[*\s?[|^]?|;+|<!--|\{-+\s?\|?|\*+(?=\s|$))?\s?")
_COMMENT_END = re.compile(r"\s*(?:\*+/|-->|-\}|\]\])\s*$")
_DOC_TAGS = re.compile(r"</?(?:summary|remarks|para|p)/?>")
_DOC_BREAK = re.compile(r"^\s*(?:@\w+|:param|Args:|Arguments:|Parameters:|Returns:|---+$|===+$)")
_SIGNATURE_END = re.compile(r"[\s{]*(?:\s=\s*|;\s*)?$")
_OPENING = b"([{"
_CLOSING = b")]}"


class Scope(NamedTuple):
    """A definition, or a container that only lends its name to what it holds (`impl Server { … }`)."""

    definition: Definition
    name_start: int  # byte where the name begins
    body_start: int  # byte where the signature ends
    listed: bool  # False for a container

    @property
    def path(self) -> tuple[str, ...]:
        return (*self.definition.scope, self.definition.name)


@dataclass(slots=True)
class _Found:
    name: Node
    kind: str
    pattern: int
    outer: Node  # the widest node captured for the name
    inner: Node  # the narrowest
    owner: str = ""
    body: Node | None = None
    start: int = 0
    end: int = 0
    docs: str = ""


def extract(root: Node, data: bytes, line_starts: list[int], grammar: Grammar) -> tuple[list[Scope], Outline]:
    """Run the query over a tree: scopes sorted by start, outer ones first, and the outline made of them."""
    found, references, above, docs = _collect(root, data, grammar)
    comments = _Above(data, above)
    for item in found:
        item.start, item.end = comments.start_of(item), _trimmed(data, item.outer)
    found.sort(key=lambda item: (item.start, -item.end, item.name.start_byte))
    found = _merged(found, data)
    _place_docs(found, docs, data)
    scopes = _scopes(found, data, line_starts, comments)
    definitions = tuple(scope.definition for scope in scopes if scope.listed)
    names = {scope.name_start for scope in scopes if scope.listed}
    uses = sorted(reference for reference in references if reference[0] not in names)
    return scopes, Outline(definitions, _within(uses, scopes, line_starts))


def _collect(
    root: Node, data: bytes, grammar: Grammar
) -> tuple[list[_Found], list[tuple[int, str, str]], list[tuple[int, int, bool]], list[tuple[int, int]]]:
    by_name: dict[int, _Found] = {}
    references: list[tuple[int, str, str]] = []
    above: list[tuple[int, int, bool]] = []
    docs: list[tuple[int, int]] = []
    for pattern, captures in QueryCursor(grammar.query).matches(root):
        named = captures.get("name")
        for label, nodes in captures.items():
            node = nodes[0]
            if label.startswith("reference."):
                node = named[0] if named else node
                kind, name = label[10:], _name(node, data)
                if name and not (name in grammar.common and kind in _ORDINARY):
                    references.append((node.start_byte, kind, name))
            elif label == "comment" or label == "leading":
                above.append((node.start_byte, node.end_byte, label == "comment"))
            elif label == "doc":
                docs.append((node.start_byte, node.end_byte))
            elif named and (label.startswith("definition.") or label == "container"):
                kind = label.removeprefix("definition.")
                _note(by_name, _Found(named[0], kind, pattern, node, node), captures, data)
    return [item for item in by_name.values() if _name(item.name, data)], references, above, docs


def _note(by_name: dict[int, _Found], new: _Found, captures: dict[str, list[Node]], data: bytes) -> None:
    """Merge the matches of one name: the widest node is the range, the last pattern of the file gives the kind."""
    item = by_name.setdefault(new.name.start_byte, new)
    if new.pattern > item.pattern:
        item.kind, item.pattern = new.kind, new.pattern
    if new.outer.start_byte < item.outer.start_byte or new.outer.end_byte > item.outer.end_byte:
        item.outer = new.outer
    if new.inner.start_byte > item.inner.start_byte or new.inner.end_byte < item.inner.end_byte:
        item.inner = new.inner
    if "owner" in captures:
        item.owner = ".".join(_name(owner, data) for owner in captures["owner"])
    if "body" in captures:
        item.body = captures["body"][0]


def _name(node: Node, data: bytes) -> str:
    text = data[node.start_byte : min(node.end_byte, node.start_byte + 4 * MAX_NAME)].decode("utf-8", "replace")
    return text if text.isidentifier() and len(text) <= MAX_NAME else _one_line(text, MAX_NAME)


def _one_line(text: str, limit: int) -> str:
    text = " ".join(text.replace("\0", " ").split())
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


class _Above:
    """The comments and attributes of a file, to find those that stand directly above a definition."""

    def __init__(self, data: bytes, ranges: list[tuple[int, int, bool]]) -> None:
        self._data = data
        self._ranges = sorted(set(ranges))
        self._starts = [start for start, _, _ in self._ranges]
        self._comments: dict[int, list[int]] = {}

    def start_of(self, item: _Found) -> int:
        """Where the definition begins, with the words, attributes and comments that belong to it."""
        start = item.outer.start_byte
        line = self._data.rfind(b"\n", 0, start) + 1
        prefix = self._data[line:start]
        if prefix.strip() and _PREFIX.fullmatch(prefix):
            start = line + len(prefix) - len(prefix.lstrip())
        comments: list[int] = []
        index = bisect_right(self._starts, start - 1) - 1
        while index >= 0:
            above_start, above_end, is_comment = self._ranges[index]
            gap = self._data[above_end:start] if above_end <= start else b"-"
            if gap.strip() or gap.count(b"\n") + (self._data[above_end - 1 : above_end] == b"\n") > 1:
                break
            line = self._data.rfind(b"\n", 0, above_start) + 1
            if self._data[line:above_start].strip() and not self._covers(index - 1, line):
                break  # it ends a line of code
            if is_comment:
                comments.append(index)
            start = above_start
            index -= 1
        self._comments[item.name.start_byte] = comments[::-1]
        return start

    def _covers(self, index: int, line: int) -> bool:
        return index >= 0 and self._ranges[index][0] >= line

    def text_of(self, item: _Found) -> str:
        ranges = (self._ranges[index] for index in self._comments[item.name.start_byte])
        return "\n".join(self._data[start:end].decode("utf-8", "replace").rstrip("\n") for start, end, _ in ranges)


def _merged(found: list[_Found], data: bytes) -> list[_Found]:
    """Join what is written in several pieces: a signature and its equations, overloads without a line between."""
    out: list[_Found] = []
    for item in found:
        last = out[-1] if out else None
        if (
            last is not None
            and last.kind == item.kind
            and last.end <= item.start
            and last.kind in _PIECEWISE
            and (gap := data[last.end : item.start]).count(b"\n") == 1
            and not gap.strip(b" \t\r\n;")
            and _name(last.name, data) == _name(item.name, data)
        ):
            last.end = item.end
        else:
            out.append(item)
    return out


def _place_docs(found: list[_Found], docs: list[tuple[int, int]], data: bytes) -> None:
    """Give each documentation string to the innermost definition that holds it."""
    if not docs:
        return
    docs.sort()
    index = 0
    around: list[_Found] = []
    for start, end in docs:
        while index < len(found) and found[index].start <= start:
            around.append(found[index])
            index += 1
        while around and around[-1].end < end:
            around.pop()
        if around and not around[-1].docs:
            around[-1].docs = data[start:end].decode("utf-8", "replace")


def _scopes(found: list[_Found], data: bytes, line_starts: list[int], comments: _Above) -> list[Scope]:
    scopes: list[Scope] = []
    around: list[tuple[int, tuple[int, int], str, tuple[str, ...]]] = []  # end, range, kind, path
    for item in found:
        start, end = item.start, item.end
        while around and (around[-1][0] < end or around[-1][1] == (start, end)):  # `case a, b` are beside each other
            around.pop()
        kind = item.kind
        path: tuple[str, ...] = ()
        if around:
            _, _, owner, path = around[-1]
            if owner in _OWNERS and not (owner == "enum" and kind == "constant"):
                kind = _MEMBERS.get(kind, kind)
        if item.owner:
            path = (*path, *item.owner.split("."))
            kind = _MEMBERS.get(kind, kind)
        name = _name(item.name, data)
        signature, body = _signature(item, data)
        definition = Definition(
            name=name,
            kind=kind,
            start=start,
            end=end,
            start_line=bisect_right(line_starts, start),
            end_line=bisect_right(line_starts, max(start, end - 1)),
            name_line=bisect_right(line_starts, item.name.start_byte),
            scope=path,
            signature=signature,
            doc=_clean(item.docs, marked=False) or _clean(comments.text_of(item), marked=True),
        )
        scopes.append(Scope(definition, item.name.start_byte, body, kind != "container"))
        around.append((end, (start, end), kind, (*path, name)))
    return scopes


def _trimmed(data: bytes, node: Node) -> int:
    """End of a node without the line ends that some grammars count in (sections, preprocessor lines)."""
    end = node.end_byte
    while end > node.start_byte + 1 and data[end - 1] in b"\r\n":
        end -= 1
    return end


def _signature(item: _Found, data: bytes) -> tuple[str, int]:
    """The text before the body on one line, and where the body begins."""
    start = item.inner.start_byte
    line = data.rfind(b"\n", 0, start) + 1
    prefix = data[line:start]
    if _PREFIX.fullmatch(prefix):
        start = line
    body = item.body or item.inner.child_by_field_name("body")
    if body is not None and body.start_byte > item.name.start_byte:
        end = body.start_byte
    else:
        end = _first_line(data, max(start, item.name.start_byte), item.inner.end_byte)
    text = data[start : min(end, start + 4 * MAX_SIGNATURE)].decode("utf-8", "replace")
    return _one_line(_SIGNATURE_END.sub("", text), MAX_SIGNATURE), end


def _first_line(data: bytes, start: int, limit: int) -> int:
    """End of the first line after `start` on which all brackets are closed, or where a brace opens the rest."""
    depth = 0
    limit = min(limit, start + 4 * MAX_SIGNATURE)
    for offset in range(start, limit):
        byte = data[offset]
        if byte in _OPENING:
            depth += 1
        elif byte in _CLOSING:
            depth -= 1
        elif byte == 10 and (depth <= 0 or data[start:offset].rstrip().endswith(b"{")):
            return offset
    return limit


def _clean(text: str, *, marked: bool) -> str:
    """First paragraph of a documentation text, `marked` as a comment or not, on one line."""
    kept: list[str] = []
    for line in text.splitlines():
        if marked:
            line = _COMMENT_END.sub("", line) if not line.strip().startswith(("//", "#")) else line
            line = _COMMENT_MARKS.sub("", line, count=1)
        line = _DOC_TAGS.sub("", line).strip()
        if (not line and kept) or _DOC_BREAK.match(line):
            break
        if line:
            kept.append(line)
    return _one_line(" ".join(kept), MAX_DOC)


def _within(uses: list[tuple[int, str, str]], scopes: list[Scope], line_starts: list[int]) -> tuple[Reference, ...]:
    """Say in which definition each use lies; a name counts once a line, as what the most telling pattern says."""
    out: dict[tuple[int, str], Reference] = {}
    around: list[tuple[int, str]] = []  # end, dotted path
    entered = 0
    for start, kind, name in uses:
        while entered < len(scopes) and scopes[entered].definition.start <= start:
            scope = scopes[entered]
            while around and around[-1][0] < scope.definition.end:
                around.pop()
            around.append((scope.definition.end, ".".join(scope.path)))
            entered += 1
        while around and around[-1][0] <= start:
            around.pop()
        line = bisect_right(line_starts, start)
        known = out.get((line, name))
        # "type" is also what general patterns say, and comes last in the alphabet for that reason.
        if known is None or kind < known.kind:
            out[line, name] = Reference(name, kind, line, around[-1][1] if around else "")
    return tuple(out.values())
