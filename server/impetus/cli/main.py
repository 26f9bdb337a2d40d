"""The commands of `impetus`: names, arguments and help in one table; groups have tables of their own. What they do
stands in the modules beside.

Exit codes: 0 done, 1 nothing found or a check failed, 2 wrong usage or bad input, 3 index or model failure,
130 interrupted.
"""

from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any

import typer

from impetus import __version__
from impetus.cli import document_commands, eval_commands, key_commands, model_commands, service_commands
from impetus.cli.command import Json, run
from impetus.cli.output import Output
from impetus.cli.runtime import Runtime

app = typer.Typer(name="impetus", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
for _name, _commands in (
    ("keys", key_commands),
    ("documents", document_commands),
    ("models", model_commands),
    ("service", service_commands),
    ("eval", eval_commands),
):
    app.add_typer(_commands.app, name=_name)

Workspace = Annotated[Path | None, typer.Option("--workspace", "-w", help="Folder; by default the project around you.")]
Globs = Annotated[list[str] | None, typer.Option("--path", "-p", help="Only paths that match this glob; repeatable.")]
Languages = Annotated[list[str] | None, typer.Option("--language", "-l", help="Only this language; repeatable.")]


def _version(shown: bool) -> None:
    if shown:
        typer.echo(f"impetus {__version__}")
        raise typer.Exit


@app.callback(
    epilog="Exit codes: 0 done, 1 nothing found or a check failed, 2 wrong usage, 3 failure, 130 interrupted."
)
def main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show it and leave.")
    ] = False,
) -> None:
    """Indexed search, cited answers, explanations and completion for your code, on your own machine."""


@app.command()
def index(
    context: typer.Context,
    directory: Annotated[Path, typer.Argument(metavar="DIR")] = Path(),
    json: Json = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be indexed, and why the rest not.")
    ] = False,
    full: Annotated[bool, typer.Option("--full", help="Forget the index of this folder and build it anew.")] = False,
) -> None:
    """Build or refresh the index of a folder."""
    from impetus.cli import index as command
    from impetus.cli import places

    def work(runtime: Runtime, out: Output) -> Coroutine[Any, Any, int]:
        root = places.folder(directory)
        return command.dry_run(runtime, out, root) if dry_run else command.index(runtime, out, root, full=full)

    run(context, json, work)


@app.command()
def search(
    context: typer.Context,
    query: str,
    workspace: Workspace = None,
    top: Annotated[int | None, typer.Option("--top", "-n", min=1, max=200, help="Most passages; search.limit.")] = None,
    path: Globs = None,
    language: Languages = None,
    json: Json = False,
) -> None:
    """Find the code that a question, a name or an error message is about."""
    from impetus.cli import places
    from impetus.cli import search as command

    def work(runtime: Runtime, out: Output) -> Coroutine[Any, Any, int]:
        root = places.folder(workspace or places.project_of(Path()))
        return command.search(runtime, out, root, query, top, tuple(path or ()), tuple(language or ()))

    run(context, json, work)


@app.command()
def ask(
    context: typer.Context,
    question: str,
    workspace: Workspace = None,
    path: Globs = None,
    language: Languages = None,
    json: Json = False,
) -> None:
    """Answer a question about the workspace, with citations."""
    from impetus.cli import answer, places

    def work(runtime: Runtime, out: Output) -> Coroutine[Any, Any, int]:
        root = places.folder(workspace or places.project_of(Path()))
        return answer.ask(runtime, out, root, question, tuple(path or ()), tuple(language or ()))

    run(context, json, work)


@app.command()
def explain(
    context: typer.Context,
    place: Annotated[str, typer.Argument(metavar="PATH[:LINE[-LINE]]")],
    workspace: Workspace = None,
    json: Json = False,
) -> None:
    """Explain the code at a place: what it is, who calls it, what it calls."""
    from impetus.cli import answer, places

    def work(runtime: Runtime, out: Output) -> Coroutine[Any, Any, int]:
        lines = places.lines(place)
        root = places.folder(workspace or places.project_of(Path(lines.path)))
        return answer.explain(runtime, out, root, lines)

    run(context, json, work)


