"""The draft model of a local model: when it is used, and how the two are measured. The worker does the drafting."""

from collections.abc import AsyncGenerator
from pathlib import Path

from impetus.domain import drafts
from impetus.domain.canary import Verdict
from impetus.domain.ports import DraftVerdicts, ModelWorker
from impetus.domain.types import Priority, Prompt, Sampling, Step


class Draft:
    """`folder` holds a small model that drafts for the one in `model`. `used`, `said` and `keep` read or write small
    files.
    """

    def __init__(self, model: Path, folder: Path, worker: ModelWorker, verdicts: DraftVerdicts) -> None:
        self.model = model
        self.folder = folder
        self._worker = worker
        self._verdicts = verdicts

    def used(self) -> Path | None:
        """The folder, where a measurement on this machine showed a gain."""
        verdict = self._verdicts.get(self.model, self.folder)
        return self.folder if verdict is not None and verdict.passed else None

    def said(self) -> str:
        """For the status."""
        if not self.folder.is_dir():
            return f"draft: there is no model folder at {self.folder}; set chat.draft_model to another one"
        return drafts.said(self._verdicts.get(self.model, self.folder))

    def keep(self, verdict: Verdict) -> None:
        self._verdicts.put(self.model, self.folder, verdict)

    async def load(self) -> None:
        """Both models. Raises ModelError, InsufficientMemory."""
        await self._worker.load(self.folder)
        await self._worker.load(self.model)

    def guesses(self) -> tuple[int, int]:
        """Tokens guessed since the model was loaded, and those of them that were right, as of its last whole answer."""
        held = self._worker.states().get(self.model)
        return (held.counters.drafted_tokens, held.counters.accepted_tokens) if held is not None else (0, 0)

    def stream(self, prompt: Prompt, sampling: Sampling, *, drafted: bool) -> AsyncGenerator[Step, None]:
        """With the draft or without, whatever was measured; as in `ModelWorker`. Raises BadRequest for a draft that
        has other tokens.
        """
        draft = self.folder if drafted else None
        return self._worker.stream(self.model, prompt, sampling, Priority.TYPING, draft)
