"""Whether a completion would break the document that it goes into, judged by the syntax tree. Pure."""

import re
from collections.abc import Sequence

from tree_sitter import Node, Tree

from impetus.domain.syntax import error_count, parse

_BRACKET = re.compile(rb"[()\[\]{}]")
_PLAIN = re.compile(r"[()\[\]{}]")
_PAIRS = {")": "(", "]": "[", "}": "{"}


def breaks(document: str, offset: int, completion: str, language: str) -> bool:
    """Whether the document has more syntax errors with the completion than without, or more brackets that have no
    partner; False when it cannot be told.
    """
    before = parse(document.encode("utf-8", "replace"), language)
    start, added = document[:offset].encode("utf-8", "replace"), completion.encode("utf-8", "replace")
    whole = start + added + document[offset:].encode("utf-8", "replace")
    after = parse(whole, language)
    if before is None or after is None:
        return False
    if error_count(after) > error_count(before):
        return True
    if not _lonely(_PLAIN.findall(completion)):
        return False  # its brackets are its own affair
    brackets = _brackets(after, whole)
    others = [bracket for at, bracket in brackets if not len(start) <= at < len(start) + len(added)]
    return _lonely([bracket for _, bracket in brackets]) > _lonely(others)


def _brackets(tree: Tree, text: bytes) -> list[tuple[int, str]]:
    """Place and kind of each bracket that the grammar takes for one, so none in strings and comments. That which ends
    the pattern of a shell's case has no partner by nature.
    """
    found = []
    for match in _BRACKET.finditer(text):
        node = tree.root_node.descendant_for_byte_range(match.start(), match.end())
        bracket = match[0].decode()
        # Also a part of `$(`, `${` or `((`, all of which are tokens without a name; text in a string has one.
        if node is not None and not node.is_named and bracket in node.type and not _ends_pattern(node):
            found.append((match.start(), bracket))
    return found


def _ends_pattern(bracket: Node) -> bool:
    return bracket.type == ")" and bracket.parent is not None and bracket.parent.type == "case_item"


def _lonely(brackets: Sequence[str]) -> int:
    """How many have no partner."""
    stack: list[str] = []
    closing = 0
    for bracket in brackets:
        if bracket in "([{":
            stack.append(bracket)
        elif stack and stack[-1] == _PAIRS[bracket]:
            stack.pop()
        else:
            closing += 1
    return len(stack) + closing
