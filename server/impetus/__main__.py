"""`impetus` and `python -m impetus`: which way to start.

`impetus lsp` imports nothing of the other commands, so that the protocol starts at once; `--version` nothing at all.
"""

import sys


def main() -> int:
    arguments = sys.argv[1:]
    if arguments == ["--version"]:
        from impetus import __version__

        sys.stdout.write(f"impetus {__version__}\n")
        return 0
    if arguments in (["lsp"], ["lsp", "--standalone"]):
        from impetus.cli.lsp import language_server

        return language_server()
    from impetus.cli.main import app

    app(prog_name="impetus")
    return 0


if __name__ == "__main__":
    sys.exit(main())
