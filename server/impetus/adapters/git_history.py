"""A repository's history through the git command: commits of the first-parent line, paths and contents of a tree.

Only reads. Nothing of a repository's configuration is run: no hooks, no external diff, no text conversion.
"""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from impetus.domain.history import Commit
from impetus.errors import ImpetusError, NotFound

_RECORD, _FIELD = "\x1e", "\x1f"
_FIELDS = 5
_FORMAT = "--format=" + _RECORD + _FIELD.join(("%H", "%P", "%s", "%b")) + _FIELD
_SYMLINK = b"120000"


class GitHistory:
    """History of the repository that holds `directory`."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._git("rev-parse", "--git-dir")

    def commits(self, limit: int = 1500) -> tuple[Commit, ...]:
        """The newest `limit` commits of the first-parent line, newest first, with what each changed."""
        # Without renames: a moved file shows as deleted and added, so its new path is never called "modified".
        output = self._git(
            "log", "--first-parent", "--diff-merges=first-parent", "--no-renames", "--no-ext-diff", "--no-textconv",
            "--name-status", "-z", f"--max-count={limit}", _FORMAT,
        )  # fmt: skip
        text = output.decode("utf-8", "surrogateescape")
        # A message that holds our separators makes records of another shape; such commits are left out.
        records = [record.split(_FIELD) for record in text.split(_RECORD)]
        return tuple(_commit(record) for record in records if len(record) == _FIELDS)

    def paths(self, commit: str) -> frozenset[str]:
        """Every path of the tree of `commit`, relative to the repository's root."""
        output = self._git("ls-tree", "-r", "-z", "--full-tree", "--name-only", commit)
        return frozenset(path for path in output.decode("utf-8", "surrogateescape").split("\0") if path)

    def export(self, commit: str, destination: Path) -> int:
        """Write the tree of `commit` into `destination`; return the number of files.

        Links and submodules are left out, and so are contents that a partial clone lacks and paths that lead outside.
        """
        entries = [_entry(row) for row in self._git("ls-tree", "-r", "-z", "--full-tree", commit).split(b"\0") if row]
        blobs = [
            (mode, sha, path)
            for mode, kind, sha, path in entries
            if kind == b"blob" and mode != _SYMLINK and _stays_inside(path)
        ]
        written = 0
        with subprocess.Popen(
            self._command("cat-file", "--batch"), stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=_environment()
        ) as process:
            assert process.stdin is not None and process.stdout is not None
            for mode, sha, path in blobs:
                data = _blob(process.stdin, process.stdout, sha)
                if data is not None:
                    _write(destination, path, data, executable=mode == b"100755")
                    written += 1
        return written

    def _command(self, *arguments: str) -> list[str]:
        return ["git", "-C", str(self._directory), "-c", "core.quotePath=false", *arguments]

    def _git(self, *arguments: str) -> bytes:
        try:
            done = subprocess.run(
                self._command(*arguments), capture_output=True, check=True, stdin=subprocess.DEVNULL, env=_environment()
            )
        except FileNotFoundError as error:
            raise NotFound(
                "git is not installed or not on the PATH; install it to read a repository's history"
            ) from error
        except subprocess.CalledProcessError as error:
            reason = error.stderr.decode("utf-8", "replace").strip().removeprefix("fatal: ")
            raise ImpetusError(f"git cannot read the history of {self._directory}: {reason}") from error
        return done.stdout


def _environment() -> dict[str, str]:
    # Messages are shown to people but never parsed; no lock is taken and no missing object is fetched.
    return {**os.environ, "GIT_OPTIONAL_LOCKS": "0", "GIT_NO_LAZY_FETCH": "1", "GIT_TERMINAL_PROMPT": "0"}


def _commit(record: Sequence[str]) -> Commit:
    sha, parents, subject, body, rest = record
    # After the message: NUL, newline, then status and path in turn, each ended by NUL.
    changes = rest.strip("\0\n").split("\0")
    return Commit(
        sha=sha,
        parent=parents.split(" ")[0],
        subject=subject,
        body=body,
        modified=tuple(path for status, path in zip(changes[::2], changes[1::2], strict=False) if status == "M"),
    )


def _entry(row: bytes) -> tuple[bytes, bytes, bytes, str]:
    meta, path = row.split(b"\t", 1)
    mode, kind, sha = meta.split(b" ")
    return mode, kind, sha, os.fsdecode(path)


def _stays_inside(path: str) -> bool:
    # git refuses such names in its own checkout; a crafted repository can still hold them.
    return not path.startswith("/") and not any(part in ("..", ".git") for part in path.split("/"))


def _blob(request: IO[bytes], reply: IO[bytes], sha: bytes) -> bytes | None:
    request.write(sha + b"\n")
    request.flush()
    header = reply.readline().split()
    if len(header) != 3:  # "<sha> missing"
        return None
    data = reply.read(int(header[2]))
    reply.read(1)
    return data


def _write(destination: Path, path: str, data: bytes, *, executable: bool) -> None:
    target = destination / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(data)
    if executable:
        target.chmod(0o755)
