"""What is read from reports of real machines; hardware/README.md names where each was published."""

from pathlib import Path

import pytest

from impetus.domain.hardware import Conditions, Cores, Hardware, linux, mac, mac_conditions

REPORTS = Path(__file__).parent / "hardware"


def report(name: str) -> str:
    return (REPORTS / name).read_text("utf-8")


@pytest.mark.parametrize(
    ("name", "chip", "family", "cores", "memory"),
    [
        ("m1-pro", "", "", (Cores("", 8), Cores("", 2)), None),
        ("m1-pro-8", "Apple M1 Pro", "M1", (), None),
        ("m3-max", "Apple M3 Max", "M3", (Cores("Performance", 10), Cores("Efficiency", 4)), 36 << 30),
        ("m4-max", "Apple M4 Max", "M4", (Cores("Performance", 12), Cores("Efficiency", 4)), 64 << 30),
        ("m5", "Apple M5", "M5", (Cores("Super", 4), Cores("Efficiency", 6)), 24 << 30),
        ("m5-max", "", "", (Cores("Super", 6), Cores("Performance", 12)), None),
    ],
)
def test_what_sysctl_says(name: str, chip: str, family: str, cores: tuple[Cores, ...], memory: int | None) -> None:
    found = mac(report(f"{name}.sysctl"), "")
    assert (found.chip, found.family, found.cores, found.memory_bytes) == (chip, family, cores, memory)
    assert found.neural_engine is bool(family)


@pytest.mark.parametrize("chip", ["Apple processor", "Intel(R) Core(TM) i9-9980HK CPU @ 2.40GHz", "Apple M", ""])
def test_other_chips_have_no_family(chip: str) -> None:
    assert mac(f"machdep.cpu.brand_string: {chip}", "").family == ""


def test_cores_of_the_gpu_are_not_taken_for_others() -> None:
    assert mac(report("m5.sysctl"), report("m3.displays")).gpu_cores == 10
    assert mac("", report("radeon.displays")).gpu_cores is None


def test_the_build_of_the_system() -> None:
    found = mac("kern.osproductversion: 26.1\nkern.osversion: 25B78\n", "")
    assert (found.version, found.build) == ("26.1", "25B78")


def test_a_processor_without_levels_counts_as_one_kind() -> None:
    assert mac("hw.physicalcpu: 6\n", "").cores == (Cores("", 6),)


@pytest.mark.parametrize("noise", ["", "hw.nperflevels: many\nhw.memsize:\n", "sysctl: unknown oid 'hw'", "\x00::\n"])
def test_a_surprise_leaves_fields_empty(noise: str) -> None:
    assert mac(noise, noise) == Hardware("Darwin")
    assert mac_conditions(noise, noise, noise) == Conditions()


@pytest.mark.parametrize(
    ("name", "on_battery", "charge"), [("discharging", True, 95), ("attached", False, 88), ("desktop", False, None)]
)
def test_the_source_of_power(name: str, on_battery: bool, charge: int | None) -> None:
    found = mac_conditions(report(f"{name}.batt"), "", "")
    assert (found.on_battery, found.charge) == (on_battery, charge)
    assert found.strain() == ("on battery, 95 % left" if on_battery else "")


@pytest.mark.parametrize(
    ("name", "strain"),
    [("m1-pro", ""), ("intel", ""), ("throttled", "too hot, the processor runs at 28 %")],
)
def test_heat_where_the_processor_s_speed_tells_of_it(name: str, strain: str) -> None:
    assert mac_conditions("", report(f"{name}.therm"), "").strain() == strain


@pytest.mark.parametrize(
    ("level", "pressure", "strain"),
    [
        (0, "nominal", ""),
        (1, "moderate", ""),
        (2, "heavy", "too hot, thermal pressure is heavy"),
        (9, "", ""),
    ],
)
def test_heat_where_only_pressure_tells_of_it(level: int, pressure: str, strain: str) -> None:
    found = mac_conditions(
        report("attached.batt"), report("m1-pro.therm"), f"com.apple.system.thermalpressurelevel {level}\n"
    )
    assert (found.pressure, found.strain()) == (pressure, strain)


def test_linux_says_it_in_files() -> None:
    found = linux(
        "processor\t: 0\nmodel name\t: Some Processor\n\nprocessor\t: 1\nmodel name\t: Some Processor\n",
        "MemTotal:       24000000 kB\nMemFree: 1 kB\n",
        'NAME="Debian"\nPRETTY_NAME="Debian GNU/Linux 12"\n',
        "6.1.0",
    )
    assert found == Hardware(
        "Linux", "Debian GNU/Linux 12", "6.1.0", "Some Processor", (Cores("", 2),), None, 24_000_000 * 1024
    )
    assert linux("", "", "", "6.1.0") == Hardware("Linux", build="6.1.0")
