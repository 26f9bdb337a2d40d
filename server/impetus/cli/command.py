"""What every command of the tables shares: how it is run, and the option that all have."""

from collections.abc import Callable, Coroutine
from typing import Annotated, Any

import typer

from impetus.cli import exits
from impetus.cli.output import Output
from impetus.cli.runtime import Runtime

Json = Annotated[bool, typer.Option("--json", help="Print one JSON value instead of text.")]


def run(
    context: typer.Context, json: bool, command: Callable[[Runtime, Output], int | Coroutine[Any, Any, int]]
) -> None:
    runtime = context.obj if isinstance(context.obj, Runtime) else Runtime()
    raise typer.Exit(exits.guarded(lambda: command(runtime, Output(json=json))))