@app.command()
def related(
    context: typer.Context,
    place: Annotated[str, typer.Argument(metavar="PATH:LINE[-LINE]")],
    workspace: Workspace = None,
    json: Json = False,
) -> None:
    """Find what has to do with the code at a place: what it uses, who uses it, its tests, and code like it."""
    from impetus.cli import places
    from impetus.cli import related as command

    def work(runtime: Runtime, out: Output) -> Coroutine[Any, Any, int]:
        lines = places.lines(place)
        root = places.folder(workspace or places.project_of(Path(lines.path)))
        return command.related(runtime, out, root, lines)

    run(context, json, work)


# `-:3:5` begins like an option and is none.
@app.command(context_settings={"ignore_unknown_options": True})
def complete(
    context: typer.Context,
    place: Annotated[str, typer.Argument(metavar="PATH[:LINE[:COL]]", help="`-` reads the text from standard input.")],
    name: Annotated[Path, typer.Option("--name", help="Path of the text that comes from standard input.")] = Path(
        "stdin.py"
    ),
    workspace: Workspace = None,
    json: Json = False,
) -> None:
    """Write what comes next at a place; without a column, at the end of the line."""
    from impetus.cli import complete as command
    from impetus.cli import places

    def work(runtime: Runtime, out: Output) -> Coroutine[Any, Any, int]:
        point = places.point(place)
        path = name if point.path == places.STDIN else Path(point.path)
        root = places.folder(workspace or places.project_of(path))
        return command.complete(runtime, out, root, point, path)

    run(context, json, work)


@app.command()
def status(context: typer.Context, workspace: Workspace = None, json: Json = False) -> None:
    """Show what is indexed, which models there are, and what is wrong."""
    from impetus.cli import places
    from impetus.cli import status as command

    def work(runtime: Runtime, out: Output) -> Coroutine[Any, Any, int]:
        return command.status(runtime, out, places.folder(workspace or places.project_of(Path())))

    run(context, json, work)


@app.command()
def stats(context: typer.Context, json: Json = False) -> None:
    """Show what became of suggestions: shown, accepted, kept. Counted on this machine, sent nowhere."""
    from impetus.cli import stats as command

    run(context, json, command.stats)


@app.command()
def stop(context: typer.Context, json: Json = False) -> None:
    """End the engine. Editors that are connected to it have to start the language server again."""
    from impetus.cli import stop as command

    run(context, json, command.stop)


@app.command()
def doctor(context: typer.Context, json: Json = False) -> None:
    """Check that everything works, from Python to the editors, and say what to do."""
    from impetus.cli import doctor as command

    run(context, json, command.doctor)


@app.command()
def bench(context: typer.Context, json: Json = False) -> None:
    """Measure this machine: models, embeddings, indexing, memory. Sends nothing anywhere."""
    from impetus.cli import bench as command

    run(context, json, command.bench)


@app.command()
def serve(
    context: typer.Context,
    port: Annotated[
        int | None, typer.Option("--port", min=0, max=65535, help="Over http.port; 0 picks a free one.")
    ] = None,
    workspace: Annotated[
        list[Path] | None,
        typer.Option("--workspace", "-w", help="Folder to answer from; by default the project around you; repeatable."),
    ] = None,
    json: Json = False,
) -> None:
    """Run the engine in the foreground: the OpenAI-compatible HTTP port, and every editor, until stopped."""
    from impetus.cli import places
    from impetus.cli import serve as command

    def work(runtime: Runtime, out: Output) -> int:
        around = places.project_of(Path())
        roots = [places.folder(folder) for folder in workspace or ([] if places.is_home(around) else [around])]
        return command.serve(runtime, out, roots, port)

    run(context, json, work)


@app.command()
def lsp(
    standalone: Annotated[
        bool, typer.Option("--standalone", help="Engine and session in this one process, not in the shared engine.")
    ] = False,
) -> None:
    """Talk to an editor over standard input and output. Editors start this; people need not."""
    from impetus.cli.lsp import language_server

    raise typer.Exit(language_server(alone=standalone))
