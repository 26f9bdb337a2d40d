"""Keys: random, shown once, stored as digests in a private file, revocable from another process."""

import sqlite3
import stat
import threading
from contextlib import closing
from pathlib import Path

import pytest
from tests.support.http import MemoryKeyStore

from impetus.adapters.sqlite_keys import SqliteKeyStore
from impetus.domain.keys import ApiKey, KeyEvent, KeyStore, digest
from impetus.errors import BadRequest, ImpetusError, NotFound
from impetus.services.keys import Keys


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "home" / "keys.sqlite"


def test_a_created_key_is_verified_and_no_other(path: Path) -> None:
    keys = Keys(SqliteKeyStore(path), clock=lambda: 12.5)
    new = keys.create(" laptop ")
    assert new.secret.startswith("imp_")
    assert len(new.secret) >= 4 + 22  # 128 bits and more in base64
    assert (new.key.name, new.key.role, new.key.created) == ("laptop", "user", 12.5)
    assert keys.verify(new.secret) == new.key
    for wrong in ("", "imp_", new.secret[:-1], new.secret + "x", new.secret.upper(), "\udcff"):
        assert keys.verify(wrong) is None


def test_keys_differ_and_are_listed_oldest_first(path: Path) -> None:
    times = iter([3.0, 1.0, 2.0])
    keys = Keys(SqliteKeyStore(path), clock=lambda: next(times))
    made = [keys.create(name) for name in ("c", "a", "b")]
    assert len({new.secret for new in made}) == 3
    assert [key.name for key in keys.all()] == ["a", "b", "c"]


def test_another_store_on_the_same_file_sees_changes_at_once(path: Path) -> None:
    here, there = Keys(SqliteKeyStore(path)), Keys(SqliteKeyStore(path))
    new = here.create("shared")
    assert there.verify(new.secret) == new.key
    there.revoke(new.key.id)
    assert here.verify(new.secret) is None
    assert here.all() == []


def test_revoking_an_unknown_key_says_where_to_look(path: Path) -> None:
    keys = Keys(SqliteKeyStore(path))
    with pytest.raises(NotFound, match="impetus keys list"):
        keys.revoke("nope")
    assert not path.exists()


@pytest.fixture(params=["sqlite", "memory"])
def store(request: pytest.FixtureRequest, path: Path) -> KeyStore:
    return SqliteKeyStore(path) if request.param == "sqlite" else MemoryKeyStore()


def test_what_was_done_to_keys_is_remembered(store: KeyStore) -> None:
    times = iter([1.0, 2.0, 3.0])
    keys = Keys(store, clock=lambda: next(times))
    first, second = keys.create("a", "admin"), keys.create("b", "readonly")
    keys.revoke(first.key.id)
    assert keys.events() == [
        KeyEvent(3, 3.0, "revoked", first.key.id, "a", "admin"),
        KeyEvent(2, 2.0, "created", second.key.id, "b", "readonly"),
        KeyEvent(1, 1.0, "created", first.key.id, "a", "admin"),
    ]
    assert keys.all() == [second.key]


def test_a_key_expires(store: KeyStore) -> None:
    now = 0.0
    keys = Keys(store, clock=lambda: now)
    new = keys.create("short", days=1)
    now = 86_399.0
    assert keys.verify(new.secret) == new.key
    now = 86_400.0
    assert keys.verify(new.secret) is None
    assert [key.id for key in keys.all()] == [new.key.id]


def test_a_file_of_the_first_version_goes_on(path: Path) -> None:
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as database, database:
        database.execute(
            "CREATE TABLE keys (id TEXT PRIMARY KEY, name TEXT NOT NULL, role TEXT NOT NULL, created REAL NOT NULL, "
            "digest BLOB NOT NULL UNIQUE) STRICT"
        )
        database.execute("INSERT INTO keys VALUES ('1', 'old', 'user', 1.0, ?)", (digest("imp_old"),))
    keys = Keys(SqliteKeyStore(path))
    assert keys.verify("imp_old") == ApiKey("1", "old", "user", 1.0, digest("imp_old"))
    keys.create("new", days=2)
    assert [key.name for key in keys.all()] == ["old", "new"]
    assert [event.name for event in keys.events()] == ["new"]


@pytest.mark.parametrize(("role", "days"), [("owner", None), ("user", 0), ("user", -1), ("user", 1e9)])
def test_role_and_days_are_checked(path: Path, role: str, days: float | None) -> None:
    with pytest.raises(BadRequest):
        Keys(SqliteKeyStore(path)).create("x", role, days)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["", "  ", "x" * 101, "line\nbreak"])
def test_names_are_checked(path: Path, name: str) -> None:
    with pytest.raises(BadRequest):
        Keys(SqliteKeyStore(path)).create(name)


def test_the_file_is_private_and_holds_no_secret(path: Path) -> None:
    path.parent.mkdir()
    path.touch(0o644)
    path.chmod(0o644)
    new = Keys(SqliteKeyStore(path)).create("private")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert new.secret.encode() not in path.read_bytes()


def test_a_damaged_file_is_reported_with_what_to_do(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"not a database, whatever its name says" * 100)
    with pytest.raises(ImpetusError, match="delete it and create new keys"):
        Keys(SqliteKeyStore(path)).verify("imp_x")


def test_keys_made_at_the_same_time_are_all_kept(path: Path) -> None:
    store = SqliteKeyStore(path)
    threads = [threading.Thread(target=Keys(store).create, args=(f"key {number}",)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(store.all()) == 8
