"""How much of a prompt a model has read already, and the part that is given while the rest would take too long."""

import pytest

from impetus.domain.completion import (
    BRIEF_PREFIX_CHARACTERS,
    BRIEF_STEP,
    BRIEF_SUFFIX_CHARACTERS,
    brief,
    plan,
    unread,
)
from impetus.domain.types import ContextFile, InfillPrompt

OTHER = ContextFile("b.py", "def b(): ...")
READ = InfillPrompt("x = ", "\ny = 2\n", "a.py", (OTHER,))


@pytest.mark.parametrize(
    ("prompt", "characters"),
    [
        (READ, 0),
        (InfillPrompt("x = on", "\ny = 2\n", "a.py", (OTHER,)), 2),
        (InfillPrompt("x =", "\ny = 2\n", "a.py", (OTHER,)), 0),
        (InfillPrompt("z = ", "\ny = 2\n", "a.py", (OTHER,)), 4),
        (InfillPrompt("x = ", "\ny = 3\n", "a.py", (OTHER,)), 7 + 4),
        (InfillPrompt("x = ", "\ny = 2\n", "c.py", (OTHER,)), 4 + 7 + 4),
        (InfillPrompt("x = ", "\ny = 2\n", "a.py"), 4 + 7 + 4),
        (InfillPrompt("x = ", "\ny = 2\n", "a.py", (OTHER, ContextFile("c.py", "C"))), 5 + 4 + 7 + 4),
    ],
)
def test_what_follows_the_common_beginning_is_unread(prompt: InfillPrompt, characters: int) -> None:
    assert unread(prompt, READ) == characters


def test_the_brief_prompt_is_next_to_the_cursor_and_stays_while_one_types() -> None:
    prefix = "".join(f"line number {i}\n" for i in range(300))
    suffix = "".join(f"after {i}\n" for i in range(300))
    whole = InfillPrompt(prefix, suffix, "a.py", (OTHER,))
    short = brief(whole)
    assert prefix.endswith(short.prefix) and suffix.startswith(short.suffix) and short.context == ()
    assert len(short.prefix) <= BRIEF_PREFIX_CHARACTERS and len(short.suffix) <= BRIEF_SUFFIX_CHARACTERS
    starts = {
        brief(InfillPrompt(prefix + "".join(f"more {i}\n" for i in range(n)), suffix)).prefix.split("\n")[0]
        for n in range(BRIEF_STEP)
    }
    assert len(starts) <= 2


@pytest.mark.parametrize(
    ("marked", "told"),
    [
        ("f(|)\ny\n", "\ny\n"),
        ("f(|): # why\ny\n", "): # why\ny\n"),
        ("f(|\ny\n", "\ny\n"),
        ('f("|")', ""),
    ],
)
def test_brackets_that_the_editor_closed_are_not_told(marked: str, told: str) -> None:
    asked = plan(marked.replace("|", ""), marked.index("|"), "python")
    assert asked.told == told
    assert asked.suffix == marked[marked.index("|") + 1 :]
