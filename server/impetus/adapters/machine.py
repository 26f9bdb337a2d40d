"""Runs the commands and reads the files that tell what this machine is and how it fares; domain/hardware.py reads them.

A command that is missing or hangs says nothing.
"""

import platform
import subprocess
import sys
from functools import lru_cache
from pathlib import Path

import psutil

from impetus.domain.hardware import Conditions, Hardware, linux, mac, mac_conditions

_PATIENCE_S = 10.0


@lru_cache(maxsize=1)
def hardware() -> Hardware:
    """Does not change while a process lives."""
    if sys.platform == "darwin":
        facts = _said("/usr/sbin/sysctl", "hw", "machdep.cpu", "kern.osproductversion", "kern.osversion")
        return mac(facts, _said("/usr/sbin/system_profiler", "SPDisplaysDataType"))
    return linux(_read("/proc/cpuinfo"), _read("/proc/meminfo"), _read("/etc/os-release"), platform.release())


def conditions() -> Conditions:
    if sys.platform == "darwin":
        return mac_conditions(
            _said("/usr/bin/pmset", "-g", "batt"),
            _said("/usr/bin/pmset", "-g", "therm"),
            _said("/usr/bin/notifyutil", "-g", "com.apple.system.thermalpressurelevel"),
        )
    battery = psutil.sensors_battery()
    if battery is None or battery.power_plugged is None:
        return Conditions()
    return Conditions(not battery.power_plugged, round(battery.percent))


class MachinePower:
    """Implements `Power`. A machine that cannot say counts as unstrained."""

    def strain(self) -> str:
        return conditions().strain()


def _said(*command: str) -> str:
    try:
        # One unknown name lets sysctl fail after it has printed the others.
        return subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE_S, check=False).stdout
    except (OSError, ValueError, subprocess.SubprocessError):
        return ""


def _read(path: str) -> str:
    try:
        return Path(path).read_text("utf-8", "replace")
    except OSError:
        return ""
