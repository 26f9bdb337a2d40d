"""`impetus documents`, on the service and as real processes beside each other."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.support.document_files import docx, pdf
from tests.support.documents import documents_in
from tests.support.terminal import Terminal

from impetus.cli import exits

DEADLINE = 120


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    made = Terminal()
    made.documents = documents_in(tmp_path / "home")
    return made


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "papers"
    for name, data in {
        "plan.md": b"# Plan\n\n## Costs\n\nThe desk costs 100.\n",
        "deep/down/report.pdf": pdf("Chairs cost more than a desk"),
        "letter.docx": docx((1, "Letter"), "We sell desks."),
        "picture.png": b"\x89PNG",
        ".hidden/secret.md": b"desk",
        "credentials.txt": b"desk",
        "broken.pdf": b"no pdf",
    }.items():
        file = made / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    return made


def test_a_folder_is_added_and_searched(terminal: Terminal, folder: Path) -> None:
    result = terminal.run(
        "documents", "ingest", str(folder), "-c", "office", "-m", "year=2026", "-m", "tag=a", "-m", "tag=b"
    )
    assert result.exit_code == exits.NOTHING  # one of them is broken
    assert "papers/broken.pdf cannot be read" in result.stderr
    assert "added      papers/plan.md  1 passage, 1 new" in result.stdout
    (folder / "broken.pdf").unlink()
    again = terminal.value(
        "documents", "ingest", str(folder), "-c", "office", "-m", "year=2026", "-m", "tag=a", "-m", "tag=b"
    )
    assert {each["name"]: each["status"] for each in again} == dict.fromkeys(
        ["papers/plan.md", "papers/deep/down/report.pdf", "papers/letter.docx"], "unchanged"
    )

    text = terminal.run("documents", "search", "desk", "--where", "tag=b").stdout
    assert "papers/plan.md  Plan › Costs  " in text and "    The desk costs 100.\n" in text
    assert "papers/deep/down/report.pdf  page 1  " in text
    hits = terminal.value("documents", "search", "desk", "-c", "office", "-n", "1", "--where", "year=2026")
    assert len(hits) == 1 and set(hits[0]) >= {"name", "collection", "score", "text", "page", "headings", "metadata"}
    nothing = terminal.run("documents", "search", "desk", "--where", "year=2025")
    assert (nothing.exit_code, nothing.stdout) == (exits.NOTHING, "")


def test_files_are_named_by_what_was_given(terminal: Terminal, folder: Path) -> None:
    given = [str(folder / "plan.md"), str(folder / "deep")]
    names = [each["name"] for each in terminal.value("documents", "ingest", *given)]
    assert names == ["plan.md", "deep/down/report.pdf"]
    (folder / "deep" / "plan.md").write_text("another")
    result = terminal.run("documents", "ingest", str(folder / "plan.md"), str(folder / "deep" / "plan.md"))
    assert (result.exit_code, "would both be named plan.md" in result.stderr) == (exits.USAGE, True)


def test_lists_and_deletion(terminal: Terminal, folder: Path) -> None:
    assert "There are no documents" in terminal.run("documents", "list").stderr
    terminal.run("documents", "ingest", str(folder / "plan.md"), str(folder / "letter.docx"))
    assert terminal.run("documents", "list").stdout.startswith("default  2 documents, 2 passages, ")
    plan, letter = terminal.value("documents", "list", "-c", "default")
    assert [plan["name"], letter["name"]] == ["plan.md", "letter.docx"]
    assert plan["id"] in terminal.run("documents", "list", "-c", "default").stdout
    assert terminal.value("documents", "delete", "-c", "default", plan["id"]) == {"deleted": plan["id"]}
    (collection,) = terminal.value("documents", "list")
    assert (collection["name"], collection["documents"]) == ("default", 1)
    assert "default is forgotten" in terminal.run("documents", "delete", "-c", "default").stderr
    assert terminal.value("documents", "list") == []
    assert (folder / "plan.md").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["ingest", "/no/such/file.md"], "does not exist"),
        (["ingest", ".", "-c", "a/b"], "cannot name a collection"),
        (["ingest", ".", "-m", "year"], "no FIELD=VALUE"),
        (["search", " "], "query is empty"),
        (["search", "x", "-c", "none"], "There is no collection 'none'"),
        (["search", "x", "--where", "a b=1"], "cannot name a field"),
        (["list", "-c", "none"], "There is no collection"),
        (["delete", "-c", "none"], "There is no collection"),
        (["delete", "-c", "none", "doc_1"], "There is no document 'doc_1'"),
    ],
)
def test_usage(terminal: Terminal, arguments: list[str], said: str) -> None:
    result = terminal.run("documents", *arguments)
    assert (result.exit_code, said in result.stderr) == (exits.USAGE, True), result.stderr


class Processes:
    """`impetus documents` as a shell runs it, over a home of its own."""

    def __init__(self, home: Path) -> None:
        server = Path(__file__).parents[2] / "server"
        kept = {name: value for name, value in os.environ.items() if not name.startswith("IMPETUS_")}
        self.environment = {**kept, "IMPETUS_HOME": str(home), "PYTHONPATH": str(server), "PYTHONUNBUFFERED": "1"}

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        command = [sys.executable, "-m", "impetus", "documents", *arguments]
        return subprocess.Popen(
            command, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def value(self, *arguments: str, code: int = exits.OK) -> Any:
        process = self.start(*arguments, "--json")
        out, errors = process.communicate(timeout=DEADLINE)
        assert process.returncode == code, errors
        return json.loads(out)


def test_real_processes(tmp_path: Path, folder: Path) -> None:
    """With the reader's own process, the static embedder, and a home that one process fills and the next one reads."""
    processes = Processes(tmp_path / "home")
    added = processes.value("ingest", str(folder), code=exits.NOTHING)
    statuses = {each["name"]: each["status"] for each in added}
    assert statuses.pop("papers/broken.pdf") == "failed"
    assert set(statuses.values()) == {"added"} and len(statuses) == 3
    hits = processes.value("search", "costs in the plan")
    assert hits[0]["name"] == "papers/plan.md"
    assert (tmp_path / "home" / "documents.sqlite").stat().st_mode & 0o777 == 0o600


def test_a_process_that_is_killed_leaves_whole_documents(tmp_path: Path) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(60):
        text = "\n\n".join(f"# Title {part}\n\nDocument {number} has part {part}." for part in range(40))
        (folder / f"{number:02}.md").write_text(text)
    processes = Processes(tmp_path / "home")
    killed = processes.start("ingest", str(folder))
    assert killed.stdout is not None and killed.stderr is not None
    told = [killed.stdout.readline() for _ in range(5)]
    killed.kill()
    killed.communicate(timeout=DEADLINE)
    assert all(line.startswith("added ") for line in told)

    kept = processes.value("list", "-c", "default")
    assert len(kept) >= 5 and {document["passages"] for document in kept} == {40}
    again = processes.value("ingest", str(folder))
    statuses = [each["status"] for each in again]
    assert statuses.count("unchanged") == len(kept)
    assert len(processes.value("list", "-c", "default")) == 60
    assert processes.value("search", "document 59 part 39", "-n", "1")[0]["name"] == "many/59.md"
