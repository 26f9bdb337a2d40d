"""The commands of `impetus keys`: names, arguments and help. What they do stands in the modules beside."""

from typing import Annotated, Literal

import typer

from impetus.cli.command import Json, run

app = typer.Typer(help="Keys of the HTTP port.", no_args_is_help=True)


@app.command("create")
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

    run(context, json, lambda runtime, out: keys.create(runtime, out, name, role, days))


@app.command("list")
def list_keys(context: typer.Context, json: Json = False) -> None:
    """List the keys, without their secrets."""
    from impetus.cli import keys

    run(context, json, keys.show)


@app.command("revoke")
def revoke_key(
    context: typer.Context, key_id: Annotated[str, typer.Argument(metavar="ID")], json: Json = False
) -> None:
    """Make a key useless from the next request on."""
    from impetus.cli import keys

    run(context, json, lambda runtime, out: keys.revoke(runtime, out, key_id))


@app.command("log")
def log_keys(context: typer.Context, json: Json = False) -> None:
    """List what was done to keys, latest first."""
    from impetus.cli import keys

    run(context, json, keys.log)
