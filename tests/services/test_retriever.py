"""Search over a real index: what is found, filters, unsaved text, and ranges that are never stale."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.support.index import TestIndex

from impetus.domain.query import parse
from impetus.domain.ranking import DEFAULT_RULES
from impetus.domain.types import Document, Hit, SearchQuery
from impetus.services.candidates import indexed
from impetus.services.repository import Repository, Store
from impetus.services.retriever import Retriever
from impetus.services.workspace import View

FILES = {
    "src/retry.py": "class RetryPolicy:\n    def delay(self, attempt):\n        return 2 ** attempt\n",
    "src/parser.py": "import retry\n\n\ndef parse_header(line):\n    return line.split(':')\n",
    "tests/test_retry.py": "from retry import RetryPolicy\n\n\ndef test_delay():\n    assert RetryPolicy().delay(1)\n",
    "web/app.ts": "export function parseHeader(line: string) {\n  return line.split(':');\n}\n",
}


class Setup:
    def __init__(self, index: TestIndex, root: Path) -> None:
        self.index, self.root = index, root
        self.stale: list[Path] = []
        store = Store(index.reader, index.writer, index.vectors, lambda: (), lambda: None)
        self.repository = Repository("test", lambda fresh: store)
        self.retriever = Retriever(lambda _: self.repository, index.files, index.embedder, self.stale.append)
        self.view = View((root,))

    async def paths(self, text: str, **options: object) -> list[str]:
        hits = await self.retriever.search(SearchQuery(text, **options), self.view)  # type: ignore[arg-type]
        return [hit.path for hit in hits]

    def open(self, path: str, text: str, language: str = "python") -> None:
        key = str(self.root / path)
        self.view = replace(self.view, documents={key: Document(key, text, 1, language, dirty=True)})


@pytest.fixture
async def setup(index: TestIndex, root: Path) -> AsyncIterator[Setup]:
    for path, text in FILES.items():
        (root / path).parent.mkdir(exist_ok=True)
        (root / path).write_text(text)
    index.update()
    made = Setup(index, root)
    await made.repository.open()
    yield made
    await made.repository.close()


async def test_definition_comes_before_its_uses(setup: Setup) -> None:
    assert (await setup.paths("RetryPolicy"))[0] == "src/retry.py"


async def test_hit_is_the_text_of_its_lines(setup: Setup) -> None:
    hit = (await setup.retriever.search(SearchQuery("parse_header"), setup.view))[0]
    lines = (setup.root / hit.path).read_text().split("\n")
    assert hit.text == "\n".join(lines[hit.start_line - 1 : hit.end_line])
    assert hit.symbol == "parse_header"


async def test_filters_by_path_and_language(setup: Setup) -> None:
    assert set(await setup.paths("parse header", languages=("typescript",))) == {"web/app.ts"}
    assert set(await setup.paths("retry delay", paths=("tests/",))) == {"tests/test_retry.py"}
    assert await setup.paths("retry delay", paths=("nowhere/",)) == []


async def test_a_file_that_was_edited_lately_comes_before_its_like(setup: Setup) -> None:
    for name in ("one", "two"):
        (setup.root / name).mkdir()
        (setup.root / name / "cache.py").write_text("def evict(entry):\n    return entry.age > 60\n")
    setup.index.update()
    for name in ("one", "two"):
        edited = str(setup.root / name / "cache.py")
        setup.view = replace(setup.view, edited=(edited,))
        assert (await setup.paths("evict old entries by age"))[0] == f"{name}/cache.py"


async def test_nothing_found_is_an_empty_list(setup: Setup) -> None:
    assert await setup.paths("") == []
    assert await setup.paths("!!!") == []


async def test_unsaved_text_is_found_and_replaces_the_indexed(setup: Setup) -> None:
    setup.open("src/parser.py", "def decode_frame(data):\n    return data\n")
    assert (await setup.paths("decode_frame"))[0] == "src/parser.py"
    assert "src/parser.py" not in await setup.paths("parse_header", limit=1)


async def test_new_unsaved_file_is_found(setup: Setup) -> None:
    setup.open("src/fresh.py", "class CircuitBreaker:\n    pass\n")
    assert (await setup.paths("CircuitBreaker"))[0] == "src/fresh.py"


async def test_moved_passage_is_relocated(setup: Setup) -> None:
    path = setup.root / "src/retry.py"
    path.write_text("# a new first line\n\n\n" * 40 + FILES["src/retry.py"])
    hit = (await setup.retriever.search(SearchQuery("RetryPolicy delay"), setup.view))[0]
    lines = path.read_text().split("\n")
    assert hit.path != "src/retry.py" or hit.text == "\n".join(lines[hit.start_line - 1 : hit.end_line])


async def test_changed_passage_is_dropped_and_noted(setup: Setup) -> None:
    (setup.root / "src/retry.py").write_text("nothing of it is left\n")
    assert "src/retry.py" not in await setup.paths("RetryPolicy")
    assert setup.root / "src/retry.py" in setup.stale


async def test_deleted_file_is_dropped_and_noted(setup: Setup) -> None:
    (setup.root / "src/retry.py").unlink()
    assert "src/retry.py" not in await setup.paths("RetryPolicy")
    assert setup.root / "src/retry.py" in setup.stale


async def test_secrets_typed_after_indexing_are_masked(setup: Setup) -> None:
    token = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"
    setup.open("src/parser.py", f'def connect_remote():\n    token = "{token}"\n')
    hits = await setup.retriever.search(SearchQuery("connect_remote token"), setup.view)
    assert hits and all(token not in hit.text for hit in hits)


async def test_definitions_references_and_symbols(setup: Setup) -> None:
    definitions = await setup.retriever.definitions(["retrypolicy"], setup.view)
    assert [(d.path, d.definition.name) for d in definitions] == [("src/retry.py", "RetryPolicy")]
    references = await setup.retriever.references("RetryPolicy", setup.view)
    assert {(r.path, r.reference.line) for r in references} >= {("tests/test_retry.py", 5)}
    assert all("RetryPolicy" in r.text for r in references)
    symbols = await setup.retriever.symbols("header", setup.view, 10)
    assert {s.definition.name for s in symbols} >= {"parse_header", "parseHeader"}


async def test_a_named_file_is_found_though_no_word_of_it_matches(setup: Setup) -> None:
    (setup.root / "web/blank.ts").write_text("const a = 1;\n")
    setup.index.update()
    assert (await setup.paths("web/blank.ts"))[0] == "web/blank.ts"
    assert (await setup.paths("/build/agent/web/blank.ts"))[0] == "web/blank.ts"


async def test_a_definition_competes_with_any_number_of_uses(setup: Setup) -> None:
    uses = "\n".join(f"def use_{i}():\n    settle(settle, settle, {i})\n" for i in range(400))
    (setup.root / "src/uses.py").write_text(uses)
    padding = "\n".join(f"    step_{i} = prepare_{i}(amount)" for i in range(40))
    (setup.root / "src/bank.py").write_text(f"def settle(amount):\n{padding}\n    return amount\n")
    setup.index.update()
    nothing = np.zeros(setup.index.embedder.dimensions, np.float32)
    for question in ("settle", "where is settle() defined?"):
        candidates = indexed(parse(question), nothing, setup.repository, [setup.root], 5)
        found = {candidate.placed.path: candidate.lexical for candidate in candidates}
        assert found["src/bank.py"] == min(candidate.lexical for candidate in candidates) > 0


async def test_many_saves_of_one_file_do_not_hide_it(setup: Setup) -> None:
    """Contents that were saved over are kept for a while, and each resembles what is there now."""
    filler = "".join(f"def part_{i}(value):\n    return value + {i}\n\n\n" for i in range(200))
    (setup.root / "src" / "filler.py").write_text(filler)
    for number in range(120):
        text = f"def evict(entry):\n    # drop entries of the cache by age\n    return entry.age > {number}\n"
        (setup.root / "src" / "cache.py").write_text(text)
        setup.index.update()
    for question in ("drop entries of the cache by age", "evict", "which entries of the cache are too old"):
        hits = await setup.retriever.search(SearchQuery(question), setup.view)
        assert (hits[0].path, "entry.age > 119" in hits[0].text) == ("src/cache.py", True)
    candidates = indexed(
        parse("drop by age"),
        setup.index.embedder.embed_query("drop entries of the cache by age"),
        setup.repository,
        [setup.root],
        20,
    )
    assert max(candidate.dense for candidate in candidates if candidate.placed.path == "src/cache.py") > 0


async def test_a_root_that_is_a_small_part_of_its_index_is_searched_in_depth(setup: Setup) -> None:
    part = setup.root / "part"
    part.mkdir()
    padding = "\n".join(f"    step_{i} = prepare_{i}(entry)" for i in range(30))
    (part / "cache.py").write_text(f"def evict(entry):\n{padding}\n    return entry\n")
    crowd = "".join(f"def evict_{i}(evict):\n    return evict, evict, {i}\n\n\n" for i in range(300))
    (setup.root / "src" / "crowd.py").write_text(crowd)
    setup.index.update()
    setup.index.update(root=part)
    setup.view = View((part,))
    vector = setup.index.embedder.embed_query("evict")
    candidates = indexed(parse("when does it evict"), vector, setup.repository, [part], 10)
    assert [(candidate.placed.path, candidate.lexical > 0) for candidate in candidates] == [("cache.py", True)]


async def test_a_word_without_a_text_may_be_the_name_of_a_file(setup: Setup) -> None:
    (setup.root / "settings.toml").write_text("[tool]\nlimit = 3\n")
    setup.index.update()
    for question in ("settings", "what is in the settings?", "retry settings"):
        assert "settings.toml" in (await setup.paths(question))[:2]
    assert await setup.paths("sett") == await setup.paths("nowhere") == []


async def test_who_asks_what_the_project_is_gets_the_beginning_of_its_readme(setup: Setup) -> None:
    sections = "".join(f"\n## Part {part}\n\n" + "It does much.\n" * 40 for part in range(4))
    (setup.root / "README.md").write_text("# Retrying\n\nTries things again.\n" + sections)
    (setup.root / "src" / "README.md").write_text("# What this project does\n\nThe sources of the project.\n")
    setup.index.update()
    hits = await setup.retriever.search(SearchQuery("What is this project about?"), setup.view)
    assert (hits[0].path, hits[0].start_line) == ("README.md", 1)


async def test_data_files_answer_questions_about_the_project(setup: Setup) -> None:
    (setup.root / "pyproject.toml").write_text('[project]\nname = "retry"\ndependencies = ["anyio"]\n')
    (setup.root / "src" / "resolve.py").write_text("def resolve(dependencies):\n    return sorted(dependencies)\n")
    setup.index.update()
    assert (await setup.paths("What dependencies does the project have?"))[0] == "pyproject.toml"
    assert (await setup.paths("how are dependencies sorted"))[0] == "src/resolve.py"


async def test_what_many_files_use_comes_before_what_none_uses(setup: Setup) -> None:
    for name in ("lonely", "popular"):
        (setup.root / f"src/{name[0]}.py").write_text(f"def {name}_helper(frame):\n    decode(frame)\n")
    for number in range(3):
        (setup.root / f"src/user{number}.py").write_text("popular_helper(1)\n")
    setup.index.update()
    before = await setup.paths("decode frame")
    setup.index.writer.count_users()
    after = await setup.paths("decode frame")
    assert (before[0], after[0]) == ("src/l.py", "src/p.py")


async def test_open_files_and_their_neighbors_come_first(setup: Setup) -> None:
    for folder in ("one", "two"):
        (setup.root / folder).mkdir()
        (setup.root / folder / "handler.py").write_text("def on_message(payload):\n    return payload\n")
        (setup.root / folder / "other.py").write_text("x = 1\n")
    setup.index.update()
    assert (await setup.paths("on_message payload"))[0] == "one/handler.py"
    key = str(setup.root / "two/other.py")
    setup.view = replace(setup.view, documents={key: Document(key, "x = 1\n", 1, "python")})
    assert (await setup.paths("on_message payload"))[0] == "two/handler.py"


async def test_same_text_elsewhere_in_the_file_is_shown_where_it_is(setup: Setup) -> None:
    path = setup.root / "src/retry.py"
    text = path.read_text()
    path.write_text("#" * (len(text.encode()) - 1) + "\n" + text)
    hit = (await setup.retriever.search(SearchQuery("RetryPolicy delay"), setup.view))[0]
    lines = path.read_text().split("\n")
    assert hit.path != "src/retry.py" or hit.text == "\n".join(lines[hit.start_line - 1 : hit.end_line])


async def test_other_rules_rank_the_same_index(setup: Setup) -> None:
    off = setup.retriever.with_rules(DEFAULT_RULES.without("tests"))
    hits = await off.search(SearchQuery("RetryPolicy delay"), setup.view)
    usual = await setup.retriever.search(SearchQuery("RetryPolicy delay"), setup.view)
    score = {hit.path: hit.score for hit in hits}["tests/test_retry.py"]
    assert score > {hit.path: hit.score for hit in usual}["tests/test_retry.py"]


async def test_similar_code_is_near_by_meaning_and_elsewhere(setup: Setup) -> None:
    text = FILES["src/parser.py"].removesuffix("\n")
    code = Hit(setup.root, "src/parser.py", 1, 5, 1.0, text, "python")
    hits = await setup.retriever.similar(code, setup.view, 5)
    assert hits[0].path == "web/app.ts"
    assert "src/parser.py" not in {hit.path for hit in hits}, "the code itself is not like itself"
    assert all(0 < hit.score <= 1 for hit in hits)
    setup.open("web/app.ts", "const unrelated = 1;\n", "typescript")
    assert "web/app.ts" not in {hit.path for hit in await setup.retriever.similar(code, setup.view, 5)}
    copied = f"# moved\n{text}\n"
    setup.open("web/app.ts", copied, "python")
    (best, *_) = await setup.retriever.similar(code, setup.view, 5)
    assert (best.path, best.text) == ("web/app.ts", copied.removesuffix("\n")), "unsaved text competes"
