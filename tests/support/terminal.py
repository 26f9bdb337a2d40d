"""The command line on a scripted session, run as a shell would run it."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from typer.testing import CliRunner, Result

from impetus.cli.main import app
from impetus.cli.runtime import Runtime
from impetus.config import Settings
from impetus.services.doctor import Check
from impetus.services.keys import Keys
from tests.support.documents import documents_in
from tests.support.http import MemoryKeyStore
from tests.support.scripted_session import Script, ScriptedEngine, ScriptedSession


class Terminal:
    """Runs commands as a shell would, on one script."""

    def __init__(self, script: Script | None = None, checks: Sequence[Check] = ()) -> None:
        self.script = script or Script()
        self.keys = Keys(MemoryKeyStore(), clock=lambda: 0.0)
        self.sessions: list[ScriptedSession] = []
        self.documents = documents_in(Path("/dev/null"))
        self.runtime = Runtime(
            self._open,  # type: ignore[arg-type]
            lambda: self.keys,
            lambda _: list(checks),
            open_documents=lambda: self.documents,
        )

    async def _open(self, settings: Settings, problems: Sequence[str]) -> ScriptedSession:
        self.sessions.append(ScriptedSession(ScriptedEngine(self.script, settings)))
        return self.sessions[-1]

    def run(self, *arguments: str, stdin: str | None = None) -> Result:
        result = CliRunner().invoke(app, list(arguments), obj=self.runtime, input=stdin)
        for session in self.sessions:
            assert session.engine.closed
        return result

    def value(self, *arguments: str) -> Any:
        """The one JSON value on standard output."""
        return json.loads(self.run(*arguments, "--json").stdout)

    def called(self, name: str) -> Any:
        return next(what for called, what in self.sessions[-1].calls if called == name)
