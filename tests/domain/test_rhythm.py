"""How long a completion waits for the next key."""

import pytest

from impetus.domain.rhythm import LONGEST, Rhythm


def typing(rhythm: Rhythm, every: float, keys: int = 5, start: float = 10.0) -> None:
    for i in range(keys):
        rhythm.asked(start + i * every)


def test_nothing_is_waited_for_before_anything_is_known() -> None:
    rhythm = Rhythm()
    assert rhythm.wait() == 0
    typing(rhythm, 0.1)
    assert rhythm.wait() == 0
    assert rhythm.takes is None


@pytest.mark.parametrize(
    ("every", "takes", "wait"),
    [(0.2, 0.1, 0.0), (0.02, 0.3, 0.02), (0.5, 0.9, LONGEST)],
    ids=["answers come faster than keys", "the next key is waited for", "but not for long"],
)
def test_slow_answers_wait_for_the_next_key(every: float, takes: float, wait: float) -> None:
    rhythm = Rhythm()
    typing(rhythm, every)
    rhythm.took(takes)
    assert rhythm.wait() == pytest.approx(wait)


def test_a_break_is_no_rhythm_and_the_mean_follows_what_is_new() -> None:
    rhythm = Rhythm()
    typing(rhythm, 0.02)
    rhythm.asked(100.0)
    rhythm.took(1.0)
    assert rhythm.wait() == pytest.approx(0.02)
    for _ in range(20):
        rhythm.took(0.01)
    assert rhythm.wait() == 0
