"""Answers without a model: the best passages, grouped by file, each led by a line that says what it is. Pure."""

from collections.abc import Iterable, Sequence

from impetus.domain.quoting import code, documentation, excerpt, fence, lines_of, query_terms
from impetus.domain.types import Source

NO_MODEL = "*No chat model is configured, so this answer is made of quotations from your code.*"
HOW_TO = (
    "---\nFor an answer in words, set `chat.model` to the folder of an MLX model, or to a model's name together with "
    "`chat.base_url` for a server that speaks the OpenAI protocol. `impetus doctor` checks the setting."
)
NOTHING = (
    "Nothing in the indexed files answers this. Try the name of a function, file or setting that you expect to be "
    "involved, or see `impetus status` for whether indexing has finished."
)


def answer(question: str, sources: Sequence[Source]) -> str:
    """Markdown. Every passage is cited `[n]` where it is introduced."""
    return "\n\n".join([NO_MODEL, *blocks(question, sources), HOW_TO]) + "\n"


def blocks(question: str, sources: Sequence[Source]) -> Iterable[str]:
    """The paragraphs after the notice, in order; shown one after the other."""
    if not sources:
        yield NOTHING
        return
    yield _overview(sources)
    wanted = query_terms(question)
    for path, group in _by_file(sources):
        yield f"### {code(path)}"
        for source in group:
            yield _lead(source)
            yield fence(excerpt(source.hit, wanted), source.hit.language)


def _overview(sources: Sequence[Source]) -> str:
    files = len({(source.hit.root, source.hit.path) for source in sources})
    best = sources[0]
    name = best.hit.symbol or best.hit.path
    if len(sources) == 1:
        return f"One passage fits the question: {code(name)} [{best.number}]."
    spread = "one file" if files == 1 else f"{files} files"
    return f"{len(sources)} passages in {spread} fit the question. Begin with {code(name)} [{best.number}]."


def _lead(source: Source) -> str:
    hit = source.hit
    where = lines_of(hit.start_line, hit.end_line)
    says = documentation(hit.text, hit.language)
    if not hit.symbol:
        return f"**{where.capitalize()}** [{source.number}]" + (f": {says}" if says else "")
    kind = f"{hit.kind}, " if hit.kind not in ("text", "code", "") else ""
    return f"**{code(hit.symbol)}** ({kind}{where}) [{source.number}]" + (f": {says}" if says else "")


def _by_file(sources: Sequence[Source]) -> list[tuple[str, list[Source]]]:
    """Files in the order of their best passage; within a file by line."""
    groups: dict[tuple[str, str], list[Source]] = {}
    for source in sources:
        groups.setdefault((str(source.hit.root), source.hit.path), []).append(source)
    return [(path, sorted(group, key=lambda s: s.hit.start_line)) for (_, path), group in groups.items()]
