"""Which ignore files apply to a folder and what they say of its entries.

Strongest first: the settings, `.impetusignore` (inner folder before outer), then git's own order: `.gitignore` (inner
before outer), `.git/info/exclude`, the user's global file; last a short list of dependency and cache folders. As in
git, what lies in a folder that is left out is left out, whatever later files say; only a `!` pattern of the settings
or of an `.impetusignore` outside that folder, which must name the folder, reaches into it.
"""

import os
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace
from pathlib import Path

from impetus.adapters import git
from impetus.adapters.ignore import IgnoreFile, narrow, parse, widen
from impetus.config import IndexSettings

GIT_IGNORE = ".gitignore"
OWN_IGNORE = ".impetusignore"
_VIRTUAL_ENVIRONMENT = "pyvenv.cfg"

#: The entries of a folder that change the rules inside it.
MARKERS = frozenset({GIT_IGNORE, OWN_IGNORE, ".git", _VIRTUAL_ENVIRONMENT})

#: Never walked, whatever the patterns say.
VERSION_CONTROL = frozenset({".git", ".hg", ".svn", ".jj", ".bzr"})

#: Folders that hold nobody's own source. `dist`, `build`, `vendor` and `target` are left out only when ignored.
_DEFAULTS = b"""node_modules/
bower_components/
__pycache__/
.tox/
.nox/
.mypy_cache/
.pytest_cache/
.ruff_cache/
.gradle/
.terraform/
.next/
.nuxt/
.svelte-kit/
.parcel-cache/
.direnv/
"""


@dataclass(frozen=True, slots=True)
class Verdict:
    """`reason` is None when the entry is taken; `forced` says that a `!` pattern of ours took it."""

    reason: str | None = None
    forced: bool = False


_TAKEN = Verdict()
_FORCED = Verdict(forced=True)


@dataclass(frozen=True, slots=True)
class Folder:
    """The rules inside one folder. `prefix` is "" or ends in a slash, relative to the top of the repository."""

    prefix: str
    settings: tuple[IgnoreFile, ...]
    own: tuple[IgnoreFile, ...]  # strongest first
    git: tuple[IgnoreFile, ...]  # strongest first
    above: int  # how much of `prefix` lies above the root
    case_blind: bool
    excluded: str | None = None  # why this folder is left out, when a pattern reaches into it all the same

    def judge(self, name: str, is_folder: bool) -> Verdict:
        """What the patterns say of one entry; `name` is narrow (see `ignore.narrow`)."""
        path = self.prefix + name
        for file in (*self.settings, *self.own):
            pattern = file.match(path, name, is_folder)
            if pattern is not None:
                return _FORCED if pattern.negated else Verdict(file.describe(pattern))
        if self.excluded is not None:
            return Verdict(self.excluded)
        for file in self.git:
            pattern = file.match(path, name, is_folder)
            if pattern is not None:
                return _TAKEN if pattern.negated else Verdict(file.describe(pattern))
        return _TAKEN

    def reaches_below(self, name: str) -> bool:
        """Whether a pattern forces in something inside the folder `name`, should that be left out itself."""
        path = self.prefix + name
        return any(file.reaches_below(path) for file in (*self.settings, *self.own) if file.forces)

    def open(self, name: str, verdict: Verdict, path: Path, markers: Set[str]) -> "Folder | str":
        """The rules inside the folder `name`, or the reason why nothing in it can be taken.

        `markers` are those of MARKERS that the folder at `path` holds.
        """
        reason = verdict.reason
        if reason is None and not verdict.forced and _VIRTUAL_ENVIRONMENT in markers:
            reason = "left out by default: a Python virtual environment"
        if reason is not None and not self.reaches_below(name):
            return reason
        inside = replace(self, prefix=f"{self.prefix}{name}/", excluded=reason)
        return inside if reason is not None else inside.with_files(path, markers)

    def with_files(self, path: Path, markers: Set[str]) -> "Folder":
        """The same folder, which lies at `path`, with the ignore files that it holds itself."""
        own, from_git = self.own, self.git
        if ".git" in markers:
            repository = git.open_at(path)
            if repository is not None:
                exclude = self._load(repository.common_dir / "info" / "exclude", ".git/info/exclude")
                from_git = (*exclude, *from_git)
        if GIT_IGNORE in markers:
            from_git = (*self._load(path / GIT_IGNORE, GIT_IGNORE), *from_git)
        if OWN_IGNORE in markers:
            own = (*self._load(path / OWN_IGNORE, OWN_IGNORE), *own)
        if own is self.own and from_git is self.git:
            return self
        return replace(self, own=own, git=from_git)

    def _load(self, path: Path, name: str) -> tuple[IgnoreFile, ...]:
        """None or one file. Links are not followed, as git does not either."""
        content = None if path.is_symlink() else git.read_small(path)
        if not content:
            return ()
        is_inside = len(self.prefix) >= self.above
        label = widen(self.prefix[self.above :]) + name if is_inside else str(path)
        return (parse(content, self.prefix, label, self.case_blind),)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a root lies in: its repository and the rules that no file of the tree holds. Read once for each scan."""

    root: Path
    settings: IndexSettings
    top: Path  # of the repository, else the root
    shared: tuple[IgnoreFile, ...]  # strongest first
    case_blind: bool

    def folder(self) -> Folder:
        """The rules inside the root as they are now.

        Those of the enclosing repository count too, unless they leave out the root itself: somebody who opens a
        folder that is ignored (an installed package, say) wants it indexed.
        """
        folder = self._start(self.top)
        path = self.top
        for part in self.root.relative_to(self.top).parts:
            path = path / part
            name = narrow(part)
            inside = folder.open(name, folder.judge(name, True), path, markers_of(path))
            if isinstance(inside, str) or inside.excluded is not None:
                return self._start(self.root)
            folder = inside
        return folder

    def _start(self, top: Path) -> Folder:
        base = "".join(narrow(part) + "/" for part in self.root.relative_to(top).parts)
        forced = ["!" + line.removeprefix("!") for line in self.settings.include]
        patterns = (
            parse(_lines(self.settings.exclude), base, "index.exclude", self.case_blind),
            parse(_lines(forced), base, "index.include", self.case_blind),
        )
        return Folder("", patterns, (), self.shared, len(base), self.case_blind).with_files(top, markers_of(top))


def surroundings(root: Path, settings: IndexSettings, environment: Mapping[str, str]) -> Surroundings:
    """Find the repository of `root` and read git's settings and the user's global ignore file."""
    repository = git.repository(root)
    values = git.settings(repository, environment)
    case_blind = values.get("core.ignorecase", "").lower() == "true"
    shared: tuple[IgnoreFile, ...] = (parse(_DEFAULTS, "", "", case_blind),)
    user_file = git.global_ignore_file(values, environment)
    content = None if user_file is None else git.read_small(user_file)
    if content:
        shared = (parse(content, "", str(user_file), case_blind), *shared)
    return Surroundings(root, settings, repository.top if repository else root, shared, case_blind)


def markers_of(path: Path) -> frozenset[str]:
    """The markers that the folder at `path` holds, for a caller that has not listed it."""
    return frozenset(name for name in MARKERS if os.path.lexists(f"{path}/{name}"))


def _lines(patterns: Sequence[str]) -> bytes:
    return os.fsencode("\n".join(patterns))
