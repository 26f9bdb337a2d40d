"""What this machine is and how it fares, read from what its system prints. Runs nothing; adapters/machine.py does.

Each field is read by itself, and what a system does not say stays empty. The commands and the reports that the readers
were tried on are named in tests/domain/hardware/README.md.
"""

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cores:
    """One kind of processor core. `kind` is the system's own word: Super, Performance, Efficiency, or "" for all."""

    kind: str
    count: int


@dataclass(frozen=True, slots=True)
class Hardware:
    """`system` is "Darwin" or "Linux". `build` changes with every update of the system."""

    system: str
    version: str = ""
    build: str = ""
    chip: str = ""
    cores: tuple[Cores, ...] = ()  # the fastest kind first
    gpu_cores: int | None = None
    memory_bytes: int | None = None

    @property
    def family(self) -> str:
        """M1, M2 …; "" for a chip that is not Apple's."""
        found = re.match(r"Apple (M\d+)\b", self.chip)
        return found[1] if found else ""

    @property
    def neural_engine(self) -> bool:
        """Every chip of Apple's for Macs has one."""
        return bool(self.family)


#: Of `notifyutil -g com.apple.system.thermalpressurelevel`, as powermetrics names them.
PRESSURES = ("nominal", "moderate", "heavy", "trapping", "sleeping")
#: From here on the machine is markedly slower.
_STRAINED = PRESSURES[2:]
#: A processor that is not held back.
_FULL_SPEED = 100


@dataclass(frozen=True, slots=True)
class Conditions:
    """None and "" stand for what nobody says. `speed` is the percentage that the processor is held back to."""

    on_battery: bool | None = None
    charge: int | None = None
    pressure: str = ""
    speed: int | None = None

    def strain(self) -> str:
        """Why the machine should be spared, or nothing."""
        if self.on_battery:
            return "on battery" if self.charge is None else f"on battery, {self.charge} % left"
        return self.heat()

    def heat(self) -> str:
        if self.speed is not None and self.speed < _FULL_SPEED:
            return f"too hot, the processor runs at {self.speed} %"
        return f"too hot, thermal pressure is {self.pressure}" if self.pressure in _STRAINED else ""


def mac(sysctl: str, displays: str) -> Hardware:
    """Of `sysctl hw machdep.cpu kern.osproductversion kern.osversion` and `system_profiler SPDisplaysDataType`."""
    values = _pairs(sysctl)
    gpu = re.search(r"^\s*Total Number of Cores:\s*(\d+)", displays, re.M)
    return Hardware(
        "Darwin",
        values.get("kern.osproductversion", ""),
        values.get("kern.osversion", ""),
        values.get("machdep.cpu.brand_string", ""),
        _mac_cores(values),
        int(gpu[1]) if gpu else None,
        _number(values.get("hw.memsize")),
    )


def mac_conditions(battery: str, thermal: str, pressure: str) -> Conditions:
    """Of `pmset -g batt`, `pmset -g therm` and `notifyutil -g com.apple.system.thermalpressurelevel`.

    Chips of Apple's have no CPU_Speed_Limit, and only the third tells of heat.
    """
    source = re.search(r"Now drawing from '(\w+)", battery)
    charge = re.search(r"(\d+)%", battery)
    speed = re.search(r"CPU_Speed_Limit\s*=\s*(\d+)", thermal)
    level = re.search(r"(\d+)\s*$", pressure)
    known = level is not None and int(level[1]) < len(PRESSURES)
    return Conditions(
        source[1] == "Battery" if source else None,
        int(charge[1]) if charge else None,
        PRESSURES[int(level[1])] if level is not None and known else "",
        int(speed[1]) if speed else None,
    )


def linux(cpuinfo: str, meminfo: str, os_release: str, kernel: str) -> Hardware:
    """Of the files in /proc, /etc/os-release and the kernel's version."""
    chip = re.search(r"^(?:model name|Model|Hardware)\s*:\s*(.+)$", cpuinfo, re.M)
    count = len(re.findall(r"^processor\s*:", cpuinfo, re.M))
    memory = re.search(r"^MemTotal:\s*(\d+) kB", meminfo, re.M)
    name = re.search(r'^PRETTY_NAME="?([^"\n]*)', os_release, re.M)
    return Hardware(
        "Linux",
        name[1] if name else "",
        kernel,
        chip[1].strip() if chip else "",
        (Cores("", count),) if count else (),
        memory_bytes=int(memory[1]) * 1024 if memory else None,
    )


def _mac_cores(values: dict[str, str]) -> tuple[Cores, ...]:
    levels = []
    for level in range(_number(values.get("hw.nperflevels")) or len(values)):
        count = _number(values.get(f"hw.perflevel{level}.physicalcpu"))
        if count is None:
            break
        levels.append(Cores(values.get(f"hw.perflevel{level}.name", ""), count))
    if levels:
        return tuple(levels)
    count = _number(values.get("hw.physicalcpu"))
    return (Cores("", count),) if count else ()


def _pairs(text: str) -> dict[str, str]:
    lines = (line.partition(":") for line in text.splitlines())
    return {name.strip(): value.strip() for name, colon, value in lines if colon}


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isdecimal() else None
