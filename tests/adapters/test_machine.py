"""This machine, whatever it is, says what it is and how it fares."""

import platform

from impetus.adapters import machine


def test_this_machine_is_known() -> None:
    found = machine.hardware()
    assert found.system == platform.system()
    assert found.build
    assert sum(cores.count for cores in found.cores) > 0
    assert (found.memory_bytes or 0) > 1 << 28


def test_this_machine_can_be_asked_how_it_fares() -> None:
    assert machine.MachinePower().strain() == machine.conditions().strain()


def test_a_command_that_is_not_there_says_nothing() -> None:
    assert machine._said("/no/such/command") == ""
    assert machine._read("/no/such/file") == ""
