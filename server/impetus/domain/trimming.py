"""What to keep of a completion model's answer: cut to its shape, made to fit the text around, dropped when bad. Pure.

Each filter has one reason; they run in the order of FILTERS, and the first that leaves nothing ends it.
"""

import re
from collections.abc import Callable, Sequence

from impetus.domain.completion import CLOSERS, Plan
from impetus.domain.fim import FORMATS, leaked
from impetus.domain.types import Shape

_CONTROL = frozenset(token for form in FORMATS for token in form.stops() if len(token) > 5)
_LAST_WORD = re.compile(r"[^\W\d]\w*$")
_FIRST_WORD = re.compile(r"[^\W\d]\w*")
_DOTTED = re.compile(r"[^\W\d][\w.]{2,}$")
#: How what opens a block may end before its brace.
_HEAD = re.compile(r"[\w)\]]$")
_CLOSING_WORDS = frozenset({"done", "end", "esac", "fi"})
_PAIRS = {")": "(", "]": "[", "}": "{"}

#: Lines of a block at most; more is rarely wanted and rarely right.
MAX_BLOCK_LINES = 12
#: Lines of a statement that opens brackets and closes them further down.
MAX_STATEMENT_LINES = 8
#: A stretch of text that comes again at once, three times at least and over so many characters, is a loop.
LEAST_LOOP = 24
LONGEST_RULE = 120
#: Characters of white space after which nothing else is expected.
MAX_BLANK = 60
#: Lines above and below the cursor that a completion must not repeat.
NEAR_LINES = 3


def finished(raw: str, plan: Plan) -> bool:
    """Whether more text could not change what is kept, so that generating can stop."""
    if _loops(raw):
        return True
    if plan.shape is Shape.LINE:
        if not raw.strip():
            return raw.count("\n") > 1 or len(raw) > MAX_BLANK
        lines = raw.lstrip("\r\n").split("\n")
        return len(lines) > 1 and (_statement(lines[:-1], plan) is not None or len(lines) > MAX_STATEMENT_LINES)
    kept = _cut_block(raw, plan)
    return len(kept) < len(raw.rstrip()) or kept.count("\n") >= MAX_BLOCK_LINES


def whole_lines(raw: str, plan: Plan) -> str:
    """A block that was cut off in the middle of a line, without that line."""
    return raw[: raw.rfind("\n")] if plan.shape is Shape.BLOCK and "\n" in raw.strip() else raw


def trim(raw: str, plan: Plan) -> str | None:
    """The text to insert at the cursor, or None when nothing of it is worth showing."""
    text = raw.replace("\r\n", "\n")
    for keep in FILTERS:
        text = keep(text, plan)
        if not text.strip():
            return None
    return text


# -- filters ---------------------------------------------------------------------------------------------------------


def _without_control_tokens(text: str, _plan: Plan) -> str:
    """Some models spell their marks out as text."""
    return text[: leaked(text, _CONTROL)].replace("\ufffd", "")


def _cut(text: str, plan: Plan) -> str:
    if plan.shape is Shape.LINE:
        # Where the line is empty so far, leading line ends are noise; after text they mean: nothing to add.
        line = text.lstrip("\n") if not plan.left.strip() and not text.startswith((" ", "\t")) else text
        lines = line.split("\n")
        return _statement(lines, plan) or lines[0]
    return _cut_block(text, plan)


def _statement(lines: Sequence[str], plan: Plan) -> str | None:
    """The lines up to the one that closes all brackets the text has opened; None when it opens one for good."""
    if plan.right.strip():
        return lines[0]  # the rest of the line is there already
    for number in range(1, min(len(lines), MAX_STATEMENT_LINES) + 1):
        text = "\n".join(lines[:number])
        if not _unmatched(text):
            return text
    return None


def _cut_block(text: str, plan: Plan) -> str:
    """Up to the first line that stands no deeper than the block's opener; a closing line of the block is kept."""
    opener = _opener(plan)
    base = _indent(opener)
    lines = text.split("\n")
    kept: list[str] = []
    for number, line in enumerate(lines):
        whole = plan.left + line if number == 0 else line
        if whole.strip() and (number > 0 or not plan.left.strip()) and _indent(whole) <= base:
            closes = opener.rstrip().endswith(("{", "(", "[")) and _indent(whole) == base
            if closes and whole.strip()[0] in ")]}" and set(whole.strip()) <= CLOSERS:
                kept.append(line)
            break
        kept.append(line)
        if len(kept) > MAX_BLOCK_LINES:
            break
    kept = kept[:MAX_BLOCK_LINES]
    while kept and not kept[-1].strip():
        kept.pop()
    return "\n".join(kept)


