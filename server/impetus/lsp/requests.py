"""The requests: decode, one call of the session, encode.

What a request is about (document, position) is read before the first await, so that later edits do not move it.
"""

from dataclasses import replace
from pathlib import Path
from typing import Final

from lsprotocol import types as lsp

from impetus.domain.types import Completion, Cursor, FollowUp, Outcome, Question, SearchQuery, Selection
from impetus.errors import BadRequest, NotFound
from impetus.lsp import convert, protocol
from impetus.lsp.client import Client
from impetus.lsp.positions import offset_at, range_at
from impetus.lsp.streams import deliver

#: What "Ask Impetus about this" asks unless the client puts the person's own words into the command.
DEFAULT_QUESTION: Final = "What is this code for, and how does the rest of the project use it?"

#: Completions beside the most likely one, where the person asked for them.
OTHERS: Final = 2

#: The most hits, passages or symbols that one request may ask for.
MAX_LIMIT: Final = 200


# -- our own ---------------------------------------------------------------------------------------------------------


async def ask(client: Client, params: protocol.AskParams) -> protocol.AnswerResult:
    selection = _selection(client, params)
    session = await client.session()
    question = Question(
        text=_text(params.question, "question"),
        history=convert.history(params.history),
        selection=selection,
        limit=_limit(params.limit, session.settings.chat.passages, "limit"),
        paths=params.paths,
        languages=params.languages,
    )
    return await deliver(
        client.rpc,
        session.ask(question),
        client.encoding,
        title="Impetus: answering",
        partial_token=params.partial_result_token,
        work_token=params.work_done_token,
    )


async def explain(client: Client, params: protocol.ExplainParams) -> protocol.AnswerResult:
    selection = _place(client, params)
    session = await client.session()
    return await deliver(
        client.rpc,
        session.explain(selection),
        client.encoding,
        title="Impetus: explaining",
        partial_token=params.partial_result_token,
        work_token=params.work_done_token,
    )


async def complete(client: Client, params: protocol.CompleteParams) -> protocol.CompleteResult | None:
    cursor = client.cursor(params.text_document.uri, params.position)
    completion = await _completion(client, cursor, explicit=params.explicit)
    if completion is None:
        return None
    place = range_at(cursor.document.text, completion.start, completion.end, client.encoding)
    return protocol.CompleteResult(
        text=completion.text, range=place, version=completion.version, model=completion.model, id=completion.id
    )


async def search(client: Client, params: protocol.SearchParams) -> protocol.SearchResult:
    session = await client.session()
    defaults = session.settings.search
    query = SearchQuery(
        text=_text(params.query, "query"),
        limit=_limit(params.limit, defaults.limit, "limit"),
        paths=params.paths,
        languages=params.languages,
        roots=_roots(client, params.roots),
        per_file=_limit(params.per_file, defaults.per_file, "perFile"),
    )
    hits = await session.search(query)
    return protocol.SearchResult(hits=tuple(convert.passage(hit, client.encoding) for hit in hits))


async def related(client: Client, params: protocol.RelatedParams) -> protocol.RelatedResult:
    selection = _place(client, params)
    session = await client.session()
    found = await session.related(selection)
    return protocol.RelatedResult(
        related=tuple(
            protocol.RelatedPassage(relation=one.relation, passage=convert.passage(one.hit, client.encoding))
            for one in found
        )
    )


async def status(client: Client, _params: protocol.StatusParams) -> protocol.StatusResult:
    """Answered at once, whatever state the engine is in."""
    return convert.status(client.status())


async def reindex(client: Client, params: protocol.ReindexParams) -> None:
    """Answered when the work has begun; the status tells how it goes."""
    roots = _roots(client, params.roots)
    session = await client.session()
    await session.reindex(roots, full=params.full)


async def feedback(client: Client, params: protocol.FeedbackParams) -> None:
    """What became of a completion. The item's own command tells that it was accepted."""
    outcomes = {outcome.value: outcome for outcome in Outcome}
    if params.outcome not in outcomes:
        raise BadRequest(f"{params.outcome!r} is no outcome; send one of {', '.join(outcomes)}", parameter="outcome")
    if params.characters is not None and params.characters < 0:
        raise BadRequest(f"characters is {params.characters}; send how many were accepted", parameter="characters")
    session = await client.session()
    session.tell(params.id, outcomes[params.outcome], params.characters)


