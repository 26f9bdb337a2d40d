"""The catalog when things go wrong: other versions, damage, a full disk, missing rights, another owner."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from tests.support.catalog import ROOT, put, run_python, vocabulary
from tests.support.embedder import HashEmbedder
from tests.support.live_index import live_index, repository_in

from impetus.adapters import sqlite_schema, store
from impetus.adapters.sqlite_catalog import SqliteCatalogReader, failures
from impetus.adapters.sqlite_catalog_writer import SqliteCatalogWriter
from impetus.domain.postings import key_of
from impetus.errors import IndexCorrupt, IndexFailed


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / store.CATALOG


# -- files that are not as they should be ------------------------------------------------------------------------------


def test_another_schema_version_starts_over(file: Path) -> None:
    first = SqliteCatalogWriter(file)
    put(first, {"a.py": "def one(): pass\n"})
    first.close()
    with closing(sqlite3.connect(file)) as db:
        db.execute("UPDATE meta SET value = '999' WHERE key = 'schema'")
        db.commit()
    again = SqliteCatalogWriter(file)
    assert again.files(ROOT) == {}
    put(again, {"a.py": "def one(): pass\n"})
    assert set(again.files(ROOT)) == {"a.py"}
    again.close()


@pytest.mark.parametrize("damage", ["all", "header", "middle"])
def test_damage_is_said_as_damage(file: Path, damage: str) -> None:
    first = SqliteCatalogWriter(file)
    put(first, {f"m{i}.py": f"def name_{i}(): return {i}\n" * 30 for i in range(60)})
    first.close()
    data = bytearray(file.read_bytes())
    start, end = {"all": (0, len(data)), "header": (0, 90), "middle": (4096, len(data))}[damage]
    data[start:end] = b"\x5a" * (end - start)
    file.write_bytes(data)
    with pytest.raises(IndexCorrupt):
        writer = SqliteCatalogWriter(file)
        try:
            put(writer, {"new.py": "def new(): pass\n"})
            writer.chunk_ids(ROOT)
        finally:
            writer.close()


async def test_a_damaged_index_is_rebuilt_and_the_status_says_so(root: Path, tmp_path: Path) -> None:
    (root / "a.py").write_text("def survives(): pass\n")
    home, embedder = tmp_path / "home", HashEmbedder()
    async with live_index(home, root, embedder) as index:
        await index.idle()
    folder = store.folder_for(home, root)
    (folder / store.CATALOG).write_bytes(b"\x5a" * 20_000)
    async with live_index(home, root, embedder) as index:
        await index.idle()
        assert index.progress.phase == "ready"
        assert len(index.repository.store.reader.lexical(["survives"], 5)) == 1
        assert "rebuilt" in index.repository.problems()[0].message


async def test_damage_while_running_is_mended_by_the_next_change(root: Path, tmp_path: Path) -> None:
    (root / "a.py").write_text("def survives(): pass\n")
    home, embedder = tmp_path / "home", HashEmbedder()
    async with live_index(home, root, embedder) as index:
        await index.idle()
        catalog = store.folder_for(home, root) / store.CATALOG
        with closing(sqlite3.connect(catalog)) as db:  # a table that is gone is damage, not a full disk
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        catalog.write_bytes(b"\x5a" * catalog.stat().st_size)
        (root / "b.py").write_text("def added(): pass\n")
        index.note([root / "b.py"])
        await index.idle()
        assert index.progress.phase == "ready"
        reader = index.repository.store.reader
        assert {p.path for p in reader.placed([k for k, _ in reader.lexical(["def"], 9)], [root])} == {"a.py", "b.py"}


async def test_every_root_fills_a_rebuilt_index_again(root: Path, tmp_path: Path) -> None:
    (root / "a.py").write_text("def survives(): pass\n")
    other = tmp_path / "other"
    other.mkdir()
    (other / "b.py").write_text("def survives(): return 2\n")
    home, embedder = tmp_path / "home", HashEmbedder()
    async with (
        live_index(home, root, embedder) as index,
        live_index(home, other, embedder, repository=index.repository) as second,
    ):
        await index.idle()
        await second.idle()
        await index.repository.rebuild()
        await index.idle()
        await second.idle()
        assert index.repository.store.reader.paths(root) == {"a.py": "python"}
        assert index.repository.store.reader.paths(other) == {"b.py": "python"}


FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from impetus.adapters.sqlite_catalog_writer import SqliteCatalogWriter
from impetus.domain.digest import digest
from impetus.domain.ports import FileState
from impetus.errors import IndexFailed

writer = SqliteCatalogWriter(Path(sys.argv[1]))
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, resource.RLIM_INFINITY))
try:
    for number in range(1000):
        content = digest(f"def name_{number}(): return {number}\\n".encode() * 40, "python")
        state = FileState(1, 1, content.analysis.blob)
        writer.apply(Path("/one"), [content], {f"m{number}.py": state}, set())
except IndexFailed as error:
    print(number, str(error))
"""


