"""`make demo`: the main job on real input, as a person would type it.

Indexes this repository and one larger installed package, searches both, asks, explains and completes. Uses nothing but
the `impetus` command; state lies in the folder that IMPETUS_HOME names.
"""

import importlib.util
import shlex
import subprocess
import sys
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent


def run(*arguments: str, show: str | None = None) -> None:
    """Print the command, run it, stop the demo when it fails."""
    sys.stdout.write(f"\n$ impetus {show or shlex.join(arguments)}\n")
    sys.stdout.flush()
    done = subprocess.run([sys.executable, "-m", "impetus", *arguments], check=False)
    if done.returncode:
        sys.exit(f"impetus {arguments[0]} ended with exit code {done.returncode}")


def search(query: str, workspace: str, shown: str = "") -> None:
    run("search", query, "--workspace", workspace, "--top", "3", show=f'search "{query}"{shown}')


def complete(text: str, workspace: str) -> None:
    """Complete at the end of `text`, which is given on standard input as an unsaved file would be."""
    lines = text.split("\n")
    place = f"-:{len(lines)}:{len(lines[-1]) + 1}"
    sys.stdout.write("\n" + "\n".join(f"    {line}" for line in lines) + "▏\n")
    sys.stdout.write(f"$ impetus complete {place} --name example.py\n")
    sys.stdout.flush()
    command = [sys.executable, "-m", "impetus", "complete", place, "--name", "example.py", "--workspace", workspace]
    subprocess.run(command, input=text, text=True, check=True)


def title(text: str) -> None:
    sys.stdout.write(f"\n\n── {text} {'─' * max(0, 76 - len(text))}\n")


def installed(package: str) -> Path:
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        sys.exit(f"the package {package} is not installed; `make demo` installs it")
    return Path(spec.origin).parent


def main() -> None:
    started = time.monotonic()
    here, library = str(REPOSITORY), str(installed("chromadb"))

    title("Index this repository, and a larger installed package")
    run("index", here, show="index .")
    run("index", library, show="index …/site-packages/chromadb")

    title("Search by meaning and by name")
    search("how is a hit checked against unsaved text", here)
    search("retry with exponential backoff", library, " --workspace …/chromadb")

    title("Ask: without a chat model the answer is extractive, cited, and says so")
    question = "how are secrets masked?"
    run("ask", question, "--workspace", here, show=f'ask "{question}"')

    title("Explain: facts from the index, callers included")
    place = "server/impetus/domain/passages.py:8"
    run("explain", f"{here}/{place}", "--workspace", here, show=f"explain {place}")

    title("Complete: the bundled model, in the middle of a line and of a function")
    complete("class Point:\n    def __init__(self, x, y):\n        self.x = x\n        ", here)
    stack = "class Stack:\n    def __init__(self):\n        self.items = []\n\n    def push(self, item):\n"
    complete(stack + "        self.items.", here)
    complete("def read(path):\n    with open(path) as file:\n        ", here)

    sys.stdout.write(f"\nDone in {time.monotonic() - started:.0f} seconds.\n")


if __name__ == "__main__":
    main()
