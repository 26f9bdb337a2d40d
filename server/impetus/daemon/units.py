"""The engine as a service: what launchd and systemd have to be told, and where they look for it."""

import os
import plistlib
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from impetus.daemon import address

LABEL: Final = "org.impetus.engine"
UNIT: Final = "impetus.service"


@dataclass(frozen=True, slots=True)
class Unit:
    """A file, and the commands that make the system take notice of it and forget it."""

    path: Path
    text: str
    start: str
    stop: str


def unit(platform: str = sys.platform, person: Path | None = None) -> Unit:
    """For this interpreter and this home directory of Impetus; `person` is the person's own home directory."""
    person = person or Path.home()
    return _launchd(person) if platform == "darwin" else _systemd(person)


def _command() -> list[str]:
    return [sys.executable, "-P", "-m", "impetus", "serve"]


def _environment() -> dict[str, str]:
    """Where the engine was found and where its state lies; all other settings come from settings.toml."""
    names = ("IMPETUS_HOME", "PYTHONPATH")
    return {name: value for name in names if (value := os.environ.get(name))}


def _launchd(person: Path) -> Unit:
    """See launchd.plist(5). `SuccessfulExit` false: started again after a crash and by an upgrade, which end it with
    another code than 0, and not after `impetus stop`.
    """
    path = person / "Library" / "LaunchAgents" / f"{LABEL}.plist"
    values = {
        "Label": LABEL,
        "ProgramArguments": _command(),
        "EnvironmentVariables": _environment(),
        "RunAtLoad": True,
        "KeepAlive": {"SuccessfulExit": False},
        "ProcessType": "Interactive",
        "WorkingDirectory": str(person),
        "StandardErrorPath": address.log_path("service.log"),  # launchd throws away what has no place
    }
    domain = f"gui/{os.getuid()}"
    return Unit(
        path,
        plistlib.dumps(values).decode(),
        f"launchctl bootstrap {domain} {path}",
        f"launchctl bootout {domain}/{LABEL}",
    )


def _systemd(person: Path) -> Unit:
    """See systemd.service(5). It is tried again for as long as an editor's engine runs instead, not five times in a
    second and then never; a stop is said to the engine alone, which ends its workers once they are no longer needed.
    """
    config = Path(os.environ.get("XDG_CONFIG_HOME") or person / ".config")
    environment = "".join(f"Environment={_quoted(f'{name}={value}')}\n" for name, value in _environment().items())
    text = f"""[Unit]
Description=Impetus, the engine for all editor windows

[Service]
ExecStart={" ".join(_quoted(word).replace("$", "$$") for word in _command())}
{environment}WorkingDirectory=%h
Restart=on-failure
RestartSec=15
KillMode=mixed

[Install]
WantedBy=default.target
"""
    return Unit(
        config / "systemd" / "user" / UNIT,
        text,
        f"systemctl --user daemon-reload && systemctl --user enable --now {UNIT}",
        f"systemctl --user disable --now {UNIT}",
    )


def _quoted(word: str) -> str:
    """As systemd.syntax(7) reads it: quotes around, `%` doubled."""
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{escaped}"'
