"""Our own search as the engine under test: a session that opens each repository in turn, asked by given rules.

The caller gives a session whose state lies in a folder of its own, so that nobody's index is touched.
"""

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from impetus.domain.ranking import BARE_RULES, DEFAULT_RULES, SWITCHES, Rules
from impetus.domain.types import Hit, SearchQuery
from impetus.errors import IndexFailed
from impetus.services.evaluation import Engine, Evaluation
from impetus.services.session import Session


class SessionEngine:
    """Implements `evaluation.Engine`. With `keep`, roots stay open, so that they can be asked again by other rules."""

    def __init__(self, session: Session, rules: Rules = DEFAULT_RULES, *, keep: bool = False) -> None:
        self._session = session
        self._retriever = session.engine.retriever.with_rules(rules)
        self._keep = keep

    async def index(self, root: Path) -> None:
        if root in self._session.roots:
            return
        if not self._keep:
            for other in self._session.roots:
                await self._session.close_root(other)
        await self._session.open_root(root)
        await self._session.indexed()
        for index in self._session.status().indexes:
            if index.root == root and index.phase == "failed":
                raise IndexFailed(index.problems[0].message)
        await self._session.embedded()

    async def search(self, query: str, root: Path, limit: int) -> Sequence[Hit]:
        settings = self._session.settings.search
        asked = SearchQuery(query, limit, roots=(root,), per_file=settings.per_file)
        return await self._retriever.search(asked, self._session.view)


async def ablations(
    session: Session,
    evaluate: Callable[[Engine], Awaitable[Evaluation]],
    report: Callable[[str], None] = lambda name: None,
) -> dict[str, Evaluation]:
    """The evaluation again without each rule, and with fusion alone (`bare`), words alone and meaning alone."""
    variants = {
        "bare": BARE_RULES,
        "bare, words alone": BARE_RULES.words_alone(),
        "bare, meaning alone": BARE_RULES.meaning_alone(),
        "words alone": DEFAULT_RULES.words_alone(),
        "meaning alone": DEFAULT_RULES.meaning_alone(),
        **{f"without {rule}": DEFAULT_RULES.without(rule) for rule in SWITCHES},
    }
    figures: dict[str, Evaluation] = {}
    for name, rules in variants.items():
        report(name)
        figures[name] = await evaluate(SessionEngine(session, rules, keep=True))
    return figures
