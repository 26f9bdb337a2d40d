"""Collect what a model wrote and must not be shown as it is: one file each, for `tests/domain/test_bad_outputs.py`.

    python -m tests.evals.replay_completions --explicit --kept FILE
    python -m tests.evals.bad_outputs FILE --model NAME --out DIR

Takes the answers that a replay has kept, of our own code where they are to be added here, and finds those of which
something was cut or nothing shown; at most two of a language and reason are written. Read them before they are added:
what is shown should be what one wants.
"""

import argparse
import json
import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

from impetus.domain import trimming
from impetus.domain.breakage import breaks
from impetus.domain.completion import plan
from impetus.domain.types import Shape

#: Shorter answers say little, and cases of one language and reason soon say the same.
LEAST_PIECES = 2
MOST_ALIKE = 2

REASONS = {
    "_without_control_tokens": "leaks a control token",
    "_without_retyping": "types again what is there",
    "_without_overlap": "repeats what follows",
    "_balanced": "closes what nothing opened",
    "_without_unclosed": "opens a bracket and leaves it open",
    "_without_repetition": "goes in circles",
    "_without_echo": "says the next line again",
}
ERRORS = "adds a syntax error"


def judged(written: str, text: str, offset: int, language: str) -> tuple[str, str] | None:
    """What is shown of an answer and why not all of it; None where nothing is asked or all of it is shown."""
    asked = plan(text, offset, language)
    if asked.shape is Shape.NONE:
        return None
    shown, reason = written.replace("\r\n", "\n"), ""
    for keep in trimming.FILTERS:
        kept = keep(shown, asked)
        reason = REASONS.get(keep.__name__, reason) if kept != shown else reason
        shown = kept
        if not shown.strip():
            shown = ""
            break
    if shown and breaks(text, offset, shown, language):
        shown, reason = "", ERRORS
    return (shown, reason) if reason else None


def case(row: dict[str, Any], model: str) -> tuple[str, str] | None:
    """A reason and the text of a file; None where there is nothing to learn from the answer."""
    written = "".join(piece[0] for piece in row["pieces"])
    if len(row["pieces"]) < LEAST_PIECES:
        return None  # the model was not sure of the first one, and was stopped
    found = judged(written, row["before"] + row["after"], len(row["before"]), row["language"])
    if found is None:
        return None
    shown, reason = found
    values = {"reason": reason, "model": model, "language": row["language"]}
    texts = {"before": row["before"], "after": row["after"], "written": written, "shown": shown}
    lines = [f'{name} = "{value}"' for name, value in values.items()]
    file = "\n".join([*lines, *(f"{name} = {_quoted(text)}" for name, text in texts.items())]) + "\n"
    assert tomllib.loads(file) == {**values, **texts}
    return reason, file


def _quoted(text: str) -> str:
    return '"""\n' + text.replace("\\", "\\\\").replace('"""', '\\"\\"\\"') + '"""' if text else '""'


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kept", type=Path, metavar="FILE", help="what the replay has kept")
    parser.add_argument("--model", required=True, help="name of the model that was asked")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    alike = Counter[tuple[str, str]]()
    for line in options.kept.read_text("utf-8").splitlines():
        row = json.loads(line)
        made = case(row, options.model)
        if made is None:
            continue
        reason, file = made
        alike[row["language"], reason] += 1
        number = alike[row["language"], reason]
        if number <= MOST_ALIKE:
            name = f"{row['language']}-{reason.replace(' ', '-')}-{number}.toml"
            (options.out / name).write_text(file, encoding="utf-8")


if __name__ == "__main__":
    main()