def _without_retyping(text: str, plan: Plan) -> str:
    """What was just typed is not typed again: a second space, `zlib.` after `zlib.`, `import` after `import`."""
    if not plan.left.strip():
        # One space more than the editor's indentation is a slip, but in front of a comment's star.
        slip = plan.left and text.startswith(" ") and text[1:2] not in (" ", "*")
        return text[1:] if slip else text
    if plan.left[-1].isspace():
        text = text.lstrip(" \t")
        word = _LAST_WORD.search(plan.left.rstrip())
        again = _FIRST_WORD.match(text)
        only_comment = text.startswith(("#", "//")) and not plan.left.lstrip().startswith(("#", "//"))
        return "" if only_comment or (word and again and word[0] == again[0]) else text
    typed = _DOTTED.search(plan.left)
    return text[len(typed[0]) :] if typed and text.startswith(typed[0]) else text


def _without_trailing_space(text: str, _plan: Plan) -> str:
    return text.rstrip()


def _without_overlap(text: str, plan: Plan) -> str:
    """The end of the completion that is there already: on the cursor's line, or as the following lines."""
    right = plan.right.strip()
    if right:
        for size in range(min(len(text), len(right)), 0, -1):
            if text.endswith(right[:size]) and (size > 1 or right[0] not in CLOSERS or _unopened(text)):
                return text[: len(text) - size]
        return text
    below = [line.strip() for line in plan.suffix.split("\n")[1:] if line.strip()][:NEAR_LINES]
    lines = text.split("\n")
    for size in range(min(len(lines), len(below)), 0, -1):
        if [line.strip() for line in lines[-size:]] == below[:size]:
            return "\n".join(lines[:-size]).rstrip()
    return _until_the_next(lines, plan)


def _until_the_next(lines: Sequence[str], plan: Plan) -> str:
    """Up to a line that is, at the same depth, the one below the cursor; lines that only close something may be."""
    following = next((line.rstrip() for line in plan.suffix.split("\n")[1:] if line.strip()), "")
    if _FIRST_WORD.search(following) and following.strip() not in _CLOSING_WORDS:
        for number, line in enumerate(lines):
            whole = plan.left + line if number == 0 else line
            if whole.rstrip() == following:
                return "\n".join(lines[:number]).rstrip()
    return "\n".join(lines)


def _balanced(text: str, plan: Plan) -> str:
    """Without closing brackets that nothing opened: neither the completion nor the cursor's line left of it."""
    # What stands right of the cursor closes brackets of this line, and so must the text.
    depth = _unmatched(plan.left) if plan.right.strip() else _open_brackets(plan.prefix)
    taken = _leading_closers(plan.suffix)
    for closer in taken:  # the suffix will close these itself
        if not depth or depth[-1] != _PAIRS[closer]:
            break  # there is something inside that the text has to close first
        depth.pop()
    for i, (character, quoted) in enumerate(_code(text)):
        if quoted:
            continue
        if character in "([{":
            depth.append(character)
        elif character in _PAIRS:
            if not depth or depth[-1] != _PAIRS[character]:
                return text[:i].rstrip()
            depth.pop()
    return text


def _without_unclosed(text: str, plan: Plan) -> str:
    """Without the lines from the one on that opens a bracket which neither it nor the suffix closes; of a line that
    only opens a block, such as `!= nil {`, all but the brace stays."""
    depth = _open_brackets(plan.prefix)
    spare = []
    for opener in _unopened_closers(plan.suffix):
        if depth and depth[-1] == opener:
            depth.pop()
        else:
            spare.append(opener)
    lines = text.split("\n")
    for number in range(len(lines), 0, -1):
        left = _unmatched("\n".join(lines[:number]))
        if left[::-1] == spare[: len(left)]:
            return text if number == len(lines) else "\n".join(lines[:number]).rstrip()
    head = lines[0].rstrip().removesuffix("{").rstrip()
    opens_block = len(lines) == 1 and text.rstrip().endswith("{") and _HEAD.search(head) and not _unmatched(head)
    return head if opens_block else ""


