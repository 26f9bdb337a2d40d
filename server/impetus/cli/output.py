"""Two streams: results on standard output, everything else on standard error.

Colors, spinners and bars only on a terminal and without NO_COLOR; plain text in a pipe; one JSON value with `--json`.
Rich is imported when something is drawn.
"""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console


class Output:
    def __init__(self, *, json: bool = False) -> None:
        self.json = json

    @cached_property
    def console(self) -> "Console":
        from rich.console import Console

        return Console(highlight=False, soft_wrap=True, emoji=False)

    @cached_property
    def errors(self) -> "Console":
        from rich.console import Console

        return Console(stderr=True, highlight=False, emoji=False)

    @cached_property
    def interactive(self) -> bool:
        """Whether a person watches the results."""
        return not self.json and sys.stdout.isatty()

    def emit(self, value: Any) -> None:
        """The result of `--json`, and nothing else ever, on standard output."""
        sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2 if sys.stdout.isatty() else None) + "\n")

    def line(self, text: str = "", style: str | None = None) -> None:
        """One line of human output. `text` is shown as it is: brackets are never markup."""
        if self.interactive:
            self.console.print(text, style=style, markup=False)
        else:
            sys.stdout.write(text + "\n")

    def styled(self, text: str, style: str | None = None) -> None:
        """A piece of a line, in color where there is any."""
        if self.interactive and style:
            self.console.print(text, style=style, markup=False, end="")
        else:
            sys.stdout.write(text)

    def flush(self) -> None:
        sys.stdout.flush()

    def note(self, text: str) -> None:
        """A remark beside the results."""
        sys.stderr.write(text + "\n")

    @contextmanager
    def waiting(self, text: str) -> Iterator["Waiting"]:
        """A spinner on the terminal until `stop`; nothing elsewhere."""
        if not sys.stderr.isatty():
            yield Waiting(None)
            return
        with self.errors.status(text) as status:
            yield Waiting(status)


class Waiting:
    def __init__(self, status: Any) -> None:
        self._status = status

    def say(self, text: str) -> None:
        if self._status is not None:
            self._status.update(text)

    def stop(self) -> None:
        if self._status is not None:
            self._status.stop()


def size(count: int) -> str:
    """`1.5 MB`; thousands, as file managers count."""
    amount = float(count)
    for unit in ("bytes", "kB", "MB", "GB"):
        if amount < 1000 or unit == "GB":
            break
        amount /= 1000
    return f"{count} bytes" if unit == "bytes" else f"{amount:.1f} {unit}"


def plural(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
