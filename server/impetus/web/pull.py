"""`POST /api/models/pull`: fetch a model of the catalogue, its progress told as events. Leaving it stops the fetch, and
the next one goes on there."""

import asyncio
from collections.abc import AsyncGenerator
from functools import partial
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response

from impetus.services.models import ModelPull, PullStep
from impetus.web import sse

#: What a server of models is asked for on behalf of a client comes from the catalogue alone.
_CATALOGUE_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$"


class PullRequest(BaseModel):
    """`model` is a name of the catalogue that `impetus models list` shows."""

    model_config = ConfigDict(extra="forbid")

    model: Annotated[str, Field(pattern=_CATALOGUE_NAME)]
    stream: bool = True


async def pull(models: ModelPull, body: PullRequest, request: Request) -> Response:
    if body.stream:
        return sse.EventStream(partial(_frames, models, body.model))
    return await sse.answer(request, _whole(models, body.model))


async def _whole(models: ModelPull, model: str) -> dict[str, Any]:
    await models.pull(model, lambda _: None)
    return {"model": model, "state": "done"}


async def _frames(models: ModelPull, model: str) -> AsyncGenerator[str, None]:
    """What is told, up to `done`; an error before the first word keeps its own status."""
    told: asyncio.Queue[PullStep | None] = asyncio.Queue()
    pulling = asyncio.ensure_future(models.pull(model, told.put_nowait))
    pulling.add_done_callback(lambda _: told.put_nowait(None))
    try:
        while (step := await told.get()) is not None:
            if step.state != "done":
                yield sse.data(
                    {"model": model, "state": step.state, "file": step.file, "bytes": step.bytes, "total": step.total}
                )
        await pulling
        yield sse.data({"model": model, "state": "done"})
        yield sse.DONE
    finally:
        pulling.cancel()
        await asyncio.gather(pulling, return_exceptions=True)