def _without_repetition(text: str, plan: Plan) -> str:
    """Nothing from a model that goes in circles; a block is cut before its first repeated stretch."""
    if plan.shape is Shape.LINE:
        return "" if _loops(text) else text
    lines = text.split("\n")
    seen: list[str] = []
    for number, line in enumerate(lines):
        content = line.strip()
        if len(content) > 3 and seen.count(content) >= (1 if seen[-1:] == [content] else 2):
            return "\n".join(lines[:number]).rstrip()
        seen.append(content)
    return text


def _without_echo(text: str, plan: Plan) -> str:
    """Nothing that only says again, at the same depth, what stands right above or below."""
    above = [line.rstrip() for line in plan.prefix.split("\n")[:-1] if line.strip()][-1:]
    below = [line.rstrip() for line in plan.suffix.split("\n")[1:] if line.strip()][:1]
    written = [line.rstrip() for line in (plan.left + text).split("\n") if line.strip()]
    if len(written) == 1 and len(written[0].strip()) > 3 and written[0] in above + below:
        return ""
    return text


Filter = Callable[[str, Plan], str]

FILTERS: tuple[Filter, ...] = (
    _without_control_tokens,
    _cut,
    _without_retyping,
    _without_trailing_space,
    _without_overlap,
    _balanced,
    _without_unclosed,
    _without_repetition,
    _without_echo,
)


# -- parts -----------------------------------------------------------------------------------------------------------


def _opener(plan: Plan) -> str:
    before = plan.prefix.rstrip()
    return before[before.rfind("\n") + 1 :]


def _indent(line: str) -> int:
    lead = line[: len(line) - len(line.lstrip(" \t"))]
    return len(lead.replace("\t", "    "))


def _loops(text: str) -> bool:
    """Whether the text's end is one stretch over and over. A row of one character may be a rule across the page."""
    tail = text[-240:]
    for size in range(1, len(tail) // 3 + 1):
        stretch = tail[-size:]
        length = LONGEST_RULE if len(set(stretch)) == 1 else LEAST_LOOP
        times = max(3, -(-length // size))
        if stretch.strip() and tail.endswith(stretch * times):
            return True
    return False


def _code(text: str) -> list[tuple[str, bool]]:
    """Each character and whether it stands in a string. A quote that is not closed on its line opens none."""
    out: list[tuple[str, bool]] = []
    for line in text.splitlines(keepends=True):
        quote = ""
        i = 0
        while i < len(line):
            character = line[i]
            if quote and character == "\\":
                out.extend((c, True) for c in line[i : i + 2])
                i += 2
                continue
            if character == quote:
                quote = ""
                out.append((character, True))
            elif not quote and character in "\"'`" and _closes(line, i):
                quote = character
                out.append((character, True))
            else:
                out.append((character, bool(quote)))
            i += 1
    return out


def _closes(line: str, at: int) -> bool:
    return line.find(line[at], at + 1) >= 0


def _open_brackets(text: str) -> list[str]:
    """Brackets still open at the end of the text, of its last lines; unmatched closers are passed over."""
    return _unmatched(text[-1_500:])


def _unmatched(text: str) -> list[str]:
    """Opening brackets, outermost first, that the text does not close."""
    stack: list[str] = []
    for character, quoted in _code(text):
        if quoted:
            continue
        if character in "([{":
            stack.append(character)
        elif character in _PAIRS and stack and stack[-1] == _PAIRS[character]:
            stack.pop()
    return stack


def _unopened_closers(suffix: str) -> list[str]:
    """The openers that the suffix closes without having opened them, in the order in which it does."""
    stack: list[str] = []
    missing: list[str] = []
    for character, quoted in _code(suffix):
        if quoted:
            continue
        if character in "([{":
            stack.append(character)
        elif character in _PAIRS:
            if stack and stack[-1] == _PAIRS[character]:
                stack.pop()
            elif not stack:
                missing.append(_PAIRS[character])
    return missing


def _leading_closers(suffix: str) -> list[str]:
    """Brackets that the suffix closes first, before any other code."""
    closers: list[str] = []
    for character in suffix:
        if character in _PAIRS:
            closers.append(character)
        elif not character.isspace() and character not in CLOSERS:
            break
    return closers


def _unopened(text: str) -> bool:
    """Whether the text closes a bracket more than it opens, or has an odd number of some quote."""
    stack: list[str] = []
    for character, quoted in _code(text):
        if quoted:
            continue
        if character in "([{":
            stack.append(character)
        elif character in _PAIRS:
            if not stack or stack[-1] != _PAIRS[character]:
                return True
            stack.pop()
    return any(text.count(quote) % 2 for quote in "\"'`") or text[-1:] in ",;:>"