async def next_edit(client: Client, params: protocol.NextEditParams) -> protocol.NextEditResult:
    cursor = client.cursor(params.text_document.uri, params.position)
    session = await client.session()
    edits = await session.next_edits(cursor)
    return protocol.NextEditResult(edits=tuple(_next_edit(client, edit) for edit in edits))


# -- of LSP ----------------------------------------------------------------------------------------------------------


async def inline_completion(client: Client, params: lsp.InlineCompletionParams) -> lsp.InlineCompletionList | None:
    """An empty list takes away what the editor shows; null, for a request that another has overtaken, leaves it."""
    client.inline_requests += 1
    number = client.inline_requests
    cursor = client.cursor(params.text_document.uri, params.position)
    chosen = params.context.selected_completion_info
    start = end = cursor.offset
    if chosen is not None:  # the suggestion list shows an item: complete as if it were accepted
        start = offset_at(cursor.document.text, chosen.range.start, client.encoding)
        end = max(start, offset_at(cursor.document.text, chosen.range.end, client.encoding))
    before, after = cursor.document.text[:start], cursor.document.text[end:]
    inserted = convert.clean(chosen.text) if chosen is not None else ""
    imagined = Cursor(replace(cursor.document, text=before + inserted + after), start + len(inserted))
    explicit = params.context.trigger_kind is lsp.InlineCompletionTriggerKind.Invoked
    completion = await _completion(client, imagined, explicit=explicit)
    if completion is None:
        now = client.documents.get(cursor.document.key)
        current = number == client.inline_requests and now is not None and now.version == cursor.document.version
        return lsp.InlineCompletionList(items=[]) if current else None
    completions = [completion]
    if explicit:  # the person asked, and may want to choose
        session = await client.session()
        others = await session.other_completions(imagined, OTHERS)
        completions += [other for other in others if other.text != completion.text]
    text = imagined.document.text
    items = []
    for one in completions:
        first, last = min(one.start, start), max(one.end, imagined.offset)
        accepted = {"id": one.id, "outcome": Outcome.ACCEPTED.value}
        item = lsp.InlineCompletionItem(
            insert_text=text[first : one.start] + one.text + text[one.end : last],
            range=range_at(cursor.document.text, first, last - len(inserted) + (end - start), client.encoding),
            command=lsp.Command("Accepted", protocol.command_of(protocol.FEEDBACK), arguments=[accepted]),
        )
        items.append(item)
    return lsp.InlineCompletionList(items=items)


async def workspace_symbol(client: Client, params: lsp.WorkspaceSymbolParams) -> list[lsp.WorkspaceSymbol]:
    query = convert.clean(params.query)
    session = await client.session()
    if not query.strip():
        return []  # the whole workspace is no answer
    return [convert.symbol(hit) for hit in await session.symbols(query)]


async def code_action(client: Client, params: lsp.CodeActionParams) -> list[lsp.CodeAction]:
    """Two commands for the selection; none on an empty selection unless asked, lest every line shows a light bulb.

    After a rename a third one does at once what `impetus/nextEdit` proposes one by one.
    """
    where = params.range
    automatic = params.context.trigger_kind is lsp.CodeActionTriggerKind.Automatic
    is_open = client.documents.get(convert.key_of(params.text_document.uri)) is not None
    if is_open and automatic and where.start == where.end and client.session_now is not None:
        # Editors ask for actions wherever the cursor stays a moment; nothing else tells a server where it is.
        client.session_now.rest(client.cursor(params.text_document.uri, where.start))
    if not is_open or (automatic and where.start == where.end):
        return []
    about = {
        "textDocument": {"uri": params.text_document.uri},
        "range": protocol.converter().unstructure(where),
    }
    offered = [
        _action("Explain with Impetus", protocol.EXPLAIN, about),
        _action("Ask Impetus about this", protocol.ASK, {"question": DEFAULT_QUESTION, **about}),
    ]
    only = params.context.only
    actions = [action for action in offered if only is None or any(_is_within(str(action.kind), kind) for kind in only)]
    if not automatic and (only is None or any(_is_within(lsp.CodeActionKind.QuickFix.value, kind) for kind in only)):
        actions += await _follow_ups(client, params)
    return actions


