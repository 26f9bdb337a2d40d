"""Queries from commits: the rule on made-up commits, and the whole way on a real temporary git repository."""

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from impetus.adapters.git_history import GitHistory
from impetus.domain.history import Commit, history_queries, is_source, is_test, names_file, usable_query
from impetus.errors import BadRequest, ImpetusError
from impetus.services.evaluation import Passage
from impetus.services.evaluation_history import evaluate_history, make_queries


def commit(subject: str, *modified: str, body: str = "", sha: str = "s", parent: str = "p") -> Commit:
    return Commit(sha, parent, subject, body, modified or ("src/a.py",))


class TestRule:
    @pytest.mark.parametrize(
        ("subject", "text"),
        [
            ("Invalidate rewritten files by hash", "Invalidate rewritten files by hash"),
            ("fix(ui): keep the trace popover open (#11021)", "keep the trace popover open"),
            ("feat!: a new way to wait", "a new way to wait"),
            ("fixtures: deprecate calling it late", "fixtures: deprecate calling it late"),
            ("Merge pull request #12 Fix the edge case of length", "Fix the edge case of length"),
            ("Release the lock before calling back", "Release the lock before calling back"),
        ],
    )
    def test_subject_is_cleaned(self, subject: str, text: str) -> None:
        query = usable_query(commit(subject))
        assert query is not None
        assert query.text == text

    @pytest.mark.parametrize(
        "subject",
        [
            "too short here",
            "chore: move the scripts about a bit",
            "docs(api): say what the method returns",
            "test: cover the parser much better",
            "Bump foo from 1.0 to 2.0",
            'Revert "make the parser much faster"',
            "release v1.2.3 of the whole thing",
            "1.2.3 is the next release now",
            "Merge branch 'main' into feature of mine",
            "fix: three words only",
        ],
    )
    def test_dull_subjects_are_left_out(self, subject: str) -> None:
        assert usable_query(commit(subject)) is None

    def test_a_merge_speaks_through_its_body(self) -> None:
        merged = commit("Merge pull request #7 from someone/branch", body="\nMake deep tracebacks cheap (#7)\n\nMore")
        query = usable_query(merged)
        assert query is not None
        assert query.text == "Make deep tracebacks cheap"

    def test_tests_and_other_files_are_not_answers(self) -> None:
        query = usable_query(commit("say something about this", "src/a.py", "tests/test_a.py", "README.md", "src/b.rs"))
        assert query is not None
        assert query.paths == ("src/a.py", "src/b.rs")

    def test_one_to_five_files(self) -> None:
        six = [f"src/{n}.py" for n in range(6)]
        assert usable_query(commit("say something about this", *six)) is None
        assert usable_query(commit("say something about this", *six[:5])) is not None
        assert usable_query(commit("say something about this", "README.md")) is None

    @pytest.mark.parametrize("path", ["a.py", "x/b.TS", "c.d.ts", "lib/x.ex", "f.h"])
    def test_source(self, path: str) -> None:
        assert is_source(path)

    @pytest.mark.parametrize("path", ["a.md", "py", "a.py.txt", "package.json", "Makefile"])
    def test_not_source(self, path: str) -> None:
        assert not is_source(path)

    @pytest.mark.parametrize(
        "path",
        ["tests/a.py", "x/__tests__/a.ts", "a.test.ts", "a_test.go", "test_a.py", "FooTest.java", "conftest.py",
         "spec/a_spec.rb", "Tests/A.swift", "property_tests.rs", "examples/a.py"],
    )  # fmt: skip
    def test_test_paths(self, path: str) -> None:
        assert is_test(path)

    @pytest.mark.parametrize(
        "path", ["src/_pytest/a.py", "contest.py", "src/latest.ts", "lib/attest/a.go", "tested.py"]
    )
    def test_paths_that_only_look_like_tests(self, path: str) -> None:
        assert not is_test(path)

    def test_a_named_file_is_known(self) -> None:
        assert names_file("fix the Parser for good", ["src/parser.py"])
        assert not names_file("fix the parsers for good", ["src/parser.py"])
        assert not names_file("[ty] narrow the union", ["crates/ty.rs"])

    def test_files_must_exist_at_the_snapshot(self) -> None:
        commits = [
            commit("change what came later on", "src/new.py", sha="3", parent="2"),
            commit("change what was there already", "src/old.py", sha="2", parent="1"),
            commit("first commit of them all", "src/old.py", sha="1", parent=""),
        ]
        asked: list[str] = []

        def paths_at(sha: str) -> set[str]:
            asked.append(sha)
            return {"src/old.py"}

        made = history_queries(commits, paths_at)
        assert made is not None
        assert (made.snapshot, asked) == ("1", ["1"])
        assert [query.sha for query in made.queries] == ["2"]

    def test_the_limit_takes_the_newest(self) -> None:
        commits = [commit("say something about this", sha=str(n), parent=str(n - 1)) for n in range(9, 0, -1)]
        made = history_queries(commits, lambda sha: {"src/a.py"}, limit=3)
        assert made is not None
        assert ([query.sha for query in made.queries], made.snapshot) == (["9", "8", "7"], "6")

    def test_nothing_usable(self) -> None:
        assert history_queries([commit("short")], lambda sha: set()) is None


