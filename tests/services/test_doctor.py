"""The doctor's checks on good and bad systems: what each finds, and that a bad one says what to do."""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.support.fakes import FakeDraftVerdicts, FakeWorker
from tests.support.scripted_session import Script, ScriptedEngine, ScriptedSession

from impetus.domain.types import Completion, EngineStatus, Health, ModelState
from impetus.errors import IndexFailed
from impetus.languages import languages
from impetus.services import doctor, doctor_checks, doctor_editors
from impetus.services.doctor import Check, Checked, CheckResult, Level, bad, good, warning
from impetus.services.drafts import Draft


def advises(result: CheckResult, level: Level, advice: str) -> bool:
    return result.level is level and advice in result.advice


async def examined(*checks: Check) -> list[Checked]:
    return [await doctor.examine(check) for check in checks]


async def test_checks_run_in_order_and_one_that_fails_does_not_stop_the_next() -> None:
    ran: list[str] = []

    def note(name: str, outcome: CheckResult | Exception) -> Check:
        async def run() -> CheckResult:
            ran.append(name)
            if isinstance(outcome, Exception):
                raise outcome
            return outcome

        return Check(name, run)

    checked = await examined(
        note("a", good("fine")),
        note("b", IndexFailed("The disk is full")),
        note("c", KeyError("x")),
        note("d", good("ok")),
    )
    assert ran == ["a", "b", "c", "d"]
    assert [each.result.level for each in checked] == [Level.GOOD, Level.BAD, Level.BAD, Level.GOOD]
    assert checked[1].result.finding == "The disk is full"
    assert checked[2].result.finding == "KeyError: 'x'"
    assert not doctor.passed(checked)
    assert doctor.summary(checked) == "2 of 4 checks passed, 0 to look at, 2 failed"


def test_formatting() -> None:
    fine, so_so, broken = (Checked("X", result) for result in (good("a"), warning("b", "do"), bad("c", "mend")))
    assert doctor.lines(fine) == ["✓ X: a"]
    assert doctor.lines(so_so) == ["! X: b", "    → do"]
    assert doctor.lines(broken) == ["✗ X: c", "    → mend"]
    assert doctor.summary([fine]) == "All 1 checks passed"
    assert doctor.passed([fine, so_so])
    assert doctor.as_json([so_so]) == [{"name": "X", "level": "warning", "finding": "b", "advice": "do"}]


# -- the system ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("version", "level"), [((3, 11), "good"), ((3, 13), "good"), ((3, 14), "warning")])
def test_python(version: tuple[int, int], level: str) -> None:
    assert doctor_checks.python_version(version).level.value == level


def test_home(tmp_path: Path) -> None:
    assert doctor_checks.home_directory(tmp_path / "new").level is Level.GOOD
    (tmp_path / "file").touch()
    assert advises(doctor_checks.home_directory(tmp_path / "file"), Level.BAD, "IMPETUS_HOME")


def test_git() -> None:
    assert doctor_checks.git("/usr/bin/git") == good("/usr/bin/git")
    assert advises(doctor_checks.git(None), Level.WARNING, "Install git")


def test_watch_limit(tmp_path: Path) -> None:
    file = tmp_path / "limit"
    assert doctor_checks.watch_limit(file).level is Level.GOOD
    file.write_text("1048576\n")
    assert doctor_checks.watch_limit(file) == good("1,048,576 folders")
    file.write_text("8192\n")
    assert advises(doctor_checks.watch_limit(file), Level.WARNING, "sysctl")


def test_every_grammar_loads() -> None:
    result = doctor_checks.grammars(languages())
    assert result.level is Level.GOOD, result
    assert int(result.finding.split()[0]) >= 20


def test_no_grammars() -> None:
    assert advises(doctor_checks.grammars({}), Level.BAD, "Reinstall")


# -- models ----------------------------------------------------------------------------------------------------------


class Halved(ScriptedSession):
    async def embed(self, texts: Sequence[str]) -> Any:
        return np.full((len(texts), 4), 0.25, np.float32)


def session(*models: ModelState, completion: Completion | None = None) -> Any:
    status = EngineStatus(Health.OK, "", models=models)
    return ScriptedSession(ScriptedEngine(Script(status=status, completion=completion)))


async def test_embedder() -> None:
    assert await doctor_checks.embedder(session()) == good("scripted-v1, 3 dimensions")
    halved: Any = Halved()
    assert (await doctor_checks.embedder(halved)).level is Level.BAD


async def test_completion_model() -> None:
    tiny = ModelState("completion", "tiny", "ready")
    done = Completion("second\n", 0, 0, 0, "tiny")
    assert (await doctor_checks.completion_model(session(tiny, completion=done))).finding.endswith("with `second`")
    assert (await doctor_checks.completion_model(session(tiny))).level is Level.WARNING
    assert advises(await doctor_checks.completion_model(session()), Level.WARNING, "completion.model")


async def test_chat_model() -> None:
    async def look(state: str) -> CheckResult:
        return await doctor_checks.chat_model(session(ModelState("chat", "big", state, "No such folder")))

    assert (await look("ready")).level is Level.GOOD
    assert (await look("missing")).finding == "big: No such folder"
    assert advises(await look("none"), Level.WARNING, "chat.base_url")


