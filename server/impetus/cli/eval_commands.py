"""The commands of `impetus eval`: names, arguments and help. What they do stands in the modules beside."""

from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any

import typer

from impetus.cli.command import Json, run
from impetus.cli.output import Output
from impetus.cli.runtime import Runtime

app = typer.Typer(help="Measure search and completion, on labels or on code of your own.", no_args_is_help=True)

Ablations = Annotated[bool, typer.Option("--ablations", help="Also without each rule of the ranking; takes longer.")]


@app.command("retrieval")
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

    run(
        context,
        json,
        lambda runtime, out: command.retrieval(
            runtime, out, labels, places.folder(repos), whole=whole_repo, ablated=ablations
        ),
    )


@app.command("completion")
def eval_completion(
    context: typer.Context,
    folder: Annotated[
        Path, typer.Option("--folder", metavar="DIR", help="Cut lines of the code in this folder.")
    ] = Path(),
    labels: Annotated[
        Path | None, typer.Option("--labels", metavar="FILE", help="A holes.jsonl instead, of checkouts in --folder.")
    ] = None,
    humaneval: Annotated[
        Path | None,
        typer.Option("--humaneval", metavar="FILE", help="Single-line problems instead. Runs what the model writes."),
    ] = None,
    count: Annotated[int, typer.Option("--count", min=1, help="Lines to ask for.")] = 200,
    seed: Annotated[int, typer.Option("--seed", help="Another seed cuts other lines.")] = 0,
    json: Json = False,
) -> None:
    """Cut off the rest of random lines, complete them and compare: exact match, edit similarity, times."""
    from impetus.cli import evaluate_completion as command
    from impetus.cli import places

    def work(runtime: Runtime, out: Output) -> Coroutine[Any, Any, int]:
        if humaneval is not None:
            return command.humaneval(runtime, out, humaneval, count=count, seed=seed)
        return command.completion(runtime, out, places.folder(folder), labels, count=count, seed=seed)

    run(context, json, work)


@app.command("history")
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

    run(
        context,
        json,
        lambda runtime, out: command.history(
            runtime, out, places.folder(directory), commits=commits, queries=queries, ablated=ablations
        ),
    )
