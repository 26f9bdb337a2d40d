"""What every store of conversations does: the one of SQLite and the one that tests use."""

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.support.scripted_session import MemoryConversations

from impetus.adapters.sqlite_conversations import SqliteConversationStore
from impetus.domain.conversations import Conversation, ConversationStore
from impetus.domain.types import Message, Role, ToolCall
from impetus.errors import BadRequest, ImpetusError

HELLO = Message(Role.USER, "hello é")
CALL = Message(Role.ASSISTANT, "", (ToolCall("c", "look", '{"at": 1}'),))
RESULT = Message(Role.TOOL, "a wall", tool_call_id="c")


@pytest.fixture(params=["sqlite", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ConversationStore:
    made: dict[str, Callable[[], ConversationStore]] = {
        "sqlite": lambda: SqliteConversationStore(tmp_path / "home" / "conversations.sqlite"),
        "memory": MemoryConversations,
    }
    return made[request.param]()


def begun(store: ConversationStore, *ids: str, owner: str = "me", model: str = "impetus") -> None:
    for at, id in enumerate(ids):
        store.add(Conversation(id, owner, model, at, at, {"topic": id}))


def test_messages_come_back_in_order_and_whole(store: ConversationStore) -> None:
    begun(store, "a", "b")
    assert store.append("me", "a", [HELLO, CALL], 5.0)
    assert store.append("me", "b", [HELLO], 6.0)
    assert store.append("me", "a", [RESULT], 7.0)
    items = store.items("me", "a", None, None)
    assert [item.message for item in items] == [HELLO, CALL, RESULT]
    assert [item.created for item in items] == [5.0, 5.0, 7.0]
    found = store.get("me", "a")
    assert found is not None and (found.updated, found.metadata) == (7.0, {"topic": "a"})


def test_pages_of_messages(store: ConversationStore) -> None:
    begun(store, "a")
    store.append("me", "a", [HELLO, CALL, RESULT], 1.0)
    first = store.items("me", "a", 2, None)
    assert [item.message for item in first] == [HELLO, CALL]
    assert [item.message for item in store.items("me", "a", 2, first[-1].id)] == [RESULT]


def test_pages_of_conversations_begin_with_the_latest(store: ConversationStore) -> None:
    begun(store, "a", "b", "c")
    begun(store, "d", model="impetus/x")
    assert [each.id for each in store.all("me", None, 3, None)] == ["d", "c", "b"]
    assert [each.id for each in store.all("me", None, 3, "b")] == ["a"]
    assert [each.id for each in store.all("me", "impetus", 10, None)] == ["c", "b", "a"]
    with pytest.raises(BadRequest):
        store.all("me", None, 3, "nonsense")


def test_a_conversation_is_its_owners_alone(store: ConversationStore) -> None:
    begun(store, "a")
    store.append("me", "a", [HELLO], 1.0)
    assert store.get("other", "a") is None
    assert store.all("other", None, 10, None) == []
    assert store.items("other", "a", None, None) == []
    assert not store.append("other", "a", [HELLO], 1.0)
    assert not store.remove("other", "a")
    with pytest.raises(BadRequest):
        store.all("other", None, 10, "a")
    assert len(store.items("me", "a", None, None)) == 1


def test_what_is_removed_is_gone_with_its_messages(store: ConversationStore) -> None:
    begun(store, "a")
    store.append("me", "a", [HELLO], 1.0)
    assert store.remove("me", "a")
    assert not store.remove("me", "a")
    assert not store.append("me", "a", [HELLO], 1.0)
    begun(store, "a")
    assert store.items("me", "a", None, None) == []


def test_the_file_is_private_and_read_by_the_next_process(tmp_path: Path) -> None:
    path = tmp_path / "home" / "conversations.sqlite"
    begun(SqliteConversationStore(path), "a")
    assert path.stat().st_mode & 0o777 == 0o600
    assert SqliteConversationStore(path).get("me", "a") is not None


def test_a_file_that_cannot_be_used_says_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "conversations.sqlite"
    path.write_text("no database " * 100)
    with pytest.raises(ImpetusError, match="delete it"):
        SqliteConversationStore(path).get("me", "a")