def test_a_lock_of_another_program_is_told_as_what_it_is(tmp_path: Path) -> None:
    file = tmp_path / "locked.sqlite"
    with closing(sqlite3.connect(file, timeout=0)) as other, closing(sqlite3.connect(file, timeout=0)) as own:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(IndexFailed, match="Another program has locked"), failures():
            own.execute("BEGIN IMMEDIATE")


def test_a_reader_of_another_version_is_told_who_keeps_the_index(file: Path) -> None:
    SqliteCatalogWriter(file).close()
    with closing(sqlite3.connect(file)) as db, db:
        db.execute("UPDATE meta SET value = '0' WHERE key = 'schema'")
    with pytest.raises(IndexFailed, match="impetus stop"):
        SqliteCatalogReader(file).counts(ROOT)


def test_postings_that_do_not_fit_together_are_damage(file: Path) -> None:
    writer = SqliteCatalogWriter(file)
    put(writer, {"a.py": "def one(): pass\n"})
    writer.close()
    for column, value in (("uses", b""), ("chunks", b"\x01"), ("numbers", b"\0\0\0\0")):
        with closing(sqlite3.connect(file)) as db, db:
            before = db.execute(f"SELECT {column} FROM lexicon").fetchone()
            db.execute(f"UPDATE lexicon SET {column} = ?", (value,))
        reader = SqliteCatalogReader(file)
        with pytest.raises(IndexCorrupt, match="built anew"):
            reader.lexical(["one"], 5)
        reader.close()
        with closing(sqlite3.connect(file)) as db, db:
            db.execute(f"UPDATE lexicon SET {column} = ?", before)


def test_a_full_disk_fails_with_advice_and_keeps_what_was_committed(file: Path) -> None:
    number, _, message = run_python(FULL_DISK, str(file)).partition(" ")
    assert "Free disk space" in message
    writer = SqliteCatalogWriter(file)
    try:
        assert len(writer.files(ROOT)) == int(number) > 0
        put(writer, {"after.py": "def after(): pass\n"})
        assert "after.py" in writer.files(ROOT)
    finally:
        writer.close()
    assert vocabulary(file)[key_of("after")] == (1, 1)


def test_a_folder_without_rights_says_so(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(IndexFailed):
        SqliteCatalogWriter(tmp_path / "taken" / store.CATALOG)
    with pytest.raises(IndexFailed):
        SqliteCatalogReader(tmp_path / "absent.sqlite").counts(ROOT)
    assert not (tmp_path / "absent.sqlite").exists()
    assert sqlite_schema.SCHEMA_VERSION > 0


# -- one owner --------------------------------------------------------------------------------------------------------

READ_BESIDE = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from impetus.adapters.store import OpenStore
from tests.support.embedder import HashEmbedder

embedder = HashEmbedder()
store = OpenStore(Path(sys.argv[1]), embedder)
hits = store.reader.lexical(["owned"], 5)
near = store.vectors.search(embedder.embed_query("owned"), 5)
print(store.owned, store.writer is None, len(hits), [key for key, _ in near] == [key for key, _ in hits])
store.close()
"""


async def test_a_second_process_reads_an_index_that_the_first_owns(root: Path, tmp_path: Path) -> None:
    (root / "a.py").write_text("def owned(): pass\n")
    home, embedder = tmp_path / "home", HashEmbedder()
    folder, tests = store.folder_for(home, root), str(Path(__file__).parents[2])
    async with live_index(home, root, embedder) as index:
        await index.idle()
        assert run_python(READ_BESIDE, str(folder), tests) == "False True 1 True"
        (root / "b.py").write_text("def owned_too(): pass\n")
        index.note([root / "b.py"])
        await index.idle()
        assert index.progress.phase == "ready" and index.progress.files == 2
    assert run_python(READ_BESIDE, str(folder), tests).startswith("True False 2")


async def test_a_follower_says_that_another_process_keeps_the_index(root: Path, tmp_path: Path) -> None:
    (root / "a.py").write_text("def owned(): pass\n")
    home, embedder = tmp_path / "home", HashEmbedder()
    async with live_index(home, root, embedder) as owner:
        await owner.idle()
        second = repository_in(store.folder_for(home, root), embedder)
        async with live_index(home, root, embedder, repository=second) as follower:
            await follower.idle()
            assert follower.progress.phase == "shared"
            assert follower.progress.files == 1
        await second.close()
