"""The catalog in SQLite: transactions, readers beside the writer, agreement of its parts, look-ups."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from tests.support.catalog import OTHER, ROOT, put, python, run_python, state, vocabulary

from impetus.adapters import store
from impetus.adapters.sqlite_catalog import SqliteCatalogReader
from impetus.adapters.sqlite_catalog_writer import SqliteCatalogWriter
from impetus.domain.ports import FileState
from impetus.domain.postings import key_of
from impetus.errors import IndexReplaced


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / store.CATALOG


@pytest.fixture
def writer(file: Path) -> Iterator[SqliteCatalogWriter]:
    made = SqliteCatalogWriter(file)
    yield made
    made.close()


@pytest.fixture
def reader(file: Path, writer: SqliteCatalogWriter) -> Iterator[SqliteCatalogReader]:
    made = SqliteCatalogReader(file)
    yield made
    made.close()


def found(reader: SqliteCatalogReader, *terms: str, roots: tuple[Path, ...] = (ROOT,)) -> set[str]:
    ids = [key for key, _ in reader.lexical(terms, 100)]
    return {placed.path for placed in reader.placed(ids, roots)}


# -- transactions ----------------------------------------------------------------------------------------------------


def test_a_failed_transaction_leaves_nothing(writer: SqliteCatalogWriter, reader: SqliteCatalogReader) -> None:
    good = python("def kept(): pass\n")
    bad = FileState(1, 1, "f" * 32)
    writer.apply(ROOT, [good], {"kept.py": state(good)}, set())
    with pytest.raises(UnicodeEncodeError):  # a path that SQLite cannot store, after the contents were written
        writer.apply(ROOT, [python("def lost(): pass\n")], {"lost.py": bad, "\udcff": bad}, {"kept.py"})
    assert writer.files(ROOT) == {"kept.py": state(good)}
    assert found(reader, "lost") == set()
    put(writer, {"next.py": "def follows(): pass\n"})  # the connection is usable
    assert found(reader, "follows") == {"next.py"}


def test_a_reader_sees_whole_transactions_while_the_writer_writes(
    writer: SqliteCatalogWriter, reader: SqliteCatalogReader
) -> None:
    put(writer, {"a.py": "def generation_0(): pass\n", "b.py": "def generation_0(): pass\n"})
    done = threading.Event()
    seen: list[set[str]] = []

    def read() -> None:
        while not done.is_set() or len(seen) < 5:
            seen.append({state.blob for state in _states(reader)})

    thread = threading.Thread(target=read)
    thread.start()
    for generation in range(1, 30):
        text = f"def generation_{generation}(): pass\n"
        put(writer, {"a.py": text, "b.py": text})
    done.set()
    thread.join()
    assert all(len(blobs) <= 1 for blobs in seen)  # never one file of the old generation and one of the new
    assert any(seen)


def test_closing_waits_for_what_is_being_asked(writer: SqliteCatalogWriter, file: Path) -> None:
    put(writer, {f"m{i}.py": f"def common_{i}(): return shared\n" for i in range(2_000)})
    for _ in range(10):
        reader = SqliteCatalogReader(file)
        begun = threading.Barrier(5)
        ended: list[type[Exception]] = []

        def ask(
            reader: SqliteCatalogReader = reader,
            begun: threading.Barrier = begun,
            ended: list[type[Exception]] = ended,
        ) -> None:
            try:
                reader.lexical(["shared"], 10)
                begun.wait()
                while reader.lexical(["shared"], 2_000):
                    pass
            except Exception as error:
                ended.append(type(error))

        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        begun.wait()
        reader.close()
        for thread in threads:
            thread.join()
        assert ended == [IndexReplaced] * 4


def _states(reader: SqliteCatalogReader) -> list[FileState]:
    ids = [key for key, _ in reader.lexical(["generation"], 1000)]
    return [placed.state for placed in reader.placed(ids, [ROOT])]


def test_a_second_process_reads_what_was_committed(writer: SqliteCatalogWriter, file: Path) -> None:
    put(writer, {"a.py": "def shared(): pass\n"})
    script = (
        "import sys; from pathlib import Path; from impetus.adapters.sqlite_catalog import SqliteCatalogReader\n"
        "print(len(SqliteCatalogReader(Path(sys.argv[1])).lexical(['shared'], 5)))"
    )
    assert run_python(script, str(file)) == "1"


# -- contents and places -----------------------------------------------------------------------------------------------


def test_the_lexical_index_holds_what_files_have_now(
    writer: SqliteCatalogWriter, reader: SqliteCatalogReader, file: Path, tmp_path: Path
) -> None:
    put(writer, {"a.py": "def alpha(): return beta\n", "b.py": "def gamma(): return beta\n"})
    put(writer, {"a.py": "def changed(): return beta\n"})
    writer.apply(ROOT, [], {}, {"b.py"})
    fresh = tmp_path / "fresh.sqlite"
    other = SqliteCatalogWriter(fresh)
    put(other, {"a.py": "def changed(): return beta\n"})
    other.close()
    assert vocabulary(file) == vocabulary(fresh)
    assert reader.document_frequencies(["beta", "gamma"]) == (1, {"beta": 1})
    assert len(writer.collect(older_than_s=0)) == 2
    assert vocabulary(file) == vocabulary(fresh)
    assert writer.collect(older_than_s=0) == []


def test_text_that_a_file_takes_up_again_is_found_again(
    writer: SqliteCatalogWriter, reader: SqliteCatalogReader, file: Path
) -> None:
    text = "def alpha(): return beta\n\n\nclass Kept:\n    def kept(self): return beta\n"
    put(writer, {"a.py": text})
    before = vocabulary(file)
    put(writer, {"a.py": text.replace("alpha", "changed")})
    assert found(reader, "alpha") == set()
    put(writer, {"a.py": text})  # nothing new: the way back
    assert found(reader, "alpha") == {"a.py"}
    put(writer, {"b.py": text}, OTHER)
    writer.apply(ROOT, [], {}, {"a.py"})  # another root still has it
    assert found(reader, "alpha", roots=(OTHER,)) == {"b.py"}
    assert vocabulary(file) == before


def test_contents_in_use_are_never_collected_and_unused_ones_have_their_time(writer: SqliteCatalogWriter) -> None:
    put(writer, {"a.py": "def one(): pass\n"})
    put(writer, {"a.py": "def two(): pass\n"})
    assert writer.collect(older_than_s=3600) == []
    old = python("def one(): pass\n")
    assert writer.known_blobs({old.analysis.blob}) == {old.analysis.blob}
    writer.apply(ROOT, [], {"a.py": state(old)}, set())  # the way back needs no content
    assert writer.collect(older_than_s=0) == [python("def two(): pass\n").analysis.chunks[0].id]
    assert writer.chunk_ids(ROOT) == {"a.py": [old.analysis.chunks[0].id]}


def test_equal_content_in_one_batch_and_in_two_roots_is_stored_once(
    writer: SqliteCatalogWriter, reader: SqliteCatalogReader, file: Path
) -> None:
    text = "def twin(): pass\n"
    put(writer, {"a.py": text, "b.py": text})
    put(writer, {"c.py": text}, OTHER)
    assert vocabulary(file)[key_of("twin")] == (1, 1)
    assert found(reader, "twin") == {"a.py", "b.py"}
    assert found(reader, "twin", roots=(ROOT, OTHER)) == {"a.py", "b.py", "c.py"}
    writer.forget(ROOT)
    assert writer.collect(older_than_s=0) == []
    assert found(reader, "twin", roots=(ROOT, OTHER)) == {"c.py"}
    assert writer.roots() == [OTHER]


def test_a_file_whose_content_was_collected_meanwhile_stays_to_be_done(writer: SqliteCatalogWriter) -> None:
    put(writer, {"a.py": "def one(): pass\n"})
    gone = python("def gone(): pass\n")
    writer.apply(ROOT, [], {"a.py": state(gone, 2), "b.py": state(gone), "left_out.bin": FileState(1, 1, "")}, set())
    states = writer.files(ROOT)
    assert states.keys() == {"a.py", "left_out.bin"}
    assert states["a.py"].mtime_ns == 1


def test_states_of_some_paths(writer: SqliteCatalogWriter) -> None:
    put(writer, {"a.py": "def one(): pass\n", "b.py": "def two(): pass\n"})
    put(writer, {"a.py": "def three(): pass\n"}, OTHER)
    assert writer.file_states(ROOT, {"a.py", "absent.py"}) == {"a.py": state(python("def one(): pass\n"))}
    assert writer.file_states(ROOT, set()) == {}


# -- reading -----------------------------------------------------------------------------------------------------------


def test_definitions_ignore_case_and_like_takes_marks_literally(
    writer: SqliteCatalogWriter, reader: SqliteCatalogReader
) -> None:
    put(writer, {"a.py": "class UrlParser: pass\ndef url_parser(): pass\ndef urlxparser(): pass\n"})
    named = {d.definition.name for d in reader.definitions(["URLPARSER"], [ROOT])}
    assert named == {"UrlParser"}
    like = [d.definition.name for d in reader.definitions_like("l_p", [ROOT], 10)]
    assert like == ["url_parser"]  # `_` is no wildcard
    assert reader.definitions_like("%", [ROOT], 10) == []
    assert [d.definition.name for d in reader.definitions_like("URL", [ROOT], 1)] == ["UrlParser"]
    assert reader.definitions(["UrlParser"], [OTHER]) == []


def test_lexical_terms_are_never_syntax(writer: SqliteCatalogWriter, reader: SqliteCatalogReader) -> None:
    put(writer, {"a.py": "def near(): return 1\n"})
    for terms in (['"'], ["NEAR("], ["a*"], ["-"], ["near", '" OR "']):
        reader.lexical(terms, 5)
    assert found(reader, "near", "absent") == {"a.py"}
    assert reader.lexical([], 5) == []


def test_a_common_term_finds_all_that_hold_it_behind_those_that_hold_a_rare_one_too(
    writer: SqliteCatalogWriter, reader: SqliteCatalogReader
) -> None:
    many = {f"m{i}.py": f"def common_{i}(): return shared\n" for i in range(900)}
    put(writer, many | {"both.py": "def needle(): return shared\n"})
    best = reader.lexical(["shared", "needle", "mistyped"], 10_000)
    assert len(best) == 901
    assert [p.path for p in reader.placed([best[0][0]], [ROOT])] == ["both.py"]
    assert best[0][1] > best[1][1] > 0


def test_a_number_of_a_deleted_chunk_is_not_given_out_again(
    writer: SqliteCatalogWriter, reader: SqliteCatalogReader, file: Path
) -> None:
    put(writer, {"a.py": "def alpha(): pass\n"})
    writer.apply(ROOT, [], {}, {"a.py"})
    assert len(writer.collect(older_than_s=0)) == 1
    put(writer, {"b.py": "def beta(): pass\n"})  # else it would be found by what the deleted one held
    assert found(reader, "alpha") == set()
    assert found(reader, "beta") == {"b.py"}
    assert key_of("alpha") not in vocabulary(file)


def test_many_changes_leave_few_parts_and_only_what_is_there(
    writer: SqliteCatalogWriter, reader: SqliteCatalogReader, file: Path, tmp_path: Path
) -> None:
    for i in range(60):
        put(writer, {f"{i % 7}.py": f"def name_{i}(): return number_{i % 5}\n"})
        if i % 10 == 9:
            writer.collect(older_than_s=0)
    other = SqliteCatalogWriter(tmp_path / "fresh.sqlite")
    put(other, {f"{i % 7}.py": f"def name_{i}(): return number_{i % 5}\n" for i in range(53, 60)})
    other.close()
    assert vocabulary(file) == vocabulary(tmp_path / "fresh.sqlite")
    with closing(sqlite3.connect(file)) as db:
        assert db.execute("SELECT count(*) FROM lexicon").fetchone()[0] < 12
    assert found(reader, "name_59") == {"3.py"}
    assert reader.document_frequencies(["name_0", "name"]) == (7, {"name": 7})


def test_what_a_reader_remembers_ends_with_the_next_change(
    writer: SqliteCatalogWriter, reader: SqliteCatalogReader
) -> None:
    put(writer, {"a.py": "def alpha(): return beta\n"})
    assert reader.document_frequencies(["alpha", "gamma"]) == (1, {"alpha": 1})
    assert found(reader, "alpha") == {"a.py"}
    put(writer, {"a.py": "def gamma(): return beta\n", "b.py": "def alpha(): return 1\n"})
    assert reader.document_frequencies(["alpha", "gamma"]) == (2, {"alpha": 1, "gamma": 1})
    assert found(reader, "alpha") == {"b.py"}
    writer.apply(ROOT, [], {}, {"b.py"})
    assert reader.document_frequencies(["alpha", "gamma"]) == (1, {"gamma": 1})
