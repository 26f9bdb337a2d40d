"""The documents of a person: added, brought up to date, found alone and with code, forgotten."""

from pathlib import Path

import pytest
from tests.support.document_files import notebook, pdf
from tests.support.documents import InProcessReader, documents_in
from tests.support.embedder import HashEmbedder

from impetus.domain.documents import MAX_SIZE
from impetus.errors import BadRequest, NotFound
from impetus.services.documents import PER_DOCUMENT, Documents

GUIDE = b"# Guide\n\n## Install\n\nRun the installer.\n\n## Remove\n\nDelete the folder.\n"


@pytest.fixture
def reader() -> InProcessReader:
    return InProcessReader()


@pytest.fixture
def embedder() -> HashEmbedder:
    return HashEmbedder()


@pytest.fixture
def documents(tmp_path: Path, reader: InProcessReader, embedder: HashEmbedder) -> Documents:
    return documents_in(tmp_path, reader, embedder)


async def test_from_bytes_to_a_place(documents: Documents) -> None:
    await documents.ingest("guide.md", GUIDE, collection="manuals")
    await documents.ingest("paper.pdf", pdf("About foxes", "The installer of the paper"), collection="papers")
    cell = {"cell_type": "code", "source": "installer.start()"}
    await documents.ingest("run.ipynb", notebook(cell), collection="manuals")
    hits = await documents.search("installer")
    assert {(hit.document.name, hit.place) for hit in hits} == {
        ("guide.md", "Guide › Install"), ("paper.pdf", "page 2"), ("run.ipynb", "cell 1")
    }  # fmt: skip
    assert hits[0].score == 1.0 >= hits[-1].score > 0
    assert [hit.document.name for hit in await documents.search("installer", "papers")] == ["paper.pdf"]
    assert len(await documents.search("installer", top_k=1)) == 1
    assert await documents.search("?!") == []


async def test_what_is_known_is_neither_read_nor_embedded_again(
    documents: Documents, reader: InProcessReader, embedder: HashEmbedder
) -> None:
    first = await documents.ingest("guide.md", GUIDE, collection="c")
    embedder.embedded.clear()
    again = await documents.ingest("guide.md", GUIDE, collection="c")
    copy = await documents.ingest("copy.md", GUIDE, collection="other")
    assert [first.status, again.status, copy.status] == ["added", "unchanged", "added"]
    assert (reader.asked, embedder.embedded, copy.fresh) == (["guide.md"], [], 0)
    other_format = await documents.ingest("copy.txt", GUIDE, collection="other")
    assert (other_format.status, reader.asked) == ("added", ["guide.md", "copy.txt"])


async def test_an_edit_embeds_what_it_changes(documents: Documents, embedder: HashEmbedder) -> None:
    await documents.ingest("guide.md", GUIDE, collection="c")
    embedder.embedded.clear()
    edited = await documents.ingest("guide.md", GUIDE.replace(b"Delete the", b"Burn the"), collection="c")
    assert (edited.status, edited.fresh, edited.removed, edited.document.passages) == ("updated", 1, 1, 2)
    assert embedder.embedded == ["Guide\nRemove\nBurn the folder."]
    assert [hit.passage.text for hit in await documents.search("folder")] == ["Burn the folder."]


async def test_a_document_that_cannot_be_read_leaves_the_former_one(documents: Documents) -> None:
    await documents.ingest("a.pdf", pdf("Foxes"), collection="c")
    with pytest.raises(BadRequest, match=r"a\.pdf cannot be read"):
        await documents.ingest("a.pdf", b"broken", collection="c")
    assert [hit.passage.text for hit in await documents.search("foxes")] == ["Foxes"]


async def test_a_passage_that_several_documents_have_is_shown_once(documents: Documents) -> None:
    for name in ("first.md", "second.md"):
        await documents.ingest(name, GUIDE + f"\nThis is {name}.\n".encode(), collection="c", metadata={"name": name})
    for filters, name in (({}, "first.md"), ({"name": "second.md"}, "second.md")):
        hits = await documents.search("run the installer", filters=filters)
        assert [hit.document.name for hit in hits if hit.passage.text == "Run the installer."] == [name]


async def test_one_document_does_not_fill_the_result(documents: Documents) -> None:
    sections = "".join(f"# Fox {number}\n\nA fox is a fox, number {number}.\n\n" for number in range(30))
    await documents.ingest("foxes.md", sections.encode(), collection="c")
    await documents.ingest("other.md", b"Somewhere far away among very many words there was a fox.", collection="c")
    hits = await documents.search("fox", top_k=20)
    names = [hit.document.name for hit in hits]
    assert (names.count("foxes.md"), names.count("other.md")) == (PER_DOCUMENT, 1)


async def test_documents_about_tests_are_worth_as_much(documents: Documents) -> None:
    await documents.ingest("tests/plan.md", b"The fox jumps high.", collection="c")
    await documents.ingest("plan.md", b"The fox jumps high indeed, over the dog.", collection="c")
    assert (await documents.search("fox jumps high"))[0].document.name == "tests/plan.md"


async def test_what_is_there_and_what_is_not(documents: Documents) -> None:
    await documents.ingest("a.md", b"fox", collection="b")
    await documents.ingest("b.md", b"dog", collection="a")
    kept = (await documents.ingest("c.md", b"cat", collection="a")).document
    assert [each.name for each in await documents.collections()] == ["a", "b"]
    assert (await documents.collection("a")).documents == 2
    assert await documents.document("a", kept.id) == kept == (await documents.documents("a"))[1]
    await documents.delete("a", kept.id)
    await documents.delete("b")
    assert [each.name for each in await documents.collections()] == ["a"]
    for missing in (
        documents.search("fox", "b"),
        documents.collection("b"),
        documents.documents("b"),
        documents.document("a", kept.id),
        documents.delete("a", kept.id),
        documents.delete("b"),
    ):
        with pytest.raises(NotFound, match="impetus documents list"):
            await missing


async def test_what_is_refused(documents: Documents, reader: InProcessReader) -> None:
    for name, data, more, parameter in (
        ("a.md", b"x", {"collection": "../x"}, "collection"),
        (".env", b"x", {"collection": "c"}, "name"),
        ("a.md", bytes(MAX_SIZE + 1), {"collection": "c"}, "content"),
        ("a.exe", b"x", {"collection": "c"}, "media_type"),
        ("a.md", b"x", {"collection": "c", "metadata": {"a b": 1}}, "metadata"),
    ):
        with pytest.raises(BadRequest) as caught:
            await documents.ingest(name, data, **more)  # type: ignore[arg-type]
        assert caught.value.parameter == parameter
    with pytest.raises(BadRequest):
        await documents.search("x", filters={"a": None})  # type: ignore[dict-item]
    assert reader.asked == [] and await documents.collections() == []


async def test_closing_ends_the_reader(documents: Documents, reader: InProcessReader) -> None:
    await documents.close()
    assert reader.closed
