import pytest
from hypothesis import given
from hypothesis import strategies as st

from impetus.domain.query import Kind, parse


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("TokenBucket", Kind.SYMBOL),
        ("Session.send", Kind.SYMBOL),
        ("std::vec::Vec", Kind.SYMBOL),
        ("parse_url()", Kind.SYMBOL),
        ("os.path", Kind.SYMBOL),
        ("utils.py", Kind.PATH),
        ("src/foo/bar.ts", Kind.PATH),
        ("where is HTTPAdapter used", Kind.MIXED),
        ("call parse_url from main", Kind.MIXED),
        ("how does the retry work", Kind.PROSE),
        ('Traceback (most recent call last):\n  File "a.py", line 3, in f\nValueError: bad', Kind.ERROR),
        ("thread 'main' panicked at src/lib.rs:10:5", Kind.ERROR),
    ],
)
def test_kind(text: str, kind: Kind) -> None:
    assert parse(text).kind is kind


def test_identifiers_and_qualifiers() -> None:
    query = parse("Session.send")
    assert query.identifiers == ("send",)
    assert query.qualifiers == ("Session",)


def test_words_that_only_make_a_question_are_left_out() -> None:
    assert parse("how does the retry work").terms == ("retry",)
    assert parse("what is this").terms == ("what", "is", "this"), "a query of nothing else still searches"


def test_files_of_a_stack_trace_are_found() -> None:
    assert "pkg/mod.py" in parse('Traceback (most recent call last):\n  File "pkg/mod.py", line 3, in f').paths


def test_wishes_for_tests_and_examples() -> None:
    assert parse("tests of the parser").wants_tests
    assert parse("example of a client").wants_examples
    assert not parse("latest parser").wants_tests


@pytest.mark.parametrize(
    "text",
    [
        "What dependencies does the project have?",
        "how do I install it",
        "How can we run the tests?",
        "Which license is this under?",
        "docs of the parser",
    ],
)
def test_wishes_for_documentation_and_data(text: str) -> None:
    assert parse(text).wants_prose


@pytest.mark.parametrize(
    "text",
    ["how does the project loader work", "explain the project config", "install hook", "How do I parse a header?"],
)
def test_code_is_asked_for_where_nothing_else_is(text: str) -> None:
    assert not parse(text).wants_overview
    assert not parse(text).wants_prose


@pytest.mark.parametrize(
    "text",
    [
        "What is this project about?",
        "what does this repo do",
        "What does the project do?",
        "Summarize the codebase",
        "purpose of our project",
    ],
)
def test_wishes_for_an_overview(text: str) -> None:
    assert parse(text).wants_overview
    assert parse(text).wants_prose


def test_a_test_runner_speaks_of_tests_without_asking_for_them() -> None:
    assert not parse("how a test is retried").wants_tests
    assert not parse("collect test results").wants_tests
    assert parse("unit tests of the parser").wants_tests
    assert parse("test_parse_header").wants_tests


@pytest.mark.parametrize(
    ("text", "frame"),
    [
        ('  File "C:\\app\\Mod.py", line 31, in f', ("app/mod.py", 31)),
        ("    at run (src/main.js:10:5)", ("src/main.js", 10)),
        ("\tat com.acme.Foo.bar(Foo.java:77)", ("foo.java", 77)),
        ("panicked at src/lib.rs:8:1:", ("src/lib.rs", 8)),
    ],
)
def test_frames_of_stack_traces(text: str, frame: tuple[str, int]) -> None:
    assert frame in parse(text).frames


def test_a_pasted_log_is_looked_up_by_its_first_words() -> None:
    assert len(parse(" ".join(f"word{chr(97 + i % 26)}{chr(97 + i // 26)}" for i in range(300))).terms) == 64
    frames = (f'  File "/srv/app/module_{i}.py", line {i}, in Handler_{i}.call_{i}' for i in range(300))
    log = parse("\n".join(["Traceback (most recent call last):", *frames]))
    assert log.frames[0] == ("srv/app/module_0.py", 0)
    assert len(log.frames) == len(log.paths) == len(log.identifiers) == len(log.qualifiers) == 16


@given(st.text(max_size=200))
def test_never_fails(text: str) -> None:
    query = parse(text)
    assert len(set(query.terms)) == len(query.terms)
