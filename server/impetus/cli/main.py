"""The commands of `impetus`: names, arguments and help in one table. What they do stands in the modules beside.

Exit codes: 0 done, 1 nothing found or a check failed, 2 wrong usage or bad input, 3 index or model failure,
130 interrupted.
"""

from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from impetus import __version__
from impetus.cli import exits
from impetus.cli.output import Output
from impetus.cli.runtime import Runtime

app = typer.Typer(name="impetus", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
keys_app = typer.Typer(help="Keys of the HTTP port.", no_args_is_help=True)
app.add_typer(keys_app, name="keys")
service_app = typer.Typer(help="The engine as a service of this computer.", no_args_is_help=True)
app.add_typer(service_app, name="service")
eval_app = typer.Typer(
    help="Measure how well search finds things, on labels or on a project's own history.", no_args_is_help=True
)
app.add_typer(eval_app, name="eval")

Json = Annotated[bool, typer.Option("--json", help="Print one JSON value instead of text.")]
Workspace = Annotated[Path | None, typer.Option("--workspace", "-w", help="Folder; by default the project around you.")]
Globs = Annotated[list[str] | None, typer.Option("--path", "-p", help="Only paths that match this glob; repeatable.")]
Languages = Annotated[list[str] | None, typer.Option("--language", "-l", help="Only this language; repeatable.")]


def _run(
    context: typer.Context, json: bool, command: Callable[[Runtime, Output], int | Coroutine[Any, Any, int]]
) -> None:
    runtime = context.obj if isinstance(context.obj, Runtime) else Runtime()
    raise typer.Exit(exits.guarded(lambda: command(runtime, Output(json=json))))


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

    _run(context, json, work)


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

    _run(context, json, work)


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

    _run(context, json, work)


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

    _run(context, json, work)


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

    _run(context, json, work)


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

    _run(context, json, work)


@app.command()
def status(context: typer.Context, workspace: Workspace = None, json: Json = False) -> None:
    """Show what is indexed, which models there are, and what is wrong."""
    from impetus.cli import places
    from impetus.cli import status as command

    def work(runtime: Runtime, out: Output) -> Coroutine[Any, Any, int]:
        return command.status(runtime, out, places.folder(workspace or places.project_of(Path())))

    _run(context, json, work)


@app.command()
def stats(context: typer.Context, json: Json = False) -> None:
    """Show what became of suggestions: shown, accepted, kept. Counted on this machine, sent nowhere."""
    from impetus.cli import stats as command

    _run(context, json, command.stats)


@app.command()
def stop(context: typer.Context, json: Json = False) -> None:
    """End the engine. Editors that are connected to it have to start the language server again."""
    from impetus.cli import stop as command

    _run(context, json, command.stop)


@app.command()
def doctor(context: typer.Context, json: Json = False) -> None:
    """Check that everything works, from Python to the editors, and say what to do."""
    from impetus.cli import doctor as command

    _run(context, json, command.doctor)


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

    _run(context, json, work)


@app.command()
def lsp(
    standalone: Annotated[
        bool, typer.Option("--standalone", help="Engine and session in this one process, not in the shared engine.")
    ] = False,
) -> None:
    """Talk to an editor over standard input and output. Editors start this; people need not."""
    from impetus.cli.lsp import language_server

    raise typer.Exit(language_server(alone=standalone))


@keys_app.command("create")
def create_key(
    context: typer.Context,
    name: Annotated[str, typer.Option("--name", help="What the key is for.")],
    role: Annotated[
        Literal["readonly", "user", "admin"],
        typer.Option("--role", help="readonly: read and search; user: generate and embed too; admin: everything."),
    ] = "user",
    days: Annotated[float | None, typer.Option("--days", help="Expire after so many days; by default never.")] = None,
    json: Json = False,
) -> None:
    """Make a key and print it, this once."""
    from impetus.cli import keys

    _run(context, json, lambda runtime, out: keys.create(runtime, out, name, role, days))


@keys_app.command("list")
def list_keys(context: typer.Context, json: Json = False) -> None:
    """List the keys, without their secrets."""
    from impetus.cli import keys

    _run(context, json, keys.show)


@keys_app.command("revoke")
def revoke_key(
    context: typer.Context, key_id: Annotated[str, typer.Argument(metavar="ID")], json: Json = False
) -> None:
    """Make a key useless from the next request on."""
    from impetus.cli import keys

    _run(context, json, lambda runtime, out: keys.revoke(runtime, out, key_id))


@keys_app.command("log")
def log_keys(context: typer.Context, json: Json = False) -> None:
    """List what was done to keys, latest first."""
    from impetus.cli import keys

    _run(context, json, keys.log)


@service_app.command("install")
def install_service(context: typer.Context, json: Json = False) -> None:
    """Write a launchd agent or a systemd user unit that keeps the engine running."""
    from impetus.cli import service

    _run(context, json, service.install)


@service_app.command("remove")
def remove_service(context: typer.Context, json: Json = False) -> None:
    """Delete it again."""
    from impetus.cli import service

    _run(context, json, service.remove)


Ablations = Annotated[bool, typer.Option("--ablations", help="Also without each rule of the ranking; takes longer.")]


@eval_app.command("retrieval")
def eval_retrieval(
    context: typer.Context,
    labels: Annotated[Path, typer.Option("--labels", metavar="DIR", help="repos.jsonl and annotations/, or *.jsonl.")],
    repos: Annotated[Path, typer.Option("--repos", metavar="DIR", help="Holds a checkout of each repository.")],
    whole_repo: Annotated[bool, typer.Option("--whole-repo", help="Index all of it, not benchmark_root.")] = False,
    ablations: Ablations = False,
    json: Json = False,
) -> None:
    """Ask labeled queries of checkouts and score what is found: NDCG@10, recall, times."""
    from impetus.cli import evaluate as command
    from impetus.cli import places

    _run(
        context,
        json,
        lambda runtime, out: command.retrieval(
            runtime, out, labels, places.folder(repos), whole=whole_repo, ablated=ablations
        ),
    )


@eval_app.command("completion")
def eval_completion(
    context: typer.Context,
    folder: Annotated[
        Path, typer.Option("--folder", metavar="DIR", help="Cut lines of the code in this folder.")
    ] = Path(),
    labels: Annotated[
        Path | None, typer.Option("--labels", metavar="FILE", help="A holes.jsonl instead, of checkouts in --folder.")
    ] = None,
    count: Annotated[int, typer.Option("--count", min=1, help="Lines to ask for.")] = 200,
    seed: Annotated[int, typer.Option("--seed", help="Another seed cuts other lines.")] = 0,
    json: Json = False,
) -> None:
    """Cut off the rest of random lines, complete them and compare: exact match, edit similarity, times."""
    from impetus.cli import evaluate_completion as command
    from impetus.cli import places

    _run(
        context,
        json,
        lambda runtime, out: command.completion(runtime, out, places.folder(folder), labels, count=count, seed=seed),
    )


@eval_app.command("history")
def eval_history(
    context: typer.Context,
    directory: Annotated[Path, typer.Argument(metavar="DIR")] = Path(),
    commits: Annotated[int, typer.Option("--commits", min=1, help="Newest commits to look at.")] = 1500,
    queries: Annotated[int, typer.Option("--queries", min=1, help="Queries to make of them, at most.")] = 150,
    ablations: Ablations = False,
    json: Json = False,
) -> None:
    """Score search on a project's own commits: the subject is the query, the changed files are the answer."""
    from impetus.cli import evaluate as command
    from impetus.cli import places

    _run(
        context,
        json,
        lambda runtime, out: command.history(
            runtime, out, places.folder(directory), commits=commits, queries=queries, ablated=ablations
        ),
    )
