"""Content that is no source for questions: binary, minified, generated, mostly data, locks of package managers.

Judges the bytes (and for locks and minified files the name), never whether they hold secrets. Each rule prefers to let
a file in: prose in long lines, scripts without spaces between words and hand-written talk of "generated" all pass.
"""

import re

_BINARY_HEAD = 8192
_SAMPLE = 65_536
_SMALL = 4096  # below this nothing is called minified or data by its statistics
_LONG_LINE = 500
_TOP_LINES = 30

_TEXT_CONTROLS = b"\t\n\f\r\x1b"
_CONTROLS = bytes(c for c in range(32) if c not in _TEXT_CONTROLS) + b"\x7f"
_WHITE = b" \t\n\r\f\v"
_HIGH = bytes(range(128, 256))

_LOCK = re.compile(
    r"(?:^|/)(?:package-lock\.json|npm-shrinkwrap\.json|yarn\.lock|pnpm-lock\.yaml|bun\.lock|deno\.lock|poetry\.lock"
    r"|uv\.lock|pdm\.lock|pixi\.lock|Pipfile\.lock|Cargo\.lock|composer\.lock|Gemfile\.lock|go\.sum|go\.work\.sum"
    r"|flake\.lock|mix\.lock|pubspec\.lock|Podfile\.lock|Package\.resolved|packages\.lock\.json|gradle\.lockfile"
    r"|conda-lock\.yml|\.terraform\.lock\.hcl)$"
)
_MINIFIED_NAME = re.compile(r"[.-]min\.(?:js|mjs|cjs|css|html)$")
#: Documentation that a tool wrote is still what people read and ask about.
_PROSE = re.compile(r"\.(?:md|markdown|mdx|rst|txt|adoc|asciidoc|org)$", re.IGNORECASE)

_COMMENT = re.compile(r"\s*(?://+|#+|/\*+|\*+|--+\[*|;+|<!--+|%+|\(\*+|\{-+|REM\b|\"{1,3}|')[!\s*=#/-]*", re.IGNORECASE)
_ABOUT_ITSELF = re.compile(
    r"(?:(?:(?:this|the)\s+)?(?:code|file|source|module|class|header|parser)\s+)?(?:(?:is|was|has been)\s+)?"
    r"(?:automatically[ -]|auto-?|machine[ -])?generated\b"
    r"(?=\s+(?:by|for|from|with|using|via|automatically|code|content|file)\b|\s*[-.,;:!(]|\s*$)"
    r"|.{0,30}\bthis\s+(?:file|module|code|class|header|source|document)\b.{0,40}\bgenerated\b"
    r"|do\s+not\s+(?:edit|modify|change)(?:\s+(?:this|it|by\s+hand|manually|directly)\b|\s*[-.,;:!(]).{0,40}\bgenerated\b",
    re.IGNORECASE,
)
_HANDS_OFF = re.compile(
    r"do\s+not\s+(?:edit|modify|change|alter|touch)\b|don't\s+(?:edit|modify)\b|not\s+(?:be\s+)?(?:edited|modified)\b"
    r"|changes\b.{0,60}\b(?:lost|overwritten)\b|manual\s+changes\b",
    re.IGNORECASE,
)
_BY_A_MACHINE = re.compile(
    r"\bthis\s+\w+\s+(?:is|was|has been)\s+(?:automatically[ -]|auto-?)generated\b", re.IGNORECASE
)
_MARKER = re.compile(
    r"(?:this\s+(?:file|code)\s+is\s+)?@generated(?![\w(`\"'])|<auto-?generated\b|generated\s+from\s+\S+\s+by\s+antlr\b"
    r"|a\s+(?:bison|lexical)\s+(?:parser|scanner),?\s+(?:made|generated)\s+by\b",
    re.IGNORECASE,
)
_WORD = re.compile(rb"[A-Za-z]{4}")
_ENCODED_LINE = re.compile(rb"[\s\"',]*[A-Za-z0-9+/_-]{60,}={0,2}[\s\"',\\]*")


def reject(path: str, data: bytes) -> str | None:
    """Why the content of `path` is not worth an index, in words, or None."""
    return (
        _binary(data)
        or ("a lock file of a package manager" if _LOCK.search(path) else None)
        or ("minified, going by its name" if _MINIFIED_NAME.search(path) else None)
        or (None if _PROSE.search(path) else _generated(data))
        or _statistics(data)
    )


def _binary(data: bytes) -> str | None:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "UTF-16 text; save it as UTF-8 to have it indexed"
    if b"\0" in data[:_BINARY_HEAD]:
        return "binary"
    sample = data[:_SAMPLE]
    if not sample:
        return None
    if _share(sample, _CONTROLS) > 0.1:
        return "binary: too many control characters"
    try:
        sample.decode()
    except UnicodeDecodeError:
        kept = len(sample.decode("utf-8", "ignore").encode())
        if kept < 0.7 * len(sample):
            return "neither UTF-8 text nor anything close to it"
    return None


def _generated(data: bytes) -> str | None:
    lines = data[:_BINARY_HEAD].decode("utf-8", "replace").removeprefix("\ufeff").splitlines()[:_TOP_LINES]
    # Only comments count, each without its marks; a string that a generator writes is no comment of this file.
    comments = [line[mark.end() :] if (mark := _COMMENT.match(line)) else "" for line in lines]
    for index, text in enumerate(comments):
        near = " ".join(comments[max(0, index - 4) : index + 5])
        about_itself = _ABOUT_ITSELF.match(text)
        if _MARKER.match(text) or (about_itself and (_HANDS_OFF.search(near) or _BY_A_MACHINE.search(text))):
            return f"generated: {text.strip()[:60]}"
    return None


def _statistics(data: bytes) -> str | None:
    if len(data) < _SMALL:
        return None
    solid = data.translate(None, _WHITE)
    lines = data.split(b"\n")
    if _share(solid, b"0123456789") > 0.5 and sum(map(bool, map(_WORD.search, lines))) < 0.25 * len(lines):
        return "mostly numbers"
    encoded = sum(len(line) for line in lines if len(line) >= 60 and _ENCODED_LINE.fullmatch(line))
    if encoded > 0.5 * len(data):
        return "mostly encoded data"
    long_lines = b"".join(line for line in lines if len(line) > _LONG_LINE)
    if len(long_lines) <= 0.5 * len(data):
        return None
    if data.lstrip()[:1] in (b"{", b"[") and max(map(len, lines)) > 0.9 * len(data):
        return "data on one line"
    # Prose with a paragraph a line has 15 % white space, minified code 2 to 6 %; Chinese prose has none at all.
    if _share(long_lines, _WHITE) < 0.1 and _share(long_lines, _HIGH) < 0.3:
        return "minified or data: very long lines with little white space"
    return None


def _share(data: bytes, members: bytes) -> float:
    return 1 - len(data.translate(None, members)) / len(data) if data else 0.0
