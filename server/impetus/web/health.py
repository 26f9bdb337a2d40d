"""`GET /api/health/live|ready|status`: whether the process lives, whether it can answer, and how everything is."""

from dataclasses import asdict
from typing import Any

from starlette.responses import JSONResponse, Response

from impetus import __version__
from impetus.domain.types import Health
from impetus.web.measured import Measured


def live() -> Response:
    """Says nothing about this machine, because it is answered without a key."""
    return JSONResponse({"status": "live"})


def ready(session: Measured) -> Response:
    status = session.status()
    failed = status.health is Health.ERROR
    body = {"status": "failed" if failed else "ready", "health": status.health.value, "message": status.message}
    return JSONResponse(body, 503 if failed else 200)


async def status(session: Measured) -> Response:
    """Servers of models are asked whether they are there."""
    await session.check_models()
    state = session.status()
    body: dict[str, Any] = {
        "version": __version__,
        "health": state.health.value,
        "message": state.message,
        "indexes": [{**asdict(index), "root": str(index.root)} for index in state.indexes],
        "models": [asdict(model) for model in state.models],
        "problems": [asdict(problem) for problem in state.problems],
    }
    return JSONResponse(body)
