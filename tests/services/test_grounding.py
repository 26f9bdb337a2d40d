"""Given documents, collections and the workspace as one numbered list."""

from collections.abc import Sequence
from pathlib import Path

from tests.support.fakes import FakeFiles, FakeRetrieval, FakeWorker, fake_models

from impetus.config import ChatSettings, Settings
from impetus.domain.documents import DocumentHit, Passage, StoredDocument
from impetus.domain.types import ChatTurn, ContextFile, Finish, Grounding, Hit, Message, Role, Sampling, Sources
from impetus.services.assistant import Assistant
from impetus.services.grounding import Grounds
from impetus.services.workspace import View

ROOT = Path("/project")
HITS = tuple(Hit(ROOT, f"{name}.py", 1, 2, 0.9, f"def {name}(): ...") for name in ("one", "two", "three"))
VIEW = View((ROOT,), {})


class FakeDocuments:
    def __init__(self) -> None:
        self.asked: list[tuple[str, str | None, int]] = []

    async def search(self, query: str, collection: str | None = None, top_k: int = 10) -> list[DocumentHit]:
        self.asked.append((query, collection, top_k))
        found = (("guide.pdf", Passage("read me", page=3), 0.8), ("notes.md", Passage("and me"), 0.4))
        return [DocumentHit(stored(name), passage, score) for name, passage, score in found][:top_k]


def stored(name: str) -> StoredDocument:
    return StoredDocument("doc_1", "manuals", name, "text/plain", 7, 1, {}, 0.0, 0.0)


def names(found: Sequence[object]) -> list[tuple[int, str, bool]]:
    return [(source.number, source.hit.path, source.given) for source in found]  # type: ignore[attr-defined]


async def test_what_is_given_comes_first_and_what_is_found_in_turns() -> None:
    documents = FakeDocuments()
    grounds = Grounds(FakeRetrieval(HITS), documents, 4)
    given = (ContextFile("mine.txt", "text"),)
    found = await grounds.find(Grounding(collection="manuals", given=given), "how", VIEW)
    assert names(found) == [
        (1, "mine.txt", True), (2, "guide.pdf", True), (3, "one.py", False), (4, "notes.md", True),
        (5, "two.py", False),
    ]  # fmt: skip
    assert documents.asked == [("how", "manuals", 4)]


async def test_each_place_alone_and_how_many() -> None:
    documents = FakeDocuments()
    grounds = Grounds(FakeRetrieval(HITS), documents, 4)
    assert names(await grounds.find(Grounding(limit=1), "how", VIEW)) == [(1, "one.py", False)]
    assert names(await grounds.find(Grounding(False, collection="*"), "how", VIEW)) == [
        (1, "guide.pdf", True), (2, "notes.md", True),
    ]  # fmt: skip
    assert documents.asked == [("how", None, 4)]
    assert await grounds.find(Grounding(False), "how", VIEW) == ()


async def test_given_documents_are_never_left_out_and_stand_when_cited() -> None:
    """The model's context is short, so that of what was found only the best passage fits."""
    worker = FakeWorker("as [1] and [2] say")
    settings = Settings(chat=ChatSettings(model="/models/fake"))
    files = FakeFiles({ROOT / "one.py": "def one(): ..."})
    assistant = Assistant(
        FakeRetrieval(HITS), fake_models(worker).named_by(settings), settings.chat, files, FakeDocuments()
    )
    given = tuple(ContextFile(f"{number}.txt", "word " * 300) for number in range(40))
    turn = ChatTurn((Message(Role.USER, "How?"),), Sampling(), Grounding(given=given))
    events = [event async for event in assistant.chat(turn, VIEW)]
    sources, *_, finish = events
    assert isinstance(sources, Sources) and isinstance(finish, Finish)
    assert [source.number for source in sources.sources] == [*range(1, 42)]
    assert [source.hit.path for source in finish.cited] == ["0.txt", "1.txt"]
