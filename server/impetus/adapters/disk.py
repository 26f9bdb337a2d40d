"""The files of a workspace folder as they are on disk: which to index, why the others are left out, and their bytes.

One set of rules answers for a walk (`scan`) and for a single path (`admits`). Nothing is masked or decoded here, and
git's own list of tracked files is not consulted: a file that is tracked although it is ignored counts as ignored.
"""

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from impetus.adapters.ignore import narrow, widen
from impetus.adapters.rules import MARKERS, VERSION_CONTROL, Folder, Surroundings, Verdict, markers_of, surroundings
from impetus.config import IndexSettings
from impetus.domain import content, notebooks
from impetus.domain.secrets import is_secret_file
from impetus.domain.types import Problem, ScanReport, SkippedFile
from impetus.errors import NotFound

_VERSION_CONTROL_REASON = "belongs to version control"
_SECRET_REASON = "secret by name"
_NAME_REASON = "its name is not valid UTF-8"


@dataclass(slots=True)
class _Walk:
    """What a walk has found so far."""

    root: Path
    real_root: str
    files: dict[str, tuple[int, int]] = field(default_factory=dict)
    skipped: list[SkippedFile] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def skip(self, path: str, reason: str) -> None:
        self.skipped.append(SkippedFile(widen(narrow(path)), reason))


