"""An engine outlives an upgrade of its files. A child that it starts afterwards is of the new version, and does nothing
but say so."""

from impetus import __version__


def outdated(engine: str) -> str:
    """What the person is told when an engine of this version is not of ours; empty when it is."""
    if engine == __version__:
        return ""
    return (
        f"Impetus was upgraded to {__version__} while its engine went on as {engine}; reload the window to go on with "
        "the new one"
    )
