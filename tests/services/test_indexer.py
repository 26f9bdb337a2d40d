"""The one change path: whatever happens to files, the index equals one built from scratch, and work is not repeated."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from tests.support.embedder import HashEmbedder
from tests.support.index import TestIndex

RETRY = '''"""Retrying of requests."""


class RetryPolicy:
    """Decides how often a request is repeated."""

    def __init__(self, attempts: int) -> None:
        self.attempts = attempts

    def delay(self, attempt: int) -> float:
        """Seconds to wait before the next attempt, growing exponentially."""
        return 0.1 * 2**attempt
'''
PARSER = "def parse(text):\n    return text.split()\n"


def write(root: Path, files: dict[str, str]) -> None:
    for path, text in files.items():
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)


def scratch(index: TestIndex, tmp_path: Path, root: Path | None = None) -> dict[str, list[str]]:
    """What an index built from nothing holds."""
    fresh = TestIndex.make(root or index.root, tmp_path / "scratch", HashEmbedder())
    try:
        fresh.update()
        return fresh.content()
    finally:
        fresh.close()
        shutil.rmtree(tmp_path / "scratch")


def test_first_scan_stores_every_file_and_a_second_does_nothing(index: TestIndex, root: Path) -> None:
    write(root, {"retry.py": RETRY, "pkg/parser.py": PARSER, "README.md": "# Project\n\nWords.\n"})
    index.update()
    assert set(index.content()) == {"retry.py", "pkg/parser.py", "README.md"}
    assert index.vectors.missing([c for ids in index.content().values() for c in ids]) == set()
    assert index.update() == []


def test_an_edit_embeds_only_what_changed(index: TestIndex, root: Path, tmp_path: Path) -> None:
    functions = [f"def function_{i}(argument):\n" + f"    value_{i} = argument + {i}\n" * 40 + "\n\n" for i in range(6)]
    write(root, {"many.py": "".join(functions)})
    index.update()
    before = len(index.embedder.embedded)
    functions[3] = functions[3].replace("value_3", "renamed")
    write(root, {"many.py": "".join(functions)})
    index.update("many.py")
    embedded = index.embedder.embedded[before:]
    assert embedded and all("renamed" in text for text in embedded)
    assert index.content() == scratch(index, tmp_path)


def test_rename_and_move_of_a_folder_embed_nothing(index: TestIndex, root: Path, tmp_path: Path) -> None:
    write(root, {"a/retry.py": RETRY, "a/deep/parser.py": PARSER, "b.py": PARSER + "x = 1\n"})
    index.update()
    before = len(index.embedder.embedded)
    (root / "a").rename(root / "moved")
    (root / "b.py").rename(root / "c.py")
    index.update("a", "moved", "b.py", "c.py")
    assert set(index.content()) == {"moved/retry.py", "moved/deep/parser.py", "c.py"}
    assert len(index.embedder.embedded) == before
    assert index.content() == scratch(index, tmp_path)


def test_deleted_file_and_deleted_folder_disappear(index: TestIndex, root: Path) -> None:
    write(root, {"a/one.py": PARSER, "a/two.py": RETRY, "b.py": PARSER})
    index.update()
    shutil.rmtree(root / "a")
    index.update("a")
    assert set(index.content()) == {"b.py"}
    (root / "b.py").unlink()
    index.update("b.py")
    assert index.content() == {}


def test_new_ignore_rule_removes_and_its_removal_brings_back(index: TestIndex, root: Path) -> None:
    write(root, {"keep.py": PARSER, "generated/out.py": RETRY})
    index.update()
    write(root, {".gitignore": "generated/\n"})
    index.update(".gitignore")
    assert set(index.content()) == {"keep.py", ".gitignore"}
    (root / ".gitignore").unlink()
    index.update(".gitignore")
    assert set(index.content()) == {"keep.py", "generated/out.py"}


def test_file_that_becomes_binary_leaves_the_index(index: TestIndex, root: Path) -> None:
    write(root, {"data.py": PARSER})
    index.update()
    (root / "data.py").write_bytes(b"\0\1\2" * 1000)
    index.update("data.py")
    assert index.content() == {}
    assert index.update() == [], "a file left out for its content is not read again"


def git(root: Path, *arguments: str) -> None:
    environment = {
        **{k: v for k, v in os.environ.items() if not k.startswith("GIT_")},
        **{f"GIT_{who}_{what}": "t@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
    }
    subprocess.run(["git", *arguments], cwd=root, check=True, capture_output=True, env=environment)


def test_branch_switch_and_back_embeds_nothing_on_the_way_back(index: TestIndex, root: Path, tmp_path: Path) -> None:
    write(root, {f"file_{i}.py": RETRY.replace("RetryPolicy", f"Policy{i}") for i in range(20)})
    git(root, "init", "-q", "-b", "main")
    git(root, "add", ".")
    git(root, "commit", "-qm", "one")
    index.update()
    git(root, "switch", "-qc", "other")
    write(root, {f"file_{i}.py": RETRY.replace("RetryPolicy", f"Other{i}") for i in range(20)})
    git(root, "commit", "-qam", "two")
    index.update()
    before = len(index.embedder.embedded)
    git(root, "switch", "-q", "main")
    index.update()
    assert len(index.embedder.embedded) == before
    assert index.content() == scratch(index, tmp_path)


def test_second_worktree_shares_contents_and_keeps_its_own_map(index: TestIndex, root: Path, tmp_path: Path) -> None:
    write(root, {"retry.py": RETRY, "parser.py": PARSER})
    index.update()
    before = len(index.embedder.embedded)
    other = tmp_path / "worktree"
    shutil.copytree(root, other)
    write(other, {"parser.py": PARSER + "extra = 1\n"})
    index.update(root=other)
    assert index.content(other).keys() == index.content().keys()
    assert index.content(other)["retry.py"] == index.content()["retry.py"]
    assert index.content(other)["parser.py"] != index.content()["parser.py"]
    assert len(index.embedder.embedded) == before + len(index.content(other)["parser.py"])


def test_unused_contents_are_collected_after_their_time(index: TestIndex, root: Path) -> None:
    write(root, {"retry.py": RETRY, "parser.py": PARSER})
    index.update()
    (root / "retry.py").unlink()
    index.update("retry.py")
    assert index.writer.collect(older_than_s=3600) == []
    gone = index.writer.collect(older_than_s=0)
    assert gone
    index.vectors.remove(gone)
    assert index.vectors.missing(gone) == set(gone)
    assert index.reader.lexical(["retrypolicy"], 10) == []
    assert set(index.content()) == {"parser.py"}


def test_lost_vectors_are_made_again(index: TestIndex, root: Path) -> None:
    write(root, {"retry.py": RETRY, "parser.py": PARSER})
    index.update()
    ids = index.content()["retry.py"]
    index.vectors.remove(ids)
    index.heal()
    assert index.vectors.missing(ids) == set()


def test_unreadable_file_is_a_problem_and_the_others_are_indexed(index: TestIndex, root: Path) -> None:
    write(root, {"good.py": PARSER, "vanishes.py": RETRY})
    indexer = index.indexer()
    changes = indexer.changes({root})
    (root / "vanishes.py").unlink()
    progress = list(indexer.apply(changes))
    assert set(index.content()) == {"good.py"}
    assert [p.subject for p in progress[-1].problems] == ["vanishes.py"]


def test_open_files_are_searchable_first_then_the_latest_changed(index: TestIndex, root: Path) -> None:
    # Larger than a first transaction.
    body = "".join(f"def function_{i}(argument):\n    return argument * {i}\n" for i in range(900))
    write(root, {name: body.replace("function", name[0]) for name in ("old.py", "open.py", "recent.py", "second.py")})
    for age, name in enumerate(("recent.py", "second.py", "old.py", "open.py")):
        os.utime(root / name, (1_000_000 - age, 1_000_000 - age))
    indexer = index.indexer()
    steps = indexer.apply(indexer.changes({root}), first={"open.py"})
    seen = [set(index.content()) for _ in steps]
    assert seen[0] == {"open.py"}
    assert seen[1] == {"open.py", "recent.py", "second.py"}
    assert seen[-1] == {"old.py", "open.py", "recent.py", "second.py"}


def test_a_single_file_that_cannot_be_read_is_a_problem_too(index: TestIndex, root: Path) -> None:
    write(root, {"vanishes.py": RETRY})
    indexer = index.indexer()
    changes = indexer.changes({root / "vanishes.py"})
    (root / "vanishes.py").unlink()
    assert [[p.subject for p in one.problems] for one in indexer.apply(changes)] == [["vanishes.py"]]


def test_secret_values_never_reach_the_index(index: TestIndex, root: Path) -> None:
    token = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"
    write(root, {"settings.py": f'GITHUB_TOKEN = "{token}"\n', ".env": f"TOKEN={token}\n"})
    index.update()
    assert set(index.content()) == {"settings.py"}
    assert all(token not in text for text in index.embedder.embedded)
    assert index.reader.lexical([token.lower()], 5) == []


def test_large_scan_on_parser_processes_equals_one_in_process(root: Path, tmp_path: Path) -> None:
    from impetus.adapters.parse_pool import ParsePool
    from impetus.services.indexer import Indexer

    body = "".join(f"def function_{i}():\n    return {i}\n\n\n" for i in range(1500))
    write(root, {f"module_{n}.py": body.replace("function", f"name{n}") for n in range(40)})
    single = TestIndex.make(root, tmp_path / "single")
    pooled = TestIndex.make(root, tmp_path / "pooled")
    try:
        single.update()
        indexer = Indexer(root, pooled.files, pooled.writer, pooled.vectors, pooled.embedder, ParsePool(2))
        list(indexer.apply(indexer.changes({root})))
        assert pooled.content() == single.content()
    finally:
        single.close()
        pooled.close()


@pytest.mark.parametrize("stop_after", [0, 1, 2])
def test_interrupted_scan_is_finished_by_the_next(
    index: TestIndex, root: Path, tmp_path: Path, stop_after: int
) -> None:
    write(root, {f"f{i}.py": RETRY.replace("RetryPolicy", f"P{i}") for i in range(450)})
    indexer = index.indexer()
    steps = indexer.apply(indexer.changes({root}))
    for _ in range(stop_after):
        next(steps)
    steps.close()  # type: ignore[attr-defined]
    assert len(index.content()) < 450
    index.update()
    assert index.content() == scratch(index, tmp_path)
