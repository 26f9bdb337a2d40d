"""Pairs of texts that mean the same, found in source files: what a person might ask, and the code that answers it.

The code side looks like what the index embeds: header, line feed, verbatim slice. The text that became the question is
cut out of the answer, otherwise the model would only learn to match a text with itself.
"""

import random
import re
from collections.abc import Iterator
from itertools import pairwise

from impetus.domain.chunking import analyse
from impetus.domain.tokens import parts, words
from impetus.domain.types import Analysis, Chunk, Definition
from impetus.languages import languages
from training.static_embedder.corpus import SourceFile
from training.static_embedder.dataset import KINDS, Pair

#: How many pairs of a kind one package may give; together they keep one package from dominating.
CAPS = {
    "doc": 2000,
    "name": 500,
    "comment": 1000,
    "file": 150,
    "owner": 150,
    "neighbor": 250,
    "readme": 200,
    "test": 200,
}

_MAX_CODE = 1_600
_DOCSTRING = re.compile(r'(?s)[rRuU]?("""|\'\'\')(.*?)\1|@(?:module)?doc\s+~?[sS]?"""(.*?)"""')
_LINE_COMMENT = re.compile(r"^\s*(?://+!?|#+|--+|;+|\*|/\*+)\s?")
_CODE_LIKE = re.compile(r"[;{}=<>()\[\]]")
_LEGAL = re.compile(
    r"(?i)copyright|license|spdx|warranty|redistribut|\bauthor\b|all rights|eslint|noqa|pylint|todo|fixme"
)
_BACKTICKED = re.compile(r"`{1,2}([A-Za-z_][\w.:#]*?)(?:\(.*?\))?`{1,2}")
_HISTORY = re.compile(r"(?i)change|history|news|release|migrat")
_TEST = re.compile(r"(?i)^test_?|_?test$|^should_?|^it_?")


def package_pairs(files: list[SourceFile], seed: int) -> list[Pair]:
    """Every pair of one package, without near-duplicates and within the caps."""
    chooser = random.Random(seed)
    named: dict[str, list[tuple[str, str]]] = {}
    tests: list[tuple[str, str, str]] = []
    found: dict[str, list[Pair]] = {kind: [] for kind in KINDS}
    prose = [file for file in files if file.language == "markdown" and not _HISTORY.search(file.path)]
    for file in files:
        if file.language == "markdown":
            continue
        analysis = analyse(file.data, file.language)
        for pair in _file_pairs(file, analysis):
            found[pair.kind].append(pair)
        for item in analysis.outline.definitions:
            code = _shorten(_code_of(item, file.data)[0])
            if item.kind in ("function", "method") and _TEST.search(item.name):
                tests.append((item.name, code, file.language))
            elif len(code) > 80:
                named.setdefault(item.name.lower(), []).append((code, file.language))
    found["readme"].extend(_readme_pairs(prose, named))
    found["test"].extend(_test_pairs(tests, named))
    kept: list[Pair] = []
    for kind, pairs in found.items():
        unique = list({_fingerprint(pair): pair for pair in pairs}.values())
        chooser.shuffle(unique)
        kept.extend(unique[: CAPS[kind]])
    return kept


def _file_pairs(file: SourceFile, analysis: Analysis) -> Iterator[Pair]:
    chunks = analysis.chunks
    for item in analysis.outline.definitions:
        code, body = _code_of(item, file.data)
        if len(words(body)) < 6:
            continue
        if _is_prose(item.doc):
            yield Pair("doc", file.language, item.doc, _with_header(item.scope, code))
            if item.end - item.start > 2_000:
                for chunk in [chunk for chunk in chunks if item.start < chunk.start < item.end][:2]:
                    yield Pair("owner", file.language, item.doc, chunk_text(chunk, file.data))
        if len(parts(item.name)) > 1 or item.scope:
            question = " ".join((*(" ".join(parts(name)) for name in item.scope[-1:]), *parts(item.name)))
            yield Pair("name", file.language, question, _shorten(body))
    yield from _comment_pairs(file)
    intro = _file_doc(file)
    if intro:
        for chunk in chunks[1:4]:
            yield Pair("file", file.language, intro, chunk_text(chunk, file.data))
    for first, second in list(pairwise(chunks))[::3]:
        if first.end - first.start > 300 and second.end - second.start > 300:
            yield Pair("neighbor", file.language, chunk_text(first, file.data), chunk_text(second, file.data))


def chunk_text(chunk: Chunk, data: bytes) -> str:
    """The text that the index embeds for a chunk."""
    piece = data[chunk.start : chunk.end].decode("utf-8", "replace")
    return f"{chunk.header}\n{piece}" if chunk.header else piece


