"""Whether a draft model makes a language model faster on this machine: it is used only where a measurement says so."""

from typing import Final

from impetus.domain.canary import Verdict

#: Least speed with the draft, in times of that without.
LEAST_GAIN: Final = 1.1


def judge(drafted: float, alone: float) -> Verdict:
    """Of tokens per second with the draft and without, both above 0."""
    reason = "" if drafted >= LEAST_GAIN * alone else "no gain here"
    return Verdict(reason, seconds=1 / drafted, other_seconds=1 / alone)


def gain(verdict: Verdict) -> float:
    """Speed with the draft, in times of that without; 0 where nothing could be measured."""
    return verdict.other_seconds / verdict.seconds if verdict.seconds else 0.0


def said(verdict: Verdict | None) -> str:
    """What the status says of a draft."""
    if verdict is None:
        return "draft: not measured; run `impetus bench`"
    measured = f" ({gain(verdict):.2f} ×)" if gain(verdict) else ""
    return f"draft: {verdict.reason or 'in use'}{measured}"
