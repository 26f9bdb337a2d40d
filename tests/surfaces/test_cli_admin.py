"""`impetus status`, `doctor` and `keys` on a scripted session, and how every command fails."""

from pathlib import Path
from typing import Any

import pytest
from tests.support.scripted_session import Script
from tests.support.terminal import Terminal

from impetus import errors
from impetus.cli import exits
from impetus.domain.types import (
    EngineStatus,
    Health,
)
from impetus.services.doctor import Check, bad, good, warning


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("IMPETUS_HOME", str(tmp_path / "home"))
    root = tmp_path / "project"
    root.mkdir()
    (root / "a.py").write_text("def add(a, b):\n    return a\n\nadd(1, 2)\n")
    return root


def test_status(project: Path) -> None:
    terminal = Terminal()
    text = terminal.run("status", "-w", str(project)).stdout
    assert "2 files, 5 chunks" in text
    assert "scripted-fim" in text
    value = terminal.value("status", "-w", str(project))
    assert (value["health"], value["workspace"]["root"]) == ("ok", str(project))
    assert terminal.sessions[-1].engine.settings.index.enable is False


def test_status_of_something_broken(project: Path) -> None:
    broken = EngineStatus(Health.ERROR, "The catalog cannot be read; delete it")
    result = Terminal(Script(status=broken)).run("status", "-w", str(project))
    assert result.exit_code == 3
    assert "✗" in result.stdout and "The catalog cannot be read; delete it" in result.stdout


def test_doctor_says_what_to_do(project: Path) -> None:
    async def slow_check() -> Any:
        return warning("degraded", "Do this")

    def broken() -> Any:
        raise OSError("no such library")

    checks = [Check("One", lambda: good("fine")), Check("Two", slow_check), Check("Three", broken)]
    terminal = Terminal(checks=checks)
    result = terminal.run("doctor")
    assert result.exit_code == 1
    assert "✓ One: fine\n" in result.stdout
    assert "! Two: degraded\n    → Do this\n" in result.stdout
    assert "✗ Three: OSError: no such library" in result.stdout
    assert "2 of 4 checks passed, 1 to look at, 1 failed" in result.stdout
    value = terminal.value("doctor")
    assert value["passed"] is False
    assert [check["level"] for check in value["checks"]] == ["good", "good", "warning", "bad"]


def test_doctor_is_content_with_warnings(project: Path) -> None:
    assert Terminal(checks=[Check("One", lambda: warning("so so", "Improve"))]).run("doctor").exit_code == 0
    assert Terminal(checks=[Check("One", lambda: bad("broken", "Mend"))]).run("doctor").exit_code == 1


def test_keys(project: Path) -> None:
    terminal = Terminal()
    made = terminal.value("keys", "create", "--name", "laptop")
    assert set(made) == {"key", "id", "name", "role", "created", "expires"}
    assert terminal.keys.verify(made["key"]) is not None
    assert terminal.value("keys", "list") == [{name: value for name, value in made.items() if name != "key"}]
    assert made["key"] not in terminal.run("keys", "list").stdout
    assert terminal.run("keys", "revoke", made["id"]).exit_code == 0
    assert terminal.keys.verify(made["key"]) is None
    assert terminal.run("keys", "revoke", made["id"]).exit_code == 2


def test_a_key_with_a_role_and_an_end(project: Path) -> None:
    terminal = Terminal()
    made = terminal.value("keys", "create", "--name", "ci", "--role", "readonly", "--days", "2")
    assert (made["role"], made["created"], made["expires"]) == (
        "readonly", "1970-01-01T00:00:00+00:00", "1970-01-03T00:00:00+00:00"
    )  # fmt: skip
    assert "until 1970-01-03" in terminal.run("keys", "list").stdout
    terminal.run("keys", "revoke", made["id"])
    assert [(event["action"], event["key_id"]) for event in terminal.value("keys", "log")] == [
        ("revoked", made["id"]), ("created", made["id"]),
    ]  # fmt: skip
    assert "revoked" in terminal.run("keys", "log").stdout
    assert terminal.run("keys", "create", "--name", "x", "--role", "owner").exit_code == 2


def test_a_new_key_is_alone_on_standard_output(project: Path) -> None:
    terminal = Terminal()
    result = terminal.run("keys", "create", "--name", "laptop")
    assert terminal.keys.verify(result.stdout.strip()) is not None


# -- errors ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [
        ["search"],
        ["search", "  "],
        ["search", "x", "--top", "0"],
        ["search", "x", "--workspace", "none/such"],
        ["ask", ""],
        ["index", "none/such"],
        ["explain", "none.py"],
        ["explain", "a.py:5-2"],
        ["complete", "a.py:900"],
        ["complete", "a.py:1", "--nonsense"],
        ["keys", "create", "--name", " "],
        ["nonsense"],
        ["search", "x", "--nonsense"],
    ],
)
def test_bad_input_is_code_2_and_a_sentence(
    project: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    monkeypatch.chdir(project)
    result = Terminal().run(*arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.strip()
    assert "Traceback" not in result.stderr


def test_a_defect_is_a_sentence_too(project: Path) -> None:
    result = Terminal(Script(events=[ValueError("oops")])).run("ask", "x", "-w", str(project))
    assert result.exit_code == 3
    assert "Something went wrong inside Impetus (ValueError: oops)" in result.stderr


def test_bad_settings_are_told_and_survived(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMPETUS_SEARCH_LIMIT", "many")
    result = Terminal().run("search", "x", "-w", str(project))
    assert result.exit_code == 0
    assert "search.limit" in result.stderr
    monkeypatch.setenv("IMPETUS_HTTP_PORT", "many")
    assert Terminal().run("search", "x", "-w", str(project)).exit_code == 2


def test_an_interrupt_has_its_own_code(capsys: pytest.CaptureFixture[str]) -> None:
    async def interrupted() -> int:
        raise KeyboardInterrupt

    assert exits.guarded(interrupted) == 130
    assert capsys.readouterr().err == "impetus: Interrupted; what is finished stays\n"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.BadRequest("x"), 2),
        (errors.NotFound("x"), 2),
        (errors.Denied("x"), 2),
        (errors.IndexLocked("x"), 3),
        (errors.ModelUnavailable("x"), 3),
        (errors.Busy("x"), 3),
        (errors.EngineStopped("x"), 3),
    ],
)
def test_codes_of_errors(error: errors.ImpetusError, code: int) -> None:
    assert exits.code_of(error) == code