class Disk:
    """`FileSource` and `ProblemSource`. `environment` stands for the process's own, to find the user's git settings."""

    def __init__(self, settings: IndexSettings, *, environment: Mapping[str, str] | None = None) -> None:
        self._settings = settings
        self._environment = os.environ if environment is None else environment
        self._surroundings: dict[Path, Surroundings] = {}
        self._problems: dict[Path, tuple[Problem, ...]] = {}

    def scan(self, root: Path) -> ScanReport:
        """Walk `root`. A folder that is left out is one entry with a slash at its end. Raises NotFound."""
        if not root.is_dir():
            self._surroundings.pop(root, None)
            self._problems.pop(root, None)
            raise NotFound(f"{root} is not there or is not a folder; bring it back or remove it from the workspace")
        walk = _Walk(root, os.path.realpath(root))
        if is_secret_file(f"{root.as_posix()}/"):
            message = "this folder keeps secrets, going by its name, and is not indexed; open another folder"
            walk.problems.append(Problem(str(root), message))
        else:
            # Kept for `admits`, which then need not read the repository's and the user's settings for each path.
            found = self._surroundings[root] = surroundings(root, self._settings, self._environment)
            self._walk(walk, found.folder())
        report = ScanReport(root, walk.files, tuple(walk.skipped), tuple(walk.problems))
        self._problems[root] = report.problems
        return report

    def admits(self, root: Path, path: str) -> bool:
        """Whether `scan` would list this file now. Reads the ignore files on the way to it, nothing else."""
        parts = path.split("/")
        if is_secret_file(f"{root.as_posix()}/") or any(part in ("", ".", "..") for part in parts):
            return False
        try:
            path.encode()
            found = self._surroundings.get(root)
            if found is None:
                found = self._surroundings[root] = surroundings(root, self._settings, self._environment)
            return self._admits(found.folder(), root, parts)
        except (OSError, ValueError):  # gone, unreadable, or a name that no file can have
            return False

    def stat(self, root: Path, path: str) -> tuple[int, int] | None:
        try:
            status = os.lstat(f"{root}/{path}")
        except OSError:
            return None
        return (status.st_size, status.st_mtime_ns) if stat.S_ISREG(status.st_mode) else None

    def read(self, root: Path, path: str) -> bytes:
        """The bytes of one file of `root`, of a notebook its Markdown; links are not followed. Raises NotFound."""
        limit = self._settings.max_file_size
        try:
            descriptor = os.open(f"{root}/{path}", os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            try:
                status = os.fstat(descriptor)
                if not stat.S_ISREG(status.st_mode):
                    raise NotFound(f"{path} is not a regular file and is not read")
                if not _lies_in(root, f"{root}/{path}", descriptor):
                    raise NotFound(f"{path} lies outside of {root} and is not read")
                data = b""
                if status.st_size <= limit:
                    with open(descriptor, "rb", buffering=0, closefd=False) as file:
                        data = file.readall()
            finally:
                os.close(descriptor)
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            raise NotFound(f"{path} cannot be read: {reason}") from error
        if max(status.st_size, len(data)) > limit:
            raise NotFound(f"{path} is {self._too_large()} and is not read; index.max_file_size sets the limit")
        return notebooks.view(data) if path.endswith(notebooks.ENDING) else data

    def reject(self, path: str, data: bytes) -> str | None:
        """Why the content is left out, or None."""
        return content.reject(path, data)

    def problems(self) -> tuple[Problem, ...]:
        """What the latest walk over each root could not read."""
        return tuple(problem for problems in self._problems.values() for problem in problems)

    # -- the walk ----------------------------------------------------------------------------------------------------

    def _walk(self, walk: _Walk, top: Folder) -> None:
        waiting: list[tuple[Folder, str, Verdict | None]] = [
            (top, "", None)
        ]  # no verdict: the rules are for the folder
        while waiting:
            rules, inside, verdict = waiting.pop()
            path = walk.root / inside
            try:
                with os.scandir(path) as listing:
                    entries = sorted(listing, key=lambda entry: entry.name)
            except FileNotFoundError:
                continue  # went away meanwhile
            except OSError as error:
                self._unreadable(walk, inside, error)
                continue
            if verdict is not None:
                markers = MARKERS.intersection(entry.name for entry in entries)
                opened = rules.open(narrow(path.name), verdict, path, markers)
                if isinstance(opened, str):
                    walk.skip(inside, opened)
                    continue
                rules = opened
            folders: list[tuple[Folder, str, Verdict | None]] = []
            for entry in entries:
                found = self._entry(walk, rules, inside, entry)
                if found is not None:
                    folders.append((rules, f"{inside}{entry.name}/", found))
            waiting.extend(reversed(folders))

    def _entry(self, walk: _Walk, rules: Folder, inside: str, entry: "os.DirEntry[str]") -> Verdict | None:
        """Record one entry; a verdict comes back for a folder that is to be walked."""
        path = inside + entry.name
        try:
            is_folder = entry.is_dir(follow_symlinks=False)
            reason, verdict = self._judge(rules, path, narrow(entry.name), is_folder)
            if is_folder:
                if reason is None:
                    return verdict
                walk.skip(path + "/", reason)
                return None
            if reason is None:
                status = entry.stat(follow_symlinks=False)
                reason = self._unfit(status)
                if stat.S_ISLNK(status.st_mode):
                    reason = _link_reason(walk.real_root, entry.path)
            if reason is None:
                walk.files[path] = (status.st_size, status.st_mtime_ns)
            else:
                walk.skip(path, reason)
        except FileNotFoundError:
            pass  # went away meanwhile
        except OSError as error:
            self._unreadable(walk, path, error)
        return None

    def _admits(self, folder: Folder, root: Path, parts: list[str]) -> bool:
        inside = ""
        path = root
        for part in parts[:-1]:
            path = path / part
            if not stat.S_ISDIR(path.lstat().st_mode):
                return False
            inside += part
            reason, verdict = self._judge(folder, inside, narrow(part), True)
            if reason is not None:
                return False
            opened = folder.open(narrow(part), verdict, path, markers_of(path))
            if isinstance(opened, str):
                return False
            folder = opened
            inside += "/"
        reason, _ = self._judge(folder, inside + parts[-1], narrow(parts[-1]), False)
        return reason is None and self._unfit((path / parts[-1]).lstat()) is None

    def _judge(self, rules: Folder, path: str, name: str, is_folder: bool) -> tuple[str | None, Verdict]:
        """Everything that can be said of an entry by its name. Shared by the walk and by `admits`."""
        verdict = rules.judge(name, is_folder)
        if name in VERSION_CONTROL:
            return _VERSION_CONTROL_REASON, verdict
        if verdict.reason is not None and not (is_folder and rules.reaches_below(name)):
            return verdict.reason, verdict
        if is_secret_file(path + "/" if is_folder else path):
            return _SECRET_REASON, verdict
        if not name.isascii() and not _is_utf8(name):
            return _NAME_REASON, verdict
        return None, verdict

    def _unfit(self, status: os.stat_result) -> str | None:
        """What speaks against a file by its kind and size; a link is unfit too."""
        if not stat.S_ISREG(status.st_mode):
            return "not a regular file"
        return self._too_large() if status.st_size > self._settings.max_file_size else None

    def _too_large(self) -> str:
        return f"larger than {self._settings.max_file_size:,} bytes"

    def _unreadable(self, walk: _Walk, path: str, error: OSError) -> None:
        reason = f"cannot be read: {error.strerror}"
        walk.skip(path, reason)
        walk.problems.append(Problem(widen(narrow(path)) or ".", f"{reason}; check its permissions or leave it out"))


def _is_utf8(name: str) -> bool:
    try:
        name.encode("latin-1").decode()
    except UnicodeDecodeError:
        return False
    return True


def _link_reason(real_root: str, path: str) -> str:
    target = os.path.realpath(path)
    if not f"{target}/".startswith(real_root.rstrip("/") + "/"):
        return "symbolic link out of the workspace"
    if not os.path.lexists(target):
        return "symbolic link to nothing"
    return f"symbolic link; only its target {os.path.relpath(target, real_root)} counts"


def _lies_in(root: Path, place: str, descriptor: int) -> bool:
    """Whether the file that was opened at `place` is inside `root`, whatever folders on the way are links to."""
    try:
        # One call, where `realpath` asks for each folder; a `Path` would cost more than the rest of a read.
        real = os.readlink(f"/proc/self/fd/{descriptor}")  # noqa: PTH115
    except OSError:
        real = os.path.realpath(place)
    return real == place or real.startswith(os.path.realpath(root).rstrip("/") + "/")
