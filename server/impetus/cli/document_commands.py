"""The commands of `impetus documents`: names, arguments and help. What they do stands in `documents.py`."""

from pathlib import Path
from typing import Annotated

import typer

from impetus.cli.command import Json, run

app = typer.Typer(help="Documents beside the code: PDF, Word, HTML, Markdown, notebooks.", no_args_is_help=True)

InCollection = Annotated[str, typer.Option("--collection", "-c", help="Name of the collection.")]
AnyCollection = Annotated[
    str | None, typer.Option("--collection", "-c", help="Name of the collection; by default all.")
]


@app.command("ingest")
def ingest_documents(
    context: typer.Context,
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="Files, or folders with all below them.")],
    collection: InCollection = "default",
    metadata: Annotated[
        list[str] | None, typer.Option("--metadata", "-m", metavar="FIELD=VALUE", help="To filter by; repeatable.")
    ] = None,
    json: Json = False,
) -> None:
    """Add documents to a collection, or bring those of the same names up to date."""
    from impetus.cli import documents

    run(context, json, lambda runtime, out: documents.ingest(runtime, out, paths, collection, metadata or []))


@app.command("list")
def list_documents(context: typer.Context, collection: AnyCollection = None, json: Json = False) -> None:
    """List the collections, or the documents of one."""
    from impetus.cli import documents

    run(context, json, lambda runtime, out: documents.show(runtime, out, collection))


@app.command("search")
def search_documents(
    context: typer.Context,
    query: str,
    collection: AnyCollection = None,
    top: Annotated[int, typer.Option("--top", "-n", min=1, max=200, help="Most passages.")] = 10,
    where: Annotated[
        list[str] | None,
        typer.Option("--where", metavar="FIELD=VALUE", help="Only documents with this metadata; repeatable."),
    ] = None,
    json: Json = False,
) -> None:
    """Find the passages of documents that a question is about."""
    from impetus.cli import documents

    run(context, json, lambda runtime, out: documents.search(runtime, out, query, collection, top, where or []))


@app.command("delete")
def delete_documents(
    context: typer.Context,
    collection: Annotated[str, typer.Option("--collection", "-c", help="Name of the collection.")],
    document: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="One document of it; by default the whole collection.")
    ] = None,
    json: Json = False,
) -> None:
    """Forget a document, or a collection with all of its own. The files that they came from stay."""
    from impetus.cli import documents

    run(context, json, lambda runtime, out: documents.delete(runtime, out, collection, document))