# -- shared by them --------------------------------------------------------------------------------------------------


async def _completion(client: Client, cursor: Cursor, *, explicit: bool) -> Completion | None:
    """None also when the document has changed meanwhile: the offsets would point somewhere else."""
    session = await client.session()
    completion = await session.complete(cursor, explicit=explicit)
    now = client.documents.get(cursor.document.key)
    if completion is None or now is None or now.version != completion.version:
        return None
    return completion


def _selection(client: Client, params: protocol.AskParams) -> Selection | None:
    if params.text_document is None and params.range is None:
        return None
    if params.text_document is None or params.range is None:
        raise BadRequest("A selection needs both textDocument and range; send both or neither", parameter="range")
    return convert.selection(client.document(params.text_document.uri), params.range, client.encoding)


def _place(client: Client, params: protocol.ExplainParams | protocol.RelatedParams) -> Selection:
    document = client.document(params.text_document.uri)
    if params.range is None and params.position is None:
        raise BadRequest("The place in the document is missing; send a range or a position", parameter="range")
    wanted = params.range or lsp.Range(*(params.position or lsp.Position(0, 0),) * 2)
    return convert.selection(document, wanted, client.encoding)


def _roots(client: Client, uris: tuple[str, ...]) -> tuple[Path, ...]:
    roots = []
    for uri in uris:
        path = convert.path_of(uri)
        if path is None or path not in client.roots:
            raise NotFound(f"{uri} is not a folder of this workspace; open it there first")
        roots.append(path)
    return tuple(roots)


def _text(value: str, parameter: str) -> str:
    if not value.strip():
        raise BadRequest(f"The {parameter} is empty; write what you are looking for", parameter=parameter)
    return convert.clean(value)


def _limit(value: int | None, default: int, parameter: str) -> int:
    if value is None:
        return default
    if not 1 <= value <= MAX_LIMIT:
        raise BadRequest(f"{parameter} is {value}; send a number from 1 to {MAX_LIMIT}", parameter=parameter)
    return value


def _action(title: str, method: str, argument: dict[str, object]) -> lsp.CodeAction:
    name = protocol.command_of(method)
    return lsp.CodeAction(title=title, kind=name, command=lsp.Command(title, name, arguments=[argument]))


def _next_edit(client: Client, edit: FollowUp) -> protocol.NextEdit:
    opened = client.documents.get(edit.document.key)
    return protocol.NextEdit(
        uri=Path(edit.document.key).as_uri() if Path(edit.document.key).is_absolute() else edit.document.key,
        range=range_at(edit.document.text, edit.start, edit.end, client.encoding),
        text=edit.text,
        reason=edit.reason,
        version=opened.version if opened is not None else None,
    )


async def _follow_ups(client: Client, params: lsp.CodeActionParams) -> list[lsp.CodeAction]:
    cursor = client.cursor(params.text_document.uri, params.range.start)
    session = await client.session()
    by_reason: dict[str, dict[str, list[lsp.TextEdit]]] = {}
    for edit in (_next_edit(client, found) for found in await session.next_edits(cursor)):
        edits = by_reason.setdefault(edit.reason, {}).setdefault(edit.uri, [])
        edits.append(lsp.TextEdit(edit.range, edit.text))
    return [
        lsp.CodeAction(
            f"Follow up: {reason} ({sum(map(len, changes.values()))})",
            kind=lsp.CodeActionKind.QuickFix,
            edit=lsp.WorkspaceEdit(changes=changes),
        )
        for reason, changes in by_reason.items()
    ]


def _is_within(kind: str, wanted: lsp.CodeActionKind | str) -> bool:
    """Kinds are hierarchical: asking for `impetus` or for everything (empty) includes `impetus.explain`."""
    name = wanted.value if isinstance(wanted, lsp.CodeActionKind) else wanted
    return name == "" or kind == name or kind.startswith(f"{name}.")
