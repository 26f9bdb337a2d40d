"""When the machine is to be spared."""

from impetus.adapters.machine_power import MachinePower, thermal_strain


def test_what_macos_says_of_heat() -> None:
    cool = "Note: No thermal warning level has been recorded\nCPU_Power notify\n\tCPU_Speed_Limit \t= 100\n"
    assert thermal_strain(cool) == ""
    assert thermal_strain("") == ""
    assert thermal_strain(cool.replace("100", "62")) == "too hot, the processor runs at 62 %"


def test_this_machine_can_be_asked() -> None:
    assert isinstance(MachinePower().strain(), str)
