"""Values of the protocol to values of the domain and back. No decisions, no I/O."""

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final
from urllib.parse import quote_from_bytes, unquote_to_bytes, urlsplit

from lsprotocol import types as lsp

from impetus.domain import types as domain
from impetus.errors import BadRequest
from impetus.languages import TEXT, detect, languages
from impetus.lsp import protocol
from impetus.lsp.positions import offset_at, units

_DRIVE = re.compile(r"/([A-Za-z]):(?=/|$)")

#: Language ids of LSP that differ from the names of our grammars.
_LANGUAGE_IDS: Final = {
    "javascriptreact": "javascript",
    "typescriptreact": "tsx",
    "shellscript": "bash",
    "jsonc": "json",
}

#: `kind` of a definition in the tags vocabulary → symbol kind of LSP.
_SYMBOL_KINDS: Final = {
    "class": lsp.SymbolKind.Class,
    "constant": lsp.SymbolKind.Constant,
    "constructor": lsp.SymbolKind.Constructor,
    "enum": lsp.SymbolKind.Enum,
    "field": lsp.SymbolKind.Field,
    "function": lsp.SymbolKind.Function,
    "interface": lsp.SymbolKind.Interface,
    "macro": lsp.SymbolKind.Function,
    "method": lsp.SymbolKind.Method,
    "module": lsp.SymbolKind.Module,
    "namespace": lsp.SymbolKind.Namespace,
    "property": lsp.SymbolKind.Property,
    "struct": lsp.SymbolKind.Struct,
    "type": lsp.SymbolKind.Struct,
    "variable": lsp.SymbolKind.Variable,
}


# -- texts, URIs and paths -------------------------------------------------------------------------------------------


def clean(text: str) -> str:
    """JSON can carry half of a surrogate pair, which no encoding can store; each becomes U+FFFD, length unchanged."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return re.sub("[\ud800-\udfff]", "\ufffd", text)
    return text


def key_of(uri: str) -> str:
    """The key of a document: its absolute path, or the URI where it is no local file (`untitled:` and others)."""
    path = path_of(uri)
    return clean(uri) if path is None else str(path)


def path_of(uri: str) -> Path | None:
    """The local file that a URI names. A bare absolute path, which some clients send as rootUri, is taken as one."""
    try:
        parts = urlsplit(uri)
    except ValueError:
        return None
    if parts.scheme == "" and uri.startswith("/"):
        return None if "\0" in uri else Path(clean(uri))
    if parts.scheme != "file":
        return None
    # "?" and "#" are meant literally: clients that forget to escape them never mean a query
    rest = uri[len("file:") :]
    host, path = (parts.netloc, rest[2 + len(parts.netloc) :]) if rest.startswith("//") else ("", rest)
    text = os.fsdecode(unquote_to_bytes(clean(path)))
    if host not in ("", "localhost"):
        text = f"//{host}{text}"
    elif _DRIVE.match(text):
        text = text[1].lower() + text[2:]  # Windows: editors disagree on the case of the drive
    return Path(text) if text.startswith("/") and "\0" not in text and _DRIVE.match(f"/{text}") is None else None


def uri_of(path: Path) -> str:
    return "file://" + quote_from_bytes(os.fsencode(path), safe="/:@!$&'()*+,;=-._~")


def language_of(key: str, text: str, language_id: str) -> str:
    """The name of our grammar. The file decides before the editor's idea of it, as it does for the index."""
    detected = detect(key, text[:4096].encode("utf-8", "replace"))
    if detected != TEXT:
        return detected
    named = _LANGUAGE_IDS.get(language_id, language_id)
    return named if named in languages() else TEXT


# -- from the client -------------------------------------------------------------------------------------------------


def selection(document: domain.Document, selected: lsp.Range, encoding: str) -> domain.Selection:
    """Lines of a range, both inclusive; a range that ends before the first character of a line leaves that line out."""
    start = offset_at(document.text, selected.start, encoding)
    end = offset_at(document.text, selected.end, encoding)
    if end < start:
        raise BadRequest("The range ends before it starts; send start before end", parameter="range")
    if end > start and document.text[end - 1] == "\n":
        end -= 1
    first = 1 + document.text.count("\n", 0, start)
    return domain.Selection(document, first, first + document.text.count("\n", start, end))


def history(messages: Sequence[protocol.ChatMessage]) -> tuple[domain.Message, ...]:
    roles = {role.value: role for role in (domain.Role.USER, domain.Role.ASSISTANT)}
    for message in messages:
        if message.role not in roles:
            raise BadRequest(f'Role {message.role!r} is unknown; send "user" or "assistant"', parameter="history")
    return tuple(domain.Message(roles[message.role], clean(message.content)) for message in messages)


# -- to the client ---------------------------------------------------------------------------------------------------


def passage(hit: domain.Hit, encoding: str) -> protocol.Passage:
    last_line = hit.text.removesuffix("\n").removesuffix("\r").rpartition("\n")[2]
    return protocol.Passage(
        uri=uri_of(hit.absolute_path),
        path=hit.path,
        range=lsp.Range(
            lsp.Position(hit.start_line - 1, 0), lsp.Position(hit.end_line - 1, units(last_line, encoding))
        ),
        score=float(hit.score),
        text=hit.text,
        language=hit.language,
        symbol=hit.symbol,
        kind=hit.kind,
    )


def sources(found: Sequence[domain.Source], encoding: str) -> tuple[protocol.Source, ...]:
    return tuple(protocol.Source(number=one.number, passage=passage(one.hit, encoding)) for one in found)


def symbol(hit: domain.SymbolHit) -> lsp.WorkspaceSymbol:
    definition = hit.definition
    line = definition.name_line - 1
    return lsp.WorkspaceSymbol(
        name=definition.name,
        kind=_SYMBOL_KINDS.get(definition.kind, lsp.SymbolKind.Variable),
        container_name=".".join(definition.scope) or hit.path,
        location=lsp.Location(uri_of(hit.root / hit.path), lsp.Range(lsp.Position(line, 0), lsp.Position(line, 0))),
    )


def status(state: domain.EngineStatus) -> protocol.StatusResult:
    return protocol.StatusResult(
        health=state.health.value,
        message=state.message,
        indexes=tuple(
            protocol.IndexState(
                root=uri_of(index.root),
                phase=index.phase,
                done=index.done,
                total=index.total,
                rate=round(float(index.rate), 1),
                files=index.files,
                chunks=index.chunks,
                failed=index.failed,
                problems=_problems(index.problems),
            )
            for index in state.indexes
        ),
        models=tuple(
            protocol.ModelState(role=model.role, id=model.id, state=model.state, detail=model.detail)
            for model in state.models
        ),
        problems=_problems(state.problems),
    )


def _problems(found: Sequence[domain.Problem]) -> tuple[protocol.Problem, ...]:
    return tuple(protocol.Problem(subject=problem.subject, message=problem.message) for problem in found)
