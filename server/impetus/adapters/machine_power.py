"""Battery and heat of this machine: sysfs on Linux (through psutil), `pmset` on a Mac."""

import re
import subprocess
import sys

import psutil

#: A Mac that is cooler than this lets the processor run at full speed.
FULL_SPEED = 100


class MachinePower:
    """Implements `Power`. A machine that cannot say counts as unstrained."""

    def strain(self) -> str:
        battery = psutil.sensors_battery()
        if battery is not None and battery.power_plugged is False:
            return f"on battery, {battery.percent:.0f} % left"
        if sys.platform == "darwin":
            return thermal_strain(_pmset())
        return ""


def thermal_strain(report: str) -> str:
    """What `pmset -g therm` says; it lists `CPU_Speed_Limit` in percent while macOS holds the processor back."""
    limit = re.search(r"CPU_Speed_Limit\s*=\s*(\d+)", report)
    if limit and int(limit[1]) < FULL_SPEED:
        return f"too hot, the processor runs at {limit[1]} %"
    return ""


def _pmset() -> str:
    try:
        return subprocess.run(
            ["/usr/bin/pmset", "-g", "therm"], capture_output=True, text=True, timeout=5, check=False
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return ""
