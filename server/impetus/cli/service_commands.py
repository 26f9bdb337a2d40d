"""The commands of `impetus service`: names, arguments and help. What they do stands in the modules beside."""

import typer

from impetus.cli.command import Json, run

app = typer.Typer(help="The engine as a service of this computer.", no_args_is_help=True)


@app.command("install")
def install_service(context: typer.Context, json: Json = False) -> None:
    """Write a launchd agent or a systemd user unit that keeps the engine running."""
    from impetus.cli import service

    run(context, json, service.install)


@app.command("remove")
def remove_service(context: typer.Context, json: Json = False) -> None:
    """Delete it again."""
    from impetus.cli import service

    run(context, json, service.remove)
