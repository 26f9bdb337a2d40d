"""Parsing within bounds, and the few facts of a syntax tree that a completion is decided by.

Works on any bytes: what cannot be parsed safely or within its budget has no tree, and the caller does without.
"""

import re
import threading
from dataclasses import dataclass

from tree_sitter import Node, Parser, Tree

from impetus.domain.types import Definition, Outline
from impetus.languages import grammar

#: tree-sitter reports every hundred steps. Ordinary sources take one report for 60 to 400 bytes, hopeless ones many
#: times as many; counting reports instead of time gives the same result on a busy machine.
_FREE_REPORTS = 500
_BYTES_PER_REPORT = 32

#: Bytes handed to tree-sitter at a time.
_WINDOW = 1 << 16

#: Thousands of marks in a row without a word: no code, and a query takes time in the square of their number.
_MARKS = re.compile(rb"[!-/:-@\[-^`{-~\s]{5000}")

_QUOTED = ("string", "comment", "char", "heredoc", "regex", "haddock", "template_literal", "quoted")
_INTERPOLATED = ("interpolation", "substitution")
_BODIES = ("block", "body", "compound_statement", "suite", "statements", "declaration_list", "do_block")


class _Windows(threading.local):
    """What a thread hands to tree-sitter: one object, because 0.26.1 never lets go of any that it was given to read."""

    def __init__(self) -> None:
        self.buffer = bytearray()


_windows = _Windows()


@dataclass(frozen=True, slots=True)
class Place:
    """What surrounds a byte offset. `quoted`: inside a string or comment; `empty_block`: in a block without content."""

    quoted: bool = False
    empty_block: bool = False


def parse(data: bytes, language: str) -> Tree | None:
    """Parse `data`; None without a grammar, for input its parser cannot bear, or when it would take far too long."""
    loaded = grammar(language)
    if loaded is None or _MARKS.search(data) or (loaded.unsafe is not None and loaded.unsafe.search(data)):
        return None
    left = _FREE_REPORTS + len(data) // _BYTES_PER_REPORT

    window = _windows.buffer

    def read(offset: int, _point: object) -> bytearray:
        window[:] = data[offset : offset + _WINDOW]
        return window

    def give_up(_offset: int, _has_error: bool) -> bool:
        nonlocal left
        left -= 1
        return left < 0

    try:
        bounded = Parser(loaded.language).parse(read, progress_callback=give_up)
    except ValueError:  # how tree-sitter says that it was told to stop
        return None
    finally:
        window.clear()
    # Predicates of a query crash the process on a tree that was read by callback (tree-sitter 0.26.1). Parsing the same
    # bytes again reuses the whole tree, and only this form keeps the text that predicates need.
    return Parser(loaded.language).parse(data, bounded)


def is_quoted_kind(kind: str) -> bool:
    """Whether a node of this type is a string, a comment or the like."""
    return any(word in kind for word in _QUOTED)


def error_count(tree: Tree) -> int:
    """Count the ERROR and missing nodes of a tree."""
    count = 0
    pending = [tree.root_node] if tree.root_node.has_error else []
    while pending:
        node = pending.pop()
        count += node.is_error or node.is_missing
        pending.extend(child for child in node.children if child.has_error or child.is_missing)
    return count


def enclosing_definition(outline: Outline, line: int) -> Definition | None:
    """Find the innermost definition whose lines hold `line`."""
    around = [item for item in outline.definitions if item.start_line <= line <= item.end_line]
    return min(around, key=lambda item: (item.end - item.start, -item.start), default=None)


def place(tree: Tree, data: bytes, offset: int) -> Place:
    """Describe the surroundings of a byte offset: the place between two bytes."""
    offset = max(0, min(offset, len(data)))
    node = tree.root_node.descendant_for_byte_range(max(0, offset - 1), offset)
    return Place(quoted=_is_quoted(node, data, offset), empty_block=_in_empty_block(tree, data, offset))


def _is_quoted(node: Node | None, data: bytes, offset: int) -> bool:
    while node is not None:
        kind = node.type
        if any(word in kind for word in _INTERPOLATED):
            return False
        if node.is_named and is_quoted_kind(kind):
            inside = node.start_byte < offset < node.end_byte
            # A line comment goes on to the end of its line, and so does a string that nobody closed.
            return inside or (offset == node.end_byte and _is_open(node, data))
        node = node.parent
    return False


def _is_open(node: Node, data: bytes) -> bool:
    if "comment" in node.type or "haddock" in node.type:
        return not data[: node.end_byte].endswith((b"*/", b"-->", b"-}", b"]]", b"\n"))
    return node.has_error


def _in_empty_block(tree: Tree, data: bytes, offset: int) -> bool:
    """Is there nothing but space between the cursor and the opening of its block on one side, its end on the other?"""
    before = data[:offset].rstrip()
    if not before:
        return True
    opener = before[-1:]
    after = data[offset:].lstrip()
    line_start = data.rfind(b"\n", 0, len(before)) + 1
    if opener == b"{":
        return not after or after.startswith(b"}")
    last = before[line_start:].split()[-1:]
    if opener == b":" or last in ([b"do"], [b"then"], [b"=>"], [b"begin"]):
        return not after or _indent(data, offset + len(data[offset:]) - len(after)) <= _indent(data, line_start)
    node = tree.root_node.descendant_for_byte_range(offset, offset)
    return (
        node is not None
        and any(word in node.type for word in _BODIES)
        and node.named_child_count == 0
        and node.start_byte < offset
    )


def _indent(data: bytes, offset: int) -> int:
    """Indentation, in bytes, of the line that holds `offset`."""
    start = data.rfind(b"\n", 0, offset) + 1
    end = data.find(b"\n", start)
    line = data[start : end if end >= 0 else len(data)]
    return len(line) - len(line.lstrip())
