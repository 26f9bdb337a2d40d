"""What counts as a question and its answer, on small files of several languages."""

from training.static_embedder.corpus import SourceFile
from training.static_embedder.dataset import Pair
from training.static_embedder.pairs import CAPS, package_pairs

PYTHON = b'''"""Clients that talk to remote services and survive their moods."""

import time


class RetryPolicy:
    """Decides how long to wait before the next attempt."""

    def next_delay(self, attempt, ceiling):
        """Double the pause with every failure, up to a ceiling."""
        pause = self.base * 2 ** attempt
        # never wait longer than the caller can bear
        if pause > ceiling:
            pause = ceiling
            self.capped += 1
        return pause + self.jitter.random()
'''

GO = b"""package pool

// Acquire takes an idle connection from the pool or dials a new one.
func (p *Pool) Acquire(ctx context.Context) (*Conn, error) {
\tif conn := p.idle.pop(); conn != nil {
\t\treturn conn, nil
\t}
\treturn p.dialer.dial(ctx, p.address)
}
"""


def pairs_of(*files: SourceFile) -> list[Pair]:
    return package_pairs(list(files), seed=1)


def of_kind(pairs: list[Pair], kind: str) -> list[Pair]:
    return [pair for pair in pairs if pair.kind == kind]


def test_documentation_asks_for_the_body_and_is_cut_out_of_it() -> None:
    docs = of_kind(pairs_of(SourceFile("a.py", "python", PYTHON)), "doc")
    pair = next(pair for pair in docs if pair.question.startswith("Double the pause"))
    assert "2 ** attempt" in pair.code
    assert "Double the pause" not in pair.code
    assert pair.code.startswith("RetryPolicy")


def test_comments_above_a_function_are_cut_out_as_well() -> None:
    (pair,) = of_kind(pairs_of(SourceFile("pool.go", "go", GO)), "doc")
    assert "idle connection" in pair.question
    assert "idle connection" not in pair.code
    assert "p.dialer.dial" in pair.code


def test_a_name_asks_for_the_body_without_the_line_that_names_it() -> None:
    names = of_kind(pairs_of(SourceFile("a.py", "python", PYTHON)), "name")
    pair = next(pair for pair in names if "next delay" in pair.question)
    assert "next_delay" not in pair.code
    assert "ceiling" in pair.code


def test_a_comment_asks_for_the_code_below_it() -> None:
    (pair,) = of_kind(pairs_of(SourceFile("a.py", "python", PYTHON)), "comment")
    assert pair.question == "never wait longer than the caller can bear"
    assert pair.code.lstrip().startswith("if pause > ceiling")
    assert "never wait" not in pair.code


def test_a_readme_sentence_asks_for_the_definition_it_names() -> None:
    readme = b"# Retry\n\nUse a `RetryPolicy` when the other side is known to drop connections now and then.\n"
    pairs = of_kind(
        pairs_of(SourceFile("a.py", "python", PYTHON), SourceFile("README.md", "markdown", readme)), "readme"
    )
    assert len(pairs) == 1
    assert "RetryPolicy" not in pairs[0].question
    assert "class RetryPolicy" in pairs[0].code


def test_a_changelog_asks_for_nothing() -> None:
    history = b"Fixed a bug in `RetryPolicy` that made every third connection wait for much too long.\n"
    files = SourceFile("a.py", "python", PYTHON), SourceFile("CHANGELOG.md", "markdown", history)
    assert of_kind(pairs_of(*files), "readme") == []


def test_legal_notices_are_no_questions() -> None:
    legal = PYTHON.replace(b"Double the pause with every failure", b"Copyright 2020 Somebody, all rights reserved")
    docs = of_kind(pairs_of(SourceFile("a.py", "python", legal)), "doc")
    assert not any("Copyright" in pair.question for pair in docs)


def test_copies_of_a_file_count_once() -> None:
    once = pairs_of(SourceFile("a.py", "python", PYTHON))
    twice = pairs_of(SourceFile("a.py", "python", PYTHON), SourceFile("b.py", "python", PYTHON))
    assert len(once) == len(twice)


def test_no_package_gives_more_than_its_share() -> None:
    functions = b"".join(
        b'def work_%d(items):\n    """Number %d of many small pieces of work to be done."""\n'
        b"    total = sum(item.weight for item in items)\n    return total * %d\n\n" % (n, n, n)
        for n in range(CAPS["doc"] + 50)
    )
    assert len(of_kind(pairs_of(SourceFile("many.py", "python", functions)), "doc")) == CAPS["doc"]


def test_the_same_package_gives_the_same_pairs() -> None:
    file = SourceFile("a.py", "python", PYTHON)
    assert pairs_of(file) == pairs_of(file)
