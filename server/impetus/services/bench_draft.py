"""What `impetus bench` measures of a draft model: speed with it and without, in turns, on the same questions."""

import secrets
import time
from collections.abc import Sequence
from contextlib import aclosing

from impetus.domain import drafts
from impetus.domain.canary import Verdict
from impetus.domain.types import ChatPrompt, End, Message, Piece, Role, Sampling
from impetus.errors import BadRequest, ImpetusError
from impetus.services.bench import ANSWER_TOKENS, CODE, Figure, Report, Say
from impetus.services.drafts import Draft
from impetus.services.session import Session

#: New code, prose, and code that repeats much of the question.
_QUESTIONS = (
    "Write a Python function that reads a CSV file and returns its rows as dictionaries. Add a docstring.",
    f"Explain what this code does and where it may fail:\n\n{CODE}",
    f"Add type hints to this code and answer with the whole of it:\n\n{CODE}",
)
_SETTING = "chat.draft_model"


async def draft(report: Report, session: Session, say: Say) -> None:
    """The gain of the chat model's draft, where one is configured; the verdict is kept."""
    tried = session.models.draft
    if tried is None:
        return
    name, pair = tried.model.name, f"{tried.model.name} with {tried.folder.name}"
    say(f"{pair} writes")
    try:
        drafted, alone, right = await _measured(tried)
    except ImpetusError as error:
        if isinstance(error, BadRequest) and error.parameter == _SETTING:
            tried.keep(Verdict(str(error)))  # and no other bench will find otherwise
        report.missing.append(f"{pair}: {error}")
        return
    if not drafted or not alone:
        report.missing.append(f"{pair}: it ends its answers at once")
        return
    verdict = drafts.judge(drafted, alone)
    tried.keep(verdict)
    asked = f"{len(_QUESTIONS)} questions"
    report.figures += [
        Figure("tokens per second", pair, drafted, "tok/s", f"{asked}, {right:.0%} of the guesses right"),
        Figure("tokens per second", f"{name} without it", alone, "tok/s", f"the same {asked}"),
        Figure("gain of the draft", pair, drafts.gain(verdict), "×", drafts.said(verdict)),
    ]


async def _measured(tried: Draft) -> tuple[float, float, float]:
    """Tokens per second with the draft and without, and the share of guesses that were right."""
    await tried.load()
    await _speeds(tried, _QUESTIONS[:1])  # warms both up
    before = tried.guesses()
    drafted, alone = await _speeds(tried, _QUESTIONS)
    guessed, right = (now - then for now, then in zip(tried.guesses(), before, strict=True))
    if not guessed and drafted:
        raise BadRequest(
            "it cannot be used: it does not fit into memory beside the model, or one of them keeps more of a text than "
            f"keys and values; set {_SETTING} to another one, or to nothing",
            parameter=_SETTING,
        )
    return drafted, alone, right / guessed if guessed else 0.0


async def _speeds(tried: Draft, questions: Sequence[str]) -> tuple[float, float]:
    """Tokens per second after the first, with the draft and without, in turns; 0 where no more than one was written."""
    wrote, took = {True: 0, False: 0}, {True: 0.0, False: 0.0}
    for question in questions:
        # Begins otherwise each time, so that nothing of it was read before.
        prompt = ChatPrompt((Message(Role.USER, f"{secrets.token_hex(8)}\n{question}"),))
        for drafted in (True, False):
            began = time.perf_counter()
            sampling = Sampling(max_tokens=ANSWER_TOKENS, temperature=0.0)
            async with aclosing(tried.stream(prompt, sampling, drafted=drafted)) as steps:
                first = True
                async for step in steps:
                    if isinstance(step, Piece) and first:
                        began, first = time.perf_counter(), False
                    if isinstance(step, End):
                        wrote[drafted] += step.usage.completion_tokens - 1
            took[drafted] += time.perf_counter() - began
    return wrote[True] / took[True], wrote[False] / took[False]
