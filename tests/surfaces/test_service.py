"""`impetus service`: the files that launchd and systemd read. Nothing is started here, and no Mac was at hand."""

import os
import plistlib
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from impetus.cli import exits, service
from impetus.cli.output import Output
from impetus.cli.runtime import Runtime
from impetus.daemon.units import unit
from impetus.errors import NotFound


def test_a_launchd_agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "a & b"
    monkeypatch.setenv("IMPETUS_HOME", str(home))
    agent = unit("darwin", tmp_path)
    assert agent.path == tmp_path / "Library" / "LaunchAgents" / "org.impetus.engine.plist"
    values = plistlib.loads(agent.text.encode())
    assert values["ProgramArguments"] == [sys.executable, "-P", "-m", "impetus", "serve"]
    assert values["EnvironmentVariables"]["IMPETUS_HOME"] == str(home)
    assert values["StandardErrorPath"] == str(home / "logs" / "service.log")
    assert values["KeepAlive"] == {"SuccessfulExit": False}
    assert str(agent.path) in agent.start


def test_a_systemd_unit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.setenv("IMPETUS_HOME", '/odd "100%" $HOME')
    service_unit = unit("linux", tmp_path)
    assert service_unit.path == tmp_path / ".config" / "systemd" / "user" / "impetus.service"
    assert 'Environment="IMPETUS_HOME=/odd \\"100%%\\" $HOME"' in service_unit.text
    assert f'ExecStart="{sys.executable}" "-P" "-m" "impetus" "serve"' in service_unit.text
    assert {"Restart=on-failure", "RestartSec=15", "KillMode=mixed"} <= set(service_unit.text.splitlines())


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not here")
def test_systemd_understands_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMPETUS_HOME", str(tmp_path / "a home"))
    file = tmp_path / "impetus.service"
    file.write_text(unit("linux", tmp_path).text)
    checked = subprocess.run(
        ["systemd-analyze", "verify", "--user", "--man=no", str(file)],
        capture_output=True,
        text=True,
        env={**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)},
        check=False,
    )
    assert "impetus.service" not in checked.stderr, checked.stderr


def test_install_and_remove(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    assert service.install(Runtime(), Output()) == exits.OK
    assert unit().path.read_text() == unit().text
    assert unit().start in capsys.readouterr().out
    assert service.remove(Runtime(), Output(json=True)) == exits.OK
    assert not unit().path.exists()
    with pytest.raises(NotFound, match="no service to remove"):
        service.remove(Runtime(), Output())