async def test_what_is_known_of_a_draft_is_said(tmp_path: Path) -> None:
    looked = session(ModelState("chat", "big", "ready"))
    looked.models.draft = Draft(tmp_path, tmp_path, FakeWorker("x"), FakeDraftVerdicts())
    found = await doctor_checks.chat_model(looked)
    assert found.finding == "big, ready; draft: not measured; run `impetus bench`"


async def test_session_checks_close_what_they_open() -> None:
    opened: list[ScriptedSession] = []

    async def open_session() -> Any:
        opened.append(session())
        return opened[-1]

    checked = await examined(*doctor_checks.session_checks(open_session))
    assert [each.name for each in checked] == ["Embedder", "Completion model", "Chat model"]
    assert len(opened) == 3
    assert all(each.engine.closed for each in opened)


# -- both sides of the index -----------------------------------------------------------------------------------------


class Commands:
    """Answers command lines in order."""

    def __init__(self, *answers: tuple[int, str, str]) -> None:
        self.answers = list(answers)
        self.seen: list[tuple[Sequence[str], Mapping[str, str]]] = []

    def __call__(self, line: Sequence[str], environment: Mapping[str, str]) -> "subprocess.CompletedProcess[str]":
        self.seen.append((line, environment))
        code, out, err = self.answers.pop(0)
        return subprocess.CompletedProcess(line, code, out, err)


INDEXED = (0, json.dumps({"files": 2, "seconds": 0.5}), "")


def test_both_sides() -> None:
    commands = Commands(INDEXED, (0, json.dumps([{"path": "greeting.py"}]), ""))
    assert doctor_checks.both_sides(commands) == good("a sample project was indexed in 0.5 s and searched")
    (index, environment), (search, _) = commands.seen
    assert index[:4] == [sys.executable, "-m", "impetus", "index"]
    assert search[3] == "search"
    home = Path(environment["IMPETUS_HOME"])
    assert not home.parent.exists()  # temporary, and gone


@pytest.mark.parametrize(
    ("answers", "advice"),
    [
        ([(3, "", "impetus: The disk is full")], "index side"),
        ([(-11, "", "")], "index side"),
        ([(0, json.dumps({"files": 1, "seconds": 1}), "")], "index.exclude"),
        ([INDEXED, (1, "[]", "")], "query side"),
        ([INDEXED, (0, json.dumps([{"path": "other.py"}]), "")], "query side"),
    ],
)
def test_a_side_that_is_broken_is_named(answers: list[tuple[int, str, str]], advice: str) -> None:
    assert advises(doctor_checks.both_sides(Commands(*answers)), Level.BAD, advice)


# -- editors ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for variable in ("XDG_CONFIG_HOME", "XDG_DATA_HOME"):
        monkeypatch.delenv(variable, raising=False)
    return tmp_path


async def test_no_editor(user: Path) -> None:
    (checked,) = await examined(*doctor_editors.editor_checks(user))
    assert checked.result.level is Level.WARNING
    assert "impetus lsp" in checked.result.advice


@pytest.mark.parametrize(
    ("name", "file", "text"),
    [
        ("Neovim", ".config/nvim/lua/plugins/lsp.lua", "vim.lsp.enable('impetus')"),
        ("VS Code", ".vscode/extensions/extensions.json", '[{"identifier": {"id": "impetus.impetus"}}]'),
        ("Helix", ".config/helix/languages.toml", "[language-server.impetus]"),
        ("Emacs", ".emacs.d/init.el", '("impetus" "lsp")'),
    ],
)
async def test_an_editor_is_configured_or_told_how(user: Path, name: str, file: str, text: str) -> None:
    place = user / file
    place.parent.mkdir(parents=True)
    place.write_text("nothing yet")
    (before,) = await examined(*doctor_editors.editor_checks(user))
    assert (before.name, before.result.level) == (f"Editor {name}", Level.WARNING)
    assert before.result.advice
    place.write_text(f"first\n{text}\n")
    (after,) = await examined(*doctor_editors.editor_checks(user))
    assert after.result == good(f"configured in {place}")


async def test_the_plugin_in_a_package_of_neovim_is_found(user: Path) -> None:
    plugin = Path(__file__).parents[2] / "clients" / "neovim"
    package = user / ".local" / "share" / "nvim" / "site" / "pack" / "impetus" / "start"
    package.mkdir(parents=True)
    (user / ".config" / "nvim").mkdir(parents=True)
    (before,) = await examined(*doctor_editors.editor_checks(user))
    assert (before.result.level, before.result.advice.split()[:3]) == (Level.WARNING, ["Install", "the", "plugin"])
    (package / "impetus").symlink_to(plugin)
    (after,) = await examined(*doctor_editors.editor_checks(user))
    assert after.result.level is Level.GOOD
    (package / "impetus").unlink()
    (user / ".config" / "nvim").rmdir()
    (without,) = await examined(*doctor_editors.editor_checks(user))
    assert without.name == "Editors"


async def test_configuration_elsewhere_is_found(user: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(user / "elsewhere"))
    (user / "elsewhere" / "nvim").mkdir(parents=True)
    (user / "elsewhere" / "nvim" / "init.lua").write_text("impetus")
    (checked,) = await examined(*doctor_editors.editor_checks(user))
    assert checked.result.level is Level.GOOD