class Repository:
    """A temporary git repository that knows nothing of the machine's configuration."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir()
        self.git("init", "-q", "-b", "main")

    def git(self, *arguments: str) -> str:
        identity = {
            f"GIT_{who}_{what}": "a@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
        }
        environment = {**os.environ, **identity, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
        done = subprocess.run(
            ["git", "-C", str(self.root), *arguments], env=environment, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    def commit(self, message: str, **files: str) -> str:
        """Keyword `src_a_py` writes `src/a.py`."""
        for name, text in files.items():
            *folders, stem, suffix = name.split("_")
            path = self.root.joinpath(*folders, f"{stem}.{suffix}")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        self.git("add", "-A")
        self.git("commit", "-q", "-m", message)
        return self.git("rev-parse", "HEAD")


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    made = Repository(tmp_path / "project")
    made.commit("start the whole thing here", src_parser_py="one\n", src_lexer_py="one\n", tests_parser_py="one\n")
    made.commit("fix: read numbers with underscores (#4)", src_lexer_py="two\n", tests_parser_py="two\n")
    made.commit("teach the parser about lambdas", src_parser_py="two\n", src_tree_py="new\n")
    made.git("switch", "-q", "-c", "side")
    made.commit("wip", src_parser_py="three\n", README_md="hello\n")
    made.git("switch", "-q", "main")
    made.git("merge", "-q", "--no-ff", "side", "-m", "Merge pull request #9 from a/side\n\nGive up on broken input")
    made.commit("walk the tree only once", src_tree_py="two\n")
    made.git("mv", "src/lexer.py", "src/scanner.py")
    made.commit("rename the lexer to scanner")
    return made


class TestGitHistory:
    def test_commits_of_the_first_parent_line(self, repository: Repository) -> None:
        commits = GitHistory(repository.root).commits()
        assert [(c.subject, c.modified) for c in commits] == [
            ("rename the lexer to scanner", ()),
            ("walk the tree only once", ("src/tree.py",)),
            ("Merge pull request #9 from a/side", ("src/parser.py",)),
            ("teach the parser about lambdas", ("src/parser.py",)),
            ("fix: read numbers with underscores (#4)", ("src/lexer.py", "tests/parser.py")),
            ("start the whole thing here", ()),
        ]
        assert commits[2].body.strip() == "Give up on broken input"
        assert commits[2].parent == commits[3].sha
        assert commits[-1].parent == ""

    def test_limit(self, repository: Repository) -> None:
        assert len(GitHistory(repository.root).commits(2)) == 2

    def test_odd_names_and_messages(self, tmp_path: Path) -> None:
        made = Repository(tmp_path / "odd")
        names = ["ä ö.py", 'quo"te.py', "new\nline.py"]
        for text in ("one", "two"):
            for name in names:
                (made.root / name).write_text(text)
            made.commit(f"say {text} with\x1eodd\x1fsigns" if text == "one" else "say it once more\n\nbody\n\nmore")
        (newest,) = GitHistory(made.root).commits()
        assert sorted(newest.modified) == sorted(names)
        assert newest.body.strip() == "body\n\nmore"
        assert GitHistory(made.root).paths("HEAD") == set(names)

    def test_export_writes_the_old_tree(self, repository: Repository, tmp_path: Path) -> None:
        script = repository.root / "run.sh"
        script.write_bytes(b"#!/bin/sh\r\n\xff")
        script.chmod(0o755)
        (repository.root / "link").symlink_to("run.sh")
        head = repository.commit("add a script and a link")
        script.unlink()
        written = GitHistory(repository.root).export(head, tmp_path / "out")
        names = {path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*.*")}
        assert names == {"README.md", "run.sh", "src/parser.py", "src/scanner.py", "src/tree.py", "tests/parser.py"}
        assert written == len(names)
        assert (tmp_path / "out/run.sh").read_bytes() == b"#!/bin/sh\r\n\xff"
        assert os.access(tmp_path / "out/run.sh", os.X_OK)
        assert not os.access(tmp_path / "out/README.md", os.X_OK)
        assert not (tmp_path / "out/link").is_symlink()

    def test_export_never_leaves_its_folder(self, repository: Repository, tmp_path: Path) -> None:
        blob = repository.git("rev-parse", "HEAD:README.md")
        tree = subprocess.run(
            ["git", "-C", str(repository.root), "hash-object", "-t", "tree", "-w", "--literally", "--stdin"],
            input=b"100644 ok.md\0" + bytes.fromhex(blob) + b"100644 ../evil.md\0" + bytes.fromhex(blob),
            capture_output=True,
            check=True,
        ).stdout.decode()
        assert GitHistory(repository.root).export(tree.strip(), tmp_path / "in" / "side") == 1
        assert [path.name for path in (tmp_path / "in").rglob("*.md")] == ["ok.md"]

    def test_a_folder_without_history(self, tmp_path: Path) -> None:
        with pytest.raises(ImpetusError, match="cannot read the history of"):
            GitHistory(tmp_path / "nowhere")

    def test_a_repository_without_commits(self, tmp_path: Path) -> None:
        made = Repository(tmp_path / "empty")
        with pytest.raises(ImpetusError, match="cannot read the history of"):
            GitHistory(made.root).commits()


@dataclass(frozen=True)
class Found:
    path: str
    start_line: int = 1
    end_line: int = 1


class PathEngine:
    """Finds files by the words of their names: enough to be right sometimes."""

    async def index(self, root: Path) -> None:
        self.files = _python_files(root)

    async def search(self, query: str, root: Path, limit: int) -> Sequence[Passage]:
        return [Found(path) for path in self.files if Path(path).stem in query.split()][:limit]


def _python_files(root: Path) -> list[str]:
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*.py"))


async def test_the_whole_way(repository: Repository, tmp_path: Path) -> None:
    history = GitHistory(repository.root)
    made = make_queries(history, "project")
    # tree.py came after the snapshot, so its commit asks nothing; the rename modified nothing.
    assert [(query.text, query.paths, query.names_file) for query in made.queries] == [
        ("Give up on broken input", ("src/parser.py",), False),
        ("teach the parser about lambdas", ("src/parser.py",), True),
        ("read numbers with underscores", ("src/lexer.py",), False),
    ]
    assert made.snapshot == repository.git("rev-list", "--max-parents=0", "HEAD")

    result = await evaluate_history(PathEngine(), history, "project", tmp_path / "snapshot")
    assert result.queries == 3
    # "parser" finds src/parser.py and tests/parser.py, in this order.
    assert result.ndcg10_file == pytest.approx(1 / 3)
    assert result.by_category == {"describes": 0, "names_file": 1}
    assert (tmp_path / "snapshot/src/lexer.py").read_text() == "one\n"


def test_a_history_without_queries_says_what_it_needs(tmp_path: Path) -> None:
    made = Repository(tmp_path / "young")
    made.commit("start the whole thing here", src_a_py="one\n")
    with pytest.raises(BadRequest, match="four words"):
        make_queries(GitHistory(made.root), "young")
