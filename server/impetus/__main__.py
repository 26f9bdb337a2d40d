"""`impetus` and `python -m impetus`: which way to start.

`impetus lsp` imports nothing of the other commands, so that the protocol starts at once; `--version` nothing at all.
`impetus serve --background` is what it starts where no engine runs.
"""

import os
import sys


def main() -> int:
    arguments = sys.argv[1:]
    if arguments == ["--version"]:
        from impetus import __version__

        sys.stdout.write(f"impetus {__version__}\n")
        return 0
    if arguments == ["lsp"] and os.name == "posix":
        from impetus.daemon.shim import main as shim

        return shim()
    if arguments in (["lsp"], ["lsp", "--standalone"]):
        from impetus.cli.lsp import standalone

        return standalone()
    if arguments == ["serve", "--background"]:
        from impetus.cli.serve import in_background

        return in_background()
    from impetus.cli.main import app

    app(prog_name="impetus")
    return 0


if __name__ == "__main__":
    sys.exit(main())
