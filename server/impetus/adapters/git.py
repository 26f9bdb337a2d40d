"""What Impetus needs to know of git, read from plain files: works without git installed and costs under a millisecond.

Deliberately no subprocess and no reading of objects. Configuration is read without conditional includes.
"""

import os
import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

_SECTION = re.compile(r'\s*\[\s*([\w.-]+)\s*(?:"((?:[^"\\]|\\.)*)")?\s*\]')
_SMALL = 1_000_000
_MAX_INCLUDES = 5


@dataclass(frozen=True, slots=True)
class Repository:
    """A work tree. `common_dir` is the same for all worktrees of one repository and so names it."""

    top: Path
    git_dir: Path
    common_dir: Path

    def head(self) -> str | None:
        """The branch that is checked out, or the commit when none is; None when that cannot be told."""
        text = read_small(self.git_dir / "HEAD")
        if text is None:
            return None
        head = text.decode("utf-8", "replace").strip()
        if head.startswith("ref:"):
            reference = head.removeprefix("ref:").strip()
            # The reftable format keeps this placeholder here and the truth in a database.
            return None if reference == "refs/heads/.invalid" else reference.removeprefix("refs/heads/")
        return head or None


def repository(root: Path) -> Repository | None:
    """The work tree that holds `root`, or None. The nearest `.git` at or above it counts, as for git."""
    for folder in (root, *root.parents):
        found = open_at(folder)
        if found is not None:
            return found
    return None


def open_at(folder: Path) -> Repository | None:
    """The work tree whose top is `folder` itself, or None."""
    git_dir = folder / ".git"
    if git_dir.is_file():  # a worktree or a submodule: the file names the real folder
        text = read_small(git_dir)
        if text is None or not text.startswith(b"gitdir:"):
            return None
        git_dir = Path(os.path.normpath(folder / os.fsdecode(text.removeprefix(b"gitdir:").strip())))
    if not (git_dir / "HEAD").is_file():
        return None
    shared = read_small(git_dir / "commondir")
    common_dir = git_dir if shared is None else Path(os.path.normpath(git_dir / os.fsdecode(shared.strip())))
    return Repository(top=folder, git_dir=git_dir, common_dir=common_dir)


def settings(found: Repository | None, environment: Mapping[str, str]) -> dict[str, str]:
    """Git's configuration as `section.key` (lower case), later files over earlier ones; subsections are left out."""
    values: dict[str, str] = {}
    for path in _config_files(found, environment):
        values.update(_config(path, _home(environment), _MAX_INCLUDES))
    return values


def origin(found: Repository) -> str:
    """The URL of the remote `origin`, "" without one."""
    within = False
    for line in os.fsdecode(read_small(found.common_dir / "config") or b"").splitlines():
        header = _SECTION.match(line)
        if header:
            within = header[1].lower() == "remote" and header[2] == "origin"
            line = line[header.end() :]
        key, equals, value = line.partition("=")
        if within and equals and key.strip().lower() == "url":
            return _value(value)
    return ""


def global_ignore_file(values: Mapping[str, str], environment: Mapping[str, str]) -> Path | None:
    """The user's own ignore file: `core.excludesFile`, else `git/ignore` in the XDG folder. It may not exist."""
    home = _home(environment)
    configured = values.get("core.excludesfile")
    if configured is not None:
        return _expand(configured, home, Path("/")) if configured else None
    folder = _xdg(environment)
    return folder / "ignore" if folder else None


def read_small(path: Path, limit: int = _SMALL) -> bytes | None:
    """A regular file of at most `limit` bytes; None for anything else. Never waits, not even on a pipe."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError):
        return None
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return None
        with open(descriptor, "rb", closefd=False) as file:
            data = file.read(limit + 1)
    except OSError:
        return None
    finally:
        os.close(descriptor)
    return data if len(data) <= limit else None


def _home(environment: Mapping[str, str]) -> Path | None:
    home = environment.get("HOME")
    return Path(home) if home else None


def _xdg(environment: Mapping[str, str]) -> Path | None:
    base, home = environment.get("XDG_CONFIG_HOME"), _home(environment)
    if base:
        return Path(base) / "git"
    return home / ".config" / "git" if home else None


def _config_files(found: Repository | None, environment: Mapping[str, str]) -> Iterator[Path]:
    if not environment.get("GIT_CONFIG_NOSYSTEM"):
        yield Path(environment.get("GIT_CONFIG_SYSTEM") or "/etc/gitconfig")
    if environment.get("GIT_CONFIG_GLOBAL"):
        yield Path(environment["GIT_CONFIG_GLOBAL"])
    else:
        home, folder = _home(environment), _xdg(environment)
        if folder:
            yield folder / "config"
        if home:
            yield home / ".gitconfig"
    if found is not None:
        yield found.common_dir / "config"


def _config(path: Path, home: Path | None, includes: int) -> dict[str, str]:
    content = read_small(path)
    values: dict[str, str] = {}
    section = ""
    for line in os.fsdecode(content or b"").removeprefix("\ufeff").splitlines():
        header = _SECTION.match(line)
        if header:
            section = "" if header[2] is not None else header[1].lower()
            line = line[header.end() :]
        key, equals, value = line.partition("=")
        key = key.strip().lower()
        if not section or not key or key[0] in "#;":
            continue
        text = _value(value) if equals else "true"
        values[f"{section}.{key}"] = text
        if section == "include" and key == "path" and includes:
            values.update(_config(_expand(text, home, path.parent), home, includes - 1))
    return values


def _value(raw: str) -> str:
    out, quoted, i = "", False, 0
    while i < len(raw):
        char = raw[i]
        if char == "\\" and i + 1 < len(raw):
            i += 1
            out += {"n": "\n", "t": "\t"}.get(raw[i], raw[i])
        elif char == '"':
            quoted = not quoted
        elif char in "#;" and not quoted:
            break
        else:
            out += char
        i += 1
    return out.strip()


def _expand(value: str, home: Path | None, base: Path) -> Path:
    if value.startswith("~/") and home is not None:
        return home / value[2:]
    return base / value
