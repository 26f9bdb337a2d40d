"""`impetus serve`: the engine, in the foreground over the folders it is told, or in the background for editors."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from impetus import config
from impetus.cli import exits, shared
from impetus.cli.lsp import load_engine
from impetus.cli.output import Output
from impetus.cli.runtime import Runtime
from impetus.errors import BadRequest

#: `impetus status` looks at the lock by taking it for a moment.
_PATIENCE_S: Final = 1.0


def serve(runtime: Runtime, out: Output, roots: Sequence[Path], port: int | None) -> int:
    shared.need()
    from impetus.daemon.log import log_to_stderr
    from impetus.daemon.process import Options, run

    overrides = {} if port is None else {"http": {"port": port}}
    settings, problems = config.load(overrides)
    log_to_stderr(settings.log)
    for problem in problems:
        out.note(f"impetus: {problem}")

    def serving(url: str) -> None:
        if out.json:
            out.emit({"url": f"{url}/v1", "roots": [str(root) for root in roots]})
        else:
            out.line(f"Impetus serves {url}/v1", "bold")
            for root in roots:
                out.line(f"  {root}")
        if settings.http.require_key and not runtime.open_keys().all():
            out.note("No key exists yet; `impetus keys create --name NAME` makes one")
        out.flush()

    run(Options(load_engine, runtime.open_keys, overrides, roots, serving=serving), patience_s=_PATIENCE_S)
    out.note("Stopped")
    return exits.OK


def in_background() -> int:
    """What a shim starts. It waits for a word on a pipe; everything else is said in the log."""
    from impetus.daemon.launch import READY, READY_FD
    from impetus.daemon.log import log_to_file
    from impetus.daemon.process import HANDOVER_S, Options, run

    try:
        settings, _problems = config.load()
    except BadRequest:
        settings = config.Settings()  # each editor is told, when it asks for the engine
    log_to_file(settings.log)

    def listening() -> None:
        os.write(READY_FD, READY)
        os.close(READY_FD)

    minutes = settings.engine.idle_exit_minutes
    options = Options(load_engine, Runtime().open_keys, listening=listening, idle_exit_minutes=minutes)

    def work() -> int:
        run(options, patience_s=HANDOVER_S)
        return exits.OK

    return exits.guarded(work)
