"""Git's wildcards as regular expressions: `*`, `?`, `[…]`, `**` between slashes, backslash escapes.

Follows wildmatch.c, oddities included (a `**` right after the literal start of a pattern spans folders). Texts are the
file system's bytes, one character a byte, as git sees them. No pattern backtracks more than linearly per star: all but
the last piece of a pattern are atomic, which is safe because the leftmost match of a piece leaves most to the rest.
"""

import re

_CLASSES = {
    "alnum": "a-zA-Z0-9",
    "alpha": "a-zA-Z",
    "blank": " \\t",
    "cntrl": "\\x00-\\x1f\\x7f",
    "digit": "0-9",
    "graph": "!-~",
    "lower": "a-z",
    "print": " -~",
    "punct": "!-/:-@\\[-`{-~",
    "space": " \\t\\n\\r\\f\\v",
    "upper": "A-Z",
    "xdigit": "0-9a-fA-F",
}
_SPECIAL = re.compile(r"[*?\[\\]")
_STAR, _DEEP, _SLASH = "*", "**", "/"  # every other token is a regular expression for one character


class NeverMatches(ValueError):
    """A pattern that git gives up on: an open bracket, an unknown class, a backslash at the end."""


def translate(pattern: str, *, whole_path: bool) -> str:
    """A regular expression for `fullmatch`, over a path when `whole_path`, else over one name.

    Raises NeverMatches.
    """
    found = _SPECIAL.search(pattern)
    if found is None:
        return re.escape(pattern)
    start = found.start()
    tokens = _tokens(pattern[start:], whole_path)
    return re.escape(pattern[:start]) + _join(tokens)


def literal_length(pattern: str) -> int:
    """How many characters come before the first one that has a meaning."""
    found = _SPECIAL.search(pattern)
    return len(pattern) if found is None else found.start()


def _tokens(pattern: str, whole_path: bool) -> list[str]:
    out: list[str] = []
    i = 0
    while i < len(pattern):
        char = pattern[i]
        if char == "*":
            end = i
            while end < len(pattern) and pattern[end] == "*":
                end += 1
            alone = (i == 0 or pattern[i - 1] == "/") and (end == len(pattern) or pattern.startswith(("/", "\\/"), end))
            out.append(_DEEP if whole_path and end - i > 1 and alone else _STAR)
            i = end
        elif char == "?":
            out.append("[^/]")
            i += 1
        elif char == "[":
            token, i = _bracket(pattern, i)
            out.append(token)
        elif char == "\\":
            if i + 1 == len(pattern):
                raise NeverMatches(pattern)
            escaped = pattern[i + 1]
            out.append(_SLASH if escaped == "/" else re.escape(escaped))
            i += 2
        else:
            out.append(_SLASH if char == "/" else re.escape(char))
            i += 1
    return out


def _bracket(pattern: str, start: int) -> tuple[str, int]:
    """One `[…]` from `start`: the class and the place after it."""
    i = start + 1
    negated = pattern[i : i + 1] in ("!", "^")
    if negated:
        i += 1
    members = ""
    previous: str | None = None
    first = True
    while True:
        char = pattern[i : i + 1]
        if not char:
            raise NeverMatches(pattern)
        if char == "]" and not first:
            break
        first = False
        if pattern.startswith("[:", i):
            close = pattern.find("]", i + 2)
            if close < 0:
                raise NeverMatches(pattern)
            if close > i + 2 and pattern[close - 1] == ":":
                name = pattern[i + 2 : close - 1]
                if name not in _CLASSES:
                    raise NeverMatches(pattern)
                members += _CLASSES[name]
                previous = None
                i = close + 1
                continue
        if char == "-" and previous is not None and pattern[i + 1 : i + 2] not in ("", "]"):
            char, i = _member(pattern, i + 1)
            if previous <= char:
                members += f"{re.escape(previous)}-{re.escape(char)}"
            previous = None
            continue
        char, i = _member(pattern, i)
        members += re.escape(char)
        previous = char
    if not members:  # only reversed ranges: nothing is in the class
        return ("[^/]" if negated else "(?!)"), i + 1
    return (f"[^/{members}]" if negated else f"(?!/)[{members}]"), i + 1


def _member(pattern: str, i: int) -> tuple[str, int]:
    if pattern[i] == "\\":
        i += 1
        if i == len(pattern):
            raise NeverMatches(pattern)
    return pattern[i], i + 1


def _join(tokens: list[str]) -> str:
    """Folder-spanning groups, each made of segments, each made of pieces between stars."""
    groups: list[list[list[str]]] = [[[]]]
    for token in tokens:
        if token == _DEEP:
            groups.append([[]])
        elif token == _SLASH:
            groups[-1].append([])
        else:
            groups[-1][-1].append(token)
    parts = ["/".join(_segment(segment) for segment in segments) for segments in groups]
    out = parts[0]  # ends in "/" when a `**` follows, or is empty
    for part in parts[1:-1]:
        inner = part.removeprefix("/")
        if inner:
            out += f"(?>(?:[^/]*/)*?{inner})"
    if len(parts) > 1:
        last = parts[-1]
        # At the end of the pattern `**` takes everything; before a slash it takes any number of folders.
        out += f"(?:[^/]*/)*{last.removeprefix('/')}" if last.startswith("/") else "(?s:.*)"
    return out


def _segment(tokens: list[str]) -> str:
    pieces: list[str] = [""]
    for token in tokens:
        if token == _STAR:
            pieces.append("")
        else:
            pieces[-1] += token
    if len(pieces) == 1:
        return pieces[0]
    middle = "".join(f"(?>[^/]*?{piece})" for piece in pieces[1:-1] if piece)
    return f"{pieces[0]}{middle}[^/]*{pieces[-1]}"
