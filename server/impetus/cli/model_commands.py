"""The commands of `impetus models`: names, arguments and help. What they do stands in the modules beside."""

from typing import Annotated, Literal

import typer

from impetus.cli.command import Json, run

app = typer.Typer(help="Local models: what is here, what suits this machine, and how to get it.", no_args_is_help=True)

ModelName = Annotated[str, typer.Argument(metavar="NAME", help="As `impetus models list` shows it.")]
ModelRole = Annotated[
    Literal["completion", "chat", "embedding"] | None,
    typer.Option("--role", help="What to use it for, where that is not known."),
]


@app.command("list")
def list_models(context: typer.Context, json: Json = False) -> None:
    """List the models that are here, and those that can be fetched."""
    from impetus.cli import models

    run(context, json, models.show)


@app.command("pull")
def pull_model(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Of the catalogue, or OWNER/REPOSITORY of the Hub.")],
    bits: Annotated[int, typer.Option("--bits", help="Quantize the weights to so many here: 2, 3, 4, 5, 6 or 8.")] = 0,
    json: Json = False,
) -> None:
    """Fetch a model; what a broken fetch had is not fetched again."""
    from impetus.cli import models

    run(context, json, lambda runtime, out: models.pull(runtime, out, name, bits))


@app.command("use")
def use_model(context: typer.Context, name: ModelName, role: ModelRole = None, json: Json = False) -> None:
    """Let settings.toml name a model that is here."""
    from impetus.cli import models

    run(context, json, lambda runtime, out: models.use(runtime, out, name, role))


@app.command("remove")
def remove_model(context: typer.Context, name: ModelName, json: Json = False) -> None:
    """Delete a model's folder."""
    from impetus.cli import models

    run(context, json, lambda runtime, out: models.remove(runtime, out, name))


@app.command("bench")
def bench_model(context: typer.Context, name: ModelName, role: ModelRole = None, json: Json = False) -> None:
    """Measure one model that is here: load, first token, speed, memory."""
    from impetus.cli import bench as command

    run(context, json, lambda runtime, out: command.bench_model(runtime, out, name, role))


@app.command("load")
def load_model(
    context: typer.Context,
    role: Annotated[Literal["chat", "completion"], typer.Argument(metavar="ROLE", help="chat or completion.")],
    json: Json = False,
) -> None:
    """Let the running engine load the model of a role now."""
    from impetus.cli import models

    run(context, json, lambda runtime, out: models.control_model(runtime, out, "load", role))


@app.command("unload")
def unload_model(
    context: typer.Context,
    role: Annotated[Literal["chat", "completion"], typer.Argument(metavar="ROLE", help="chat or completion.")],
    json: Json = False,
) -> None:
    """Let the running engine give a model's memory back."""
    from impetus.cli import models

    run(context, json, lambda runtime, out: models.control_model(runtime, out, "unload", role))
