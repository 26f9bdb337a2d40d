"""The state of the engine in one word and one sentence."""

from impetus.domain.types import EngineStatus, Health, IndexProgress, ModelState, Problem


def summed_up(
    indexes: tuple[IndexProgress, ...], models: tuple[ModelState, ...], problems: tuple[Problem, ...]
) -> EngineStatus:
    """What matters most becomes the message."""
    failed = [i for i in indexes if i.phase == "failed"]
    broken = [m for m in models if m.state in ("failed", "missing")]
    if failed:
        return EngineStatus(Health.ERROR, failed[0].problems[0].message, indexes, models, problems)
    if broken:
        message = f"The {broken[0].role} model {broken[0].id} is not usable: {broken[0].detail}"
        return EngineStatus(Health.WARNING, message, indexes, models, problems)
    if problems:
        return EngineStatus(Health.WARNING, problems[0].message, indexes, models, problems)
    busy = [i for i in indexes if i.phase in ("scanning", "indexing")]
    if busy:
        done, total = sum(i.done for i in busy), sum(i.total for i in busy)
        return EngineStatus(Health.OK, f"Indexing: {done:,} of {total:,} files", indexes, models, problems)
    files = sum(i.files for i in indexes)
    return EngineStatus(Health.OK, f"Ready: {files:,} files indexed", indexes, models, problems)
