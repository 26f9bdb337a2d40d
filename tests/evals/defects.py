"""What must never be wrong with a completion that is shown, judged by other code than that which prevents it."""

from tree_sitter import Node

from impetus.domain.fim import FORMATS
from impetus.domain.syntax import error_count, is_quoted_kind, parse

KINDS = ("adds a syntax error", "leaks a control token", "repeats the following line", "leaves a bracket unbalanced")

_MARKS = frozenset(mark for form in FORMATS for mark in form.stops() if len(mark) > 4)
_PAIRS = {")": "(", "]": "[", "}": "{"}
_CLOSING = frozenset({"done", "end", "esac", "fi"})
_BRACKETS = frozenset(b"()[]{}")


def defects(text: str, offset: int, shown: str, language: str) -> list[str]:
    """The KINDS that are true of `shown`, put into `text`."""
    whole = text[:offset] + shown + text[offset:]
    before, after = parse(text.encode(), language), parse(whole.encode(), language)
    found = []
    if before is not None and after is not None and error_count(after) > error_count(before):
        found.append(KINDS[0])
    if any(mark in shown for mark in _MARKS):
        found.append(KINDS[1])
    if _repeats(text, offset, shown):
        found.append(KINDS[2])
    if after is not None:
        # What is a string is told by the text as it becomes: one that is left open changes all that follows.
        data, start = whole.encode(), len(text[:offset].encode())
        inserted = range(start, start + len(shown.encode()))
        if _unbalanced(after.root_node, data) > _unbalanced(after.root_node, data, inserted):
            found.append(KINDS[3])
    return found


def _repeats(text: str, offset: int, shown: str) -> bool:
    """Whether a written line is the first line below the cursor once more; lines that only close something may be."""
    below = next((line.rstrip() for line in text[offset:].split("\n")[1:] if line.strip()), "")
    left = text[text.rfind("\n", 0, offset) + 1 : offset]
    written = [line.rstrip() for line in (left + shown).split("\n")]
    return any(character.isalnum() for character in below) and below.strip() not in _CLOSING and below in written


def _unbalanced(root: Node, text: bytes, left_out: range = range(0)) -> int:
    """Brackets outside of strings and comments that have no partner, without those at the places `left_out`."""
    lonely = 0
    stack: list[str] = []
    code = _code(root, len(text))
    for at in (at for at, byte in enumerate(text) if byte in _BRACKETS and code[at] and at not in left_out):
        bracket = chr(text[at])
        if bracket in "([{":
            stack.append(bracket)
        elif stack and stack[-1] == _PAIRS[bracket]:
            stack.pop()
        else:
            lonely += 1
    return lonely + len(stack)


def _code(root: Node, size: int) -> bytearray:
    """1 for each byte that is neither in a string nor in a comment; what a string interpolates is code."""
    code = bytearray(b"\1" * size)
    pending = [(root, False)]
    while pending:
        node, quoted = pending.pop()
        now = (quoted or (node.is_named and is_quoted_kind(node.type))) and "interpolation" not in node.type
        if now != quoted:
            code[node.start_byte : node.end_byte] = bytes([not now]) * (node.end_byte - node.start_byte)
        if node.type == "case_item":  # of a shell: its pattern ends with a bracket that has no partner
            ends = next(child for child in node.children if child.type == ")")
            code[ends.start_byte] = False
        pending.extend((child, now) for child in node.children)
    return code
