"""Passages of the workspace and of documents, in the order in which they fit the query."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.support.documents import documents_in
from tests.support.embedder import HashEmbedder
from tests.support.scripted_session import HIT, ROOT, Script, ScriptedEngine, ScriptedSession

from impetus.domain.documents import DocumentHit
from impetus.domain.ports import Vectors
from impetus.domain.types import Hit, SearchQuery
from impetus.errors import NotFound
from impetus.services.together import search_together

PARSER = Hit(ROOT, "parser.py", 1, 2, 1.0, "def parse_address(text): return text.split()", "python", "parse_address")


class Searching(ScriptedSession):
    """Its passages of the workspace are the script's."""

    async def embed(self, texts: Sequence[str]) -> Vectors:
        return HashEmbedder().embed(texts)


@pytest.fixture
async def session(tmp_path: Path) -> Searching:
    engine = ScriptedEngine(Script(hits=(PARSER, HIT)))
    engine.documents = documents_in(tmp_path)
    await engine.documents.ingest("holidays.md", b"Holidays have to be asked for in writing.", collection="house")
    return Searching(engine)


async def found(session: Searching, query: str, collection: str | None = None, limit: int = 10) -> list[str]:
    hits = await search_together(session, SearchQuery(query, limit), collection)  # type: ignore[arg-type]
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    assert not hits or hits[0].score == 1.0
    return [hit.document.name if isinstance(hit, DocumentHit) else hit.path for hit in hits]


async def test_what_fits_the_query_comes_first(session: Searching) -> None:
    assert (await found(session, "parse address"))[0] == "parser.py"
    assert (await found(session, "asked for holidays in writing"))[0] == "holidays.md"
    assert len(await found(session, "holidays", limit=2)) == 2
    assert len(await found(session, "holidays", "house")) == 3


async def test_one_of_the_two_may_have_nothing(session: Searching) -> None:
    session.script.hits = ()
    assert await found(session, "holidays") == ["holidays.md"]
    await session.engine.documents.delete("house")
    assert await found(session, "holidays") == []
    with pytest.raises(NotFound):
        await found(session, "holidays", "house")
