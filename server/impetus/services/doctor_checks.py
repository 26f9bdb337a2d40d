"""Checks that need no adapter: the system, the languages, the models through a session, and both sides of the index.

Index side and query side run as real commands in a temporary home: what they meet is what a person would meet, and a
native library that crashes is a finding instead of the end of the doctor.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from impetus.domain.types import Cursor, Document
from impetus.languages import Language, grammar, languages
from impetus.services.doctor import Check, CheckResult, bad, good, warning
from impetus.services.doctor_editors import editor_checks
from impetus.services.session import Session

PYTHONS = ((3, 11), (3, 13))

#: Linux counts watched folders per user; large projects have more folders than small limits allow.
INOTIFY_LIMIT = Path("/proc/sys/fs/inotify/max_user_watches")
ENOUGH_WATCHES = 65_536

COMMAND_SECONDS = 120

_SAMPLE = {
    "greeting.py": 'def greet(name):\n    """Welcome a visitor by name."""\n    return f"Hello, {name}"\n',
    "README.md": "# Sample\n\nGreets visitors.\n",
}

#: Runs a command line with an environment; gives its exit code and both outputs.
Runner = Callable[[Sequence[str], Mapping[str, str]], "subprocess.CompletedProcess[str]"]


def system_checks(home: Path) -> list[Check]:
    return [
        Check("Python", lambda: python_version(sys.version_info[:2])),
        Check("Home directory", lambda: home_directory(home)),
        Check("git", lambda: git(shutil.which("git"))),
        Check("File watching", lambda: watch_limit(INOTIFY_LIMIT)),
        Check("Grammars", lambda: grammars(languages())),
    ]


def session_checks(open_session: Callable[[], Awaitable[Session]]) -> list[Check]:
    """Each check has an engine of its own: what one breaks does not make the next one fail."""

    def check(name: str, look: Callable[[Session], Awaitable[CheckResult]]) -> Check:
        async def run() -> CheckResult:
            session = await open_session()
            try:
                return await look(session)
            finally:
                await session.engine.close()

        return Check(name, run)

    return [
        check("Embedder", embedder),
        check("Completion model", completion_model),
        check("Chat model", chat_model),
    ]


def end_checks(user: Path) -> list[Check]:
    return [Check("Index side and query side", both_sides), *editor_checks(user)]


def python_version(version: tuple[int, int]) -> CheckResult:
    found = f"{version[0]}.{version[1]}"
    if PYTHONS[0] <= version <= PYTHONS[1]:
        return good(found)
    return warning(found, "Impetus is tested with Python 3.11 to 3.13; install it with one of them")


def home_directory(home: Path) -> CheckResult:
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=home) as file:
            file.write(b"x")
            file.flush()
    except OSError as error:
        return bad(
            f"{home} cannot be written: {error.strerror}",
            "Mend its permissions, or name another folder with IMPETUS_HOME",
        )
    free = shutil.disk_usage(home).free
    if free < 1_000_000_000:
        return warning(
            f"{home}, {free // 1_000_000} MB free", "Make room: an index of a large project takes some 100 MB"
        )
    return good(f"{home}, {free // 1_000_000_000} GB free")


def git(found: str | None) -> CheckResult:
    if found:
        return good(found)
    return warning("not found", "Install git: ignore files of the user and branch switches are understood with it")


def watch_limit(file: Path) -> CheckResult:
    try:
        limit = int(file.read_text())
    except (OSError, ValueError):
        return good("no limit known on this system")
    if limit >= ENOUGH_WATCHES:
        return good(f"{limit:,} folders")
    return warning(
        f"only {limit:,} folders can be watched",
        "Raise it, or changes made outside the editor may be missed: sudo sysctl fs.inotify.max_user_watches=524288",
    )


def grammars(known: Mapping[str, Language]) -> CheckResult:
    if not known:
        return bad("none found: every file is indexed as plain text", "Reinstall Impetus")
    names = [name for name, language in known.items() if language.query]
    broken = []
    for name in names:
        try:
            grammar(name)
        except Exception as error:  # an incompatible wheel fails in its own ways
            broken.append(f"{name} ({error})")
    if broken:
        return bad(f"{len(broken)} of {len(names)} fail: {', '.join(broken)}", "Reinstall Impetus")
    plain = len(known) - len(names)
    return good(f"{len(names)} load" + (f", {plain} more as plain text" if plain else ""))


async def embedder(session: Session) -> CheckResult:
    vectors = await session.embed(["def parse_url(text): return urlsplit(text)", "read a file"])
    lengths = np.linalg.norm(vectors, axis=1)
    if not np.isfinite(vectors).all() or not np.allclose(lengths, 1, atol=1e-3):
        return bad(f"{session.engine.embedding_id} gives vectors that are not of unit length", "Reinstall Impetus")
    return good(f"{session.engine.embedding_id}, {vectors.shape[1]} dimensions")


async def completion_model(session: Session) -> CheckResult:
    model = next((model for model in session.status().models if model.role == "completion"), None)
    if model is None or model.state == "none":
        return warning("none is configured", "Set completion.model to `bundled`")
    text = "class Point:\n    def __init__(self, x, y):\n        self.x = x\n        "
    document = Document(str(Path(tempfile.gettempdir()) / "doctor.py"), text, 0, "python")
    completion = await session.complete(Cursor(document, len(text)), explicit=True)
    if completion is None:
        return warning(f"{model.id} loads but completes nothing", "Try another completion.model")
    return good(f"{model.id} goes on after `self.x = x` with `{completion.text.strip()}`")


async def chat_model(session: Session) -> CheckResult:
    model = next((model for model in session.status().models if model.role == "chat"), None)
    if model is None or model.state == "none":
        return warning(
            "none is configured: answers are put together from passages",
            "`impetus models list` shows what suits this machine and how to get it; or set chat.model to a model's "
            "name together with chat.base_url",
        )
    if model.state in ("missing", "failed"):
        return bad(f"{model.id}: {model.detail or model.state}", "Check chat.model and chat.base_url")
    draft = session.models.draft
    return good(f"{model.id}, {model.state}" + (f"; {draft.said()}" if draft is not None else ""))


def run_command(arguments: Sequence[str], environment: Mapping[str, str]) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        arguments, env=dict(environment), capture_output=True, text=True, timeout=COMMAND_SECONDS, check=False
    )


def both_sides(run: Runner = run_command) -> CheckResult:
    """Index a tiny project and find something in it by what it means."""
    with tempfile.TemporaryDirectory(prefix="impetus-doctor-") as folder:
        home, project = Path(folder) / "home", Path(folder) / "project"
        project.mkdir()
        for name, text in _SAMPLE.items():
            (project / name).write_text(text, "utf-8")
        environment = {**os.environ, "IMPETUS_HOME": str(home)}
        impetus = [sys.executable, "-m", "impetus"]
        indexed = run([*impetus, "index", str(project), "--json"], environment)
        if indexed.returncode:
            return bad(
                f"indexing a sample project failed: {_last(indexed)}", "Reinstall Impetus; its index side is broken"
            )
        counts = json.loads(indexed.stdout)
        if counts["files"] != len(_SAMPLE):
            return bad(
                f"{counts['files']} of {len(_SAMPLE)} sample files were indexed", "Check index.exclude in the settings"
            )
        query = ["search", "welcome a visitor", "--workspace", str(project), "--json"]
        found = run([*impetus, *query], environment)
        if found.returncode or json.loads(found.stdout)[0]["path"] not in _SAMPLE:
            return bad(
                f"searching a sample project failed: {_last(found)}", "The query side is broken; reinstall Impetus"
            )
        return good(f"a sample project was indexed in {counts['seconds']:.1f} s and searched")


def _last(finished: "subprocess.CompletedProcess[str]") -> str:
    rows = (finished.stderr or finished.stdout).strip().splitlines()
    return rows[-1] if rows else f"exit code {finished.returncode}"
