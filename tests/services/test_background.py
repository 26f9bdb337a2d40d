"""How often the machine is asked whether it has to be spared."""

from tests.support.fakes import FakePower

from impetus.services.background import ASK_EVERY_S, Background


async def test_an_answer_of_the_machine_holds_for_a_while() -> None:
    now = 0.0
    power = FakePower()
    background = Background(power, spare=True, clock=lambda: now)
    for _ in range(3):
        await background.wait()
    assert power.asked == 1
    now += ASK_EVERY_S
    await background.wait()
    assert power.asked == 2


async def test_a_machine_that_need_not_be_spared_is_not_asked() -> None:
    power = FakePower("on battery")
    await Background(power, spare=False).wait()
    assert power.asked == 0
