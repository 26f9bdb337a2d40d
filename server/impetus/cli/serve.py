"""`impetus serve`: the HTTP port in the foreground, over the folders it is told, until it is stopped."""

import asyncio
import signal
from collections.abc import Sequence
from pathlib import Path

from impetus.cli import exits
from impetus.cli.opening import engine_session
from impetus.cli.output import Output
from impetus.cli.runtime import Runtime


async def serve(runtime: Runtime, out: Output, roots: Sequence[Path], port: int | None) -> int:
    from impetus.web.server import serve_http

    keys = runtime.open_keys()
    async with engine_session(runtime, {} if port is None else {"http": {"port": port}}, out) as session:
        settings = session.engine.settings
        for root in roots:
            await session.open_root(root)

        def started(url: str) -> None:
            if out.json:
                out.emit({"url": f"{url}/v1", "roots": [str(root) for root in roots]})
            else:
                out.line(f"Impetus serves {url}/v1", "bold")
                for root in roots:
                    out.line(f"  {root}")
            if settings.http.require_key and not keys.all():
                out.note("No key exists yet; `impetus keys create --name NAME` makes one")
            out.flush()

        serving = asyncio.ensure_future(serve_http(session, settings, keys, started=started))
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, serving.cancel)
        try:
            await serving
        except asyncio.CancelledError:
            out.note("Stopped")
    return exits.OK
