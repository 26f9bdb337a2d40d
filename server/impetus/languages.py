"""The languages of `grammars/`: which file is in which, and the tree-sitter grammar of each.

A language is a folder with `language.toml` and, where its grammar is used, `chunks.scm`; nothing here names one.
Importing this module reads nothing and loads no tree-sitter; grammars are loaded one by one when first asked for.
"""

import importlib
import re
import threading
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import tree_sitter

TEXT = "text"

_SHEBANG = re.compile(rb"\A(?:\xef\xbb\xbf)?#!\s*(\S+)(?:[ \t]+(?:-S[ \t]+)?(\S+))?")
_VERSION = re.compile(r"[\d.]+$")


@dataclass(frozen=True, slots=True)
class Language:
    """One folder of `grammars/`. `query` is the text of `chunks.scm`, "" when the grammar is not used."""

    name: str
    title: str
    extensions: tuple[str, ...] = ()
    claims: tuple[tuple[str, str], ...] = ()  # extension of another language, pattern of the heads that are this one
    filenames: tuple[str, ...] = ()
    shebangs: tuple[str, ...] = ()
    wheel: str = ""  # requirement as pinned in pyproject.toml
    module: str = ""
    function: str = "language"
    line_comment: str = ""
    block_comment: tuple[str, str] | None = None
    unsafe: str = ""  # pattern of inputs that crash or hang this grammar's parser; such files are treated as text
    common: tuple[str, ...] = ()  # names everybody uses; calls and types of these names are no references
    prose: bool = False  # text with structure rather than code
    query: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Grammar:
    """A loaded grammar and its compiled query. Both are immutable and may be shared between threads."""

    language: "tree_sitter.Language"
    query: "tree_sitter.Query"
    unsafe: re.Pattern[bytes] | None
    common: frozenset[str]
    prose: bool


@lru_cache(maxsize=1)
def languages() -> Mapping[str, Language]:
    """Every language by name."""
    found = [_read(file) for file in sorted(_folder().glob("*/language.toml"))]
    return {language.name: language for language in found}


def detect(path: str, head: bytes = b"") -> str:
    """Name the language of a file: by its name, else its extension, else the shebang in `head`; "text" otherwise."""
    tables = _tables()
    name = PurePosixPath(path.replace("\\", "/")).name
    found = tables.names.get(name)
    if found:
        return found
    pieces = name.lower().split(".")[1:]
    for first in range(len(pieces)):
        extension = "." + ".".join(pieces[first:])
        found = tables.extensions.get(extension)
        if found:
            claims = tables.claims.get(extension, ())
            return next((claimant for pattern, claimant in claims if pattern.search(head)), found)
    match = _SHEBANG.match(head[:256])
    if not match:
        return TEXT
    program = PurePosixPath(match[1].decode("utf-8", "replace")).name
    if program == "env" and match[2]:
        program = PurePosixPath(match[2].decode("utf-8", "replace")).name
    return tables.shebangs.get(program) or tables.shebangs.get(_VERSION.sub("", program)) or TEXT


def grammar(name: str) -> Grammar | None:
    """Load the grammar of a language; None for "text", unknown names and languages without a query."""
    language = languages().get(name)
    if language is None or not language.query:
        return None
    loaded = _grammars.get(name)
    if loaded is None:
        with _lock:
            loaded = _grammars.get(name) or _load(language)
            _grammars[name] = loaded
    return loaded


_grammars: dict[str, Grammar] = {}
_lock = threading.Lock()


def _load(language: Language) -> Grammar:
    import tree_sitter

    module = importlib.import_module(language.module)
    loaded = tree_sitter.Language(getattr(module, language.function)())
    return Grammar(
        language=loaded,
        query=tree_sitter.Query(loaded, language.query),
        unsafe=re.compile(language.unsafe.encode(), re.MULTILINE) if language.unsafe else None,
        common=frozenset(language.common),
        prose=language.prose,
    )


def _folder() -> Path:
    package = Path(__file__).resolve().parent
    installed = package / "grammars"
    return installed if installed.is_dir() else package.parent.parent / "grammars"


def _read(file: Path) -> Language:
    table: dict[str, Any] = tomllib.loads(file.read_text("utf-8"))
    comment = table.get("comment", {})
    block = comment.get("block")
    query = file.with_name("chunks.scm")
    return Language(
        name=table["name"],
        title=table["title"],
        extensions=tuple(table.get("extensions", ())),
        claims=tuple(table.get("claims", {}).items()),
        filenames=tuple(table.get("filenames", ())),
        shebangs=tuple(table.get("shebangs", ())),
        wheel=table["wheel"],
        module=table["module"],
        function=table.get("function", "language"),
        line_comment=comment.get("line", ""),
        block_comment=(block[0], block[1]) if block else None,
        unsafe=table.get("unsafe", ""),
        common=tuple(table.get("common", ())),
        prose=table.get("prose", False),
        query=query.read_text("utf-8") if query.is_file() else "",
    )


@dataclass(frozen=True, slots=True)
class _Tables:
    names: Mapping[str, str]
    extensions: Mapping[str, str]
    shebangs: Mapping[str, str]
    claims: Mapping[str, list[tuple[re.Pattern[bytes], str]]]


@lru_cache(maxsize=1)
def _tables() -> _Tables:
    claims: dict[str, list[tuple[re.Pattern[bytes], str]]] = {}
    for language in languages().values():
        for extension, pattern in language.claims:
            claims.setdefault(extension, []).append((re.compile(pattern.encode(), re.MULTILINE), language.name))
    return _Tables(
        names={name: language.name for language in languages().values() for name in language.filenames},
        extensions={name: language.name for language in languages().values() for name in language.extensions},
        shebangs={name: language.name for language in languages().values() for name in language.shebangs},
        claims=claims,
    )
