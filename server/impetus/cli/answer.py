"""`impetus ask` and `impetus explain`: answers that appear as they are written, with their sources below."""

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from impetus.cli import exits, places
from impetus.cli.markdown import MarkdownPainter
from impetus.cli.opening import workspace
from impetus.cli.output import Output
from impetus.cli.runtime import Runtime
from impetus.cli.search import hit_json
from impetus.domain.types import AnswerEvent, Delta, Finish, Indexing, Progress, Question, Source, Sources
from impetus.errors import BadRequest, ModelError

if TYPE_CHECKING:
    from impetus.services.session import Session


async def ask(
    runtime: Runtime, out: Output, root: Path, text: str, paths: tuple[str, ...], languages: tuple[str, ...]
) -> int:
    if not text.strip():
        raise BadRequest("The question is empty; ask something", parameter="QUESTION")

    def begin(session: "Session") -> AsyncGenerator[AnswerEvent, None]:
        passages = session.settings.chat.passages
        return session.ask(Question(text, limit=passages, paths=paths, languages=languages))

    return await _answer(runtime, out, root, begin)


async def explain(runtime: Runtime, out: Output, root: Path, place: places.Lines) -> int:
    document = places.read(place.path, root)
    selection = places.selection(document, place)
    return await _answer(runtime, out, root, lambda session: session.explain(selection))


async def _answer(
    runtime: Runtime,
    out: Output,
    root: Path,
    begin: "Callable[[Session], AsyncGenerator[AnswerEvent, None]]",
) -> int:
    sources: tuple[Source, ...] = ()
    text: list[str] = []
    finish: Finish | None = None
    paint = MarkdownPainter(out.styled)
    async with workspace(runtime, root, out) as session, aclosing(begin(session)) as events:
        with out.waiting("looking for what bears on it") as waiting:
            async for event in events:
                if isinstance(event, Indexing):
                    waiting.say(f"indexing: {event.done:,} of {event.total:,} files")
                elif isinstance(event, Sources):
                    sources = event.sources
                    waiting.say(f"thinking about {len(sources)} passages")
                elif isinstance(event, Progress):
                    waiting.say(f"reading {event.done:,} of {event.total:,} tokens")
                elif isinstance(event, Delta):
                    waiting.stop()
                    text.append(event.text)
                    if not out.json:
                        paint.add(event.text)
                        out.flush()
                elif isinstance(event, Finish):
                    finish = event
    if finish is None:
        raise ModelError("The answer broke off before its end; ask again")
    answer = "".join(text)
    if out.json:
        out.emit(answer_json(answer, sources, finish))
    else:
        paint.end()
        out.styled("\n" * max(0, 2 - (len(answer) - len(answer.rstrip("\n")))))
        _show_sources(out, sources, finish)
    return exits.OK if answer.strip() and (sources or finish.model != "extractive") else exits.NOTHING


def _show_sources(out: Output, sources: tuple[Source, ...], finish: Finish) -> None:
    listed = finish.cited or sources
    if not listed:
        return
    out.line("Sources" if finish.cited else "Passages read, none cited", "bold")
    for source in listed:
        hit = source.hit
        symbol = f"  {hit.symbol}" if hit.symbol else ""
        out.line(f"  [{source.number}] {hit.path}:{hit.start_line}-{hit.end_line}{symbol}", "cyan")
    if finish.unverified:
        out.line(f"  not verified: {', '.join(f'[{number}]' for number in finish.unverified)}", "yellow")
    if finish.reason.value == "length":
        out.line("  the answer was cut at chat.max_tokens", "yellow")


def answer_json(answer: str, sources: tuple[Source, ...], finish: Finish) -> dict[str, Any]:
    return {
        "answer": answer,
        "sources": [{"number": source.number, **hit_json(source.hit)} for source in sources],
        "cited": [source.number for source in finish.cited],
        "unverified": list(finish.unverified),
        "model": finish.model,
        "finish_reason": finish.reason.value,
        "usage": {
            "prompt_tokens": finish.usage.prompt_tokens,
            "completion_tokens": finish.usage.completion_tokens,
            "cached_tokens": finish.usage.cached_tokens,
        },
    }
