"""What must never be wrong with a completion that is shown, judged by other code than that which prevents it."""

from collections import Counter

from tree_sitter import Node

from impetus.domain.fim import FORMATS
from impetus.domain.syntax import error_count, is_quoted_kind, parse

KINDS = ("adds a syntax error", "leaks a control token", "repeats the following line", "leaves a bracket unbalanced")

_MARKS = frozenset(mark for form in FORMATS for mark in form.stops() if len(mark) > 4)
_PAIRS = {")": "(", "]": "[", "}": "{"}
_CLOSING = frozenset({"done", "end", "esac", "fi"})
_BRACKETS = frozenset("()[]{}")


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
    if before is not None and after is not None and _unbalanced(after.root_node) > _unbalanced(before.root_node):
        found.append(KINDS[3])
    return found


def _repeats(text: str, offset: int, shown: str) -> bool:
    """Whether a written line is the first line below the cursor once more; lines that only close something may be."""
    below = next((line.rstrip() for line in text[offset:].split("\n")[1:] if line.strip()), "")
    left = text[text.rfind("\n", 0, offset) + 1 : offset]
    written = [line.rstrip() for line in (left + shown).split("\n")]
    return any(character.isalnum() for character in below) and below.strip() not in _CLOSING and below in written


def _unbalanced(root: Node) -> int:
    """Brackets outside of strings and comments that have no partner."""
    counts: Counter[str] = Counter()
    stack: list[str] = []
    for kind in _brackets(root):
        if kind in "([{":
            stack.append(kind)
        elif stack and stack[-1] == _PAIRS[kind]:
            stack.pop()
        else:
            counts[kind] += 1
    return counts.total() + len(stack)


def _brackets(root: Node) -> list[str]:
    found: list[str] = []
    pending = [root]
    while pending:
        node = pending.pop()
        if node.is_named and is_quoted_kind(node.type):
            pending.extend(child for child in reversed(node.children) if "interpolation" in child.type)
        elif node.child_count == 0:
            if node.type in _BRACKETS and not node.is_missing:
                found.append(node.type)
        else:
            pending.extend(reversed(node.children))
    return found