def _code_of(item: Definition, data: bytes) -> tuple[str, str]:
    """The definition without its documentation, and the same without the line that names it."""
    lines = data[item.start : item.end].decode("utf-8", "replace").split("\n")
    code = "\n".join(lines[item.name_line - item.start_line :])
    if item.doc:
        code = _DOCSTRING.sub(" ", code, count=1)
    body = code.partition("\n")[2]
    return code, body


def _comment_pairs(file: SourceFile) -> Iterator[Pair]:
    language = languages()[file.language]
    marker = language.line_comment
    if not marker:
        return
    lines = file.data.decode("utf-8", "replace").split("\n")
    position = 0
    while position < len(lines):
        first = position
        while position < len(lines) and lines[position].lstrip().startswith(marker):
            position += 1
        if position == first:
            position += 1
            continue
        if not lines[first].startswith((" ", "\t")):
            continue  # at the top level: a doc comment or a legal notice
        text = " ".join(_LINE_COMMENT.sub("", line) for line in lines[first:position]).strip()
        code = _block_after(lines, position)
        if len(text.split()) >= 4 and _is_prose(text) and len(words(code)) >= 8:
            yield Pair("comment", file.language, text[:400], code)


def _block_after(lines: list[str], start: int) -> str:
    """Up to twelve lines that follow, until the indentation falls below that of the first."""
    block: list[str] = []
    indent = -1
    for line in lines[start : start + 12]:
        here = len(line) - len(line.lstrip())
        if line.strip():
            if indent < 0:
                indent = here
            elif here < indent:
                break
        block.append(line)
    return "\n".join(block)


def _file_doc(file: SourceFile) -> str:
    """The documentation at the top of a file, unless it is a legal notice."""
    head = file.data[:3_000].decode("utf-8", "replace").lstrip()
    docstring = _DOCSTRING.match(head)
    if docstring:
        text = docstring[2] or ""
    else:
        comment = re.match(r"(?s)/\*+(.*?)\*/|\{-(.*?)-\}|((?:\s*(?://|#|--)[^\n]*\n)+)", head)
        text = "\n".join(group for group in comment.groups() if group) if comment else ""
        text = "\n".join(_LINE_COMMENT.sub("", line) for line in text.split("\n"))
    text = " ".join(text.split("\n\n", 1)[0].split())[:400]
    return text if len(text.split()) >= 5 and _is_prose(text) else ""


def _readme_pairs(prose: list[SourceFile], named: dict[str, list[tuple[str, str]]]) -> Iterator[Pair]:
    """Sentences that name one definition of the package ↔ that definition; its name is taken out of the sentence."""
    for file in prose:
        for paragraph in re.split(r"\n\s*\n|\n[-*#] ", file.data.decode("utf-8", "replace")):
            if not 30 <= len(paragraph) <= 600 or "```" in paragraph:
                continue
            for mention in _BACKTICKED.finditer(paragraph):
                name = re.split(r"[.:#]", mention[1])[-1].lower()
                targets = named.get(name, [])
                if len(targets) == 1 and len(name) > 4:
                    sentence = " ".join(paragraph.replace(mention[0], " ").split())
                    if len(sentence.split()) >= 5:
                        yield Pair("readme", targets[0][1], sentence[:400], targets[0][0])


def _test_pairs(tests: list[tuple[str, str, str]], named: dict[str, list[tuple[str, str]]]) -> Iterator[Pair]:
    for name, code, language in tests:
        subject = _TEST.sub("", name).lower()
        targets = [target for target in named.get(subject, []) if target[1] == language]
        if len(subject) > 4 and len(targets) == 1:
            yield Pair("test", language, code, targets[0][0])


def _with_header(scope: tuple[str, ...], code: str) -> str:
    return _shorten(f"{'.'.join(scope)}\n{code}" if scope else code)


def _shorten(code: str) -> str:
    return code[:_MAX_CODE]


def _is_prose(text: str) -> bool:
    return (
        len(text.split()) >= 3
        and not _LEGAL.search(text)
        and len(_CODE_LIKE.findall(text)) * 12 < len(text)
        and sum(character.isascii() for character in text) > len(text) * 0.8
    )


def _fingerprint(pair: Pair) -> tuple[str, str]:
    """Equal for pairs that differ in little: many copies of one docstring or one body teach nothing new."""
    question = words(pair.question)
    if pair.kind == "neighbor":
        return " ".join(question[:40]), ""
    answer = words(pair.code)[:6] if pair.kind == "owner" else []
    return " ".join((pair.kind, *question[:12])), " ".join(answer)
