"""Definitions know their place, their signature and their documentation; references know what they lie in."""

from impetus.domain.chunking import analyse
from impetus.domain.types import Definition, Outline


def outline(text: str, language: str = "python") -> Outline:
    return analyse(text.encode(), language).outline


def only(text: str, language: str = "python") -> Definition:
    (definition,) = outline(text, language).definitions
    return definition


def test_range_holds_comments_and_decorators_and_the_name_has_its_line() -> None:
    item = only("x()\n\n# Why.\n@wrap\n@other(1)\ndef f():\n    pass\n")
    assert (item.start_line, item.name_line, item.end_line) == (3, 6, 7)
    assert item.doc == "Why."


def test_a_comment_of_something_else_is_not_taken() -> None:
    assert only("# Far away.\n\ndef f():\n    pass\n").doc == ""
    assert only("call()  # About the call.\ndef f():\n    pass\n").doc == ""


def test_signature_is_one_line_without_the_body_and_bounded() -> None:
    item = only("def f(\n    first: int,\n    second: str,\n) -> None:\n    pass\n")
    assert item.signature == "def f( first: int, second: str, ) -> None:"
    long = only(f"def f({', '.join(f'name_{number}' for number in range(99))}):\n    pass\n")
    assert len(long.signature) == 200
    assert long.signature.endswith("…")


def test_documentation_is_the_first_paragraph() -> None:
    item = only('def f():\n    """Do one thing,\n    and well.\n\n    More.\n    """\n')
    assert item.doc == "Do one thing, and well."
    assert len(only(f'def f():\n    """{"word " * 200}"""\n').doc) == 400


def test_documentation_loses_its_marks() -> None:
    assert only("/**\n * Runs.\n * @param x it\n */\nfunction f(x) {}\n", "javascript").doc == "Runs."
    assert only("/// Runs.\n#[inline]\nfn f() {}\n", "rust").doc == "Runs."
    assert only("-- | Runs.\nf x = x\n", "haskell").doc == "Runs."
    assert only("# Runs #1.\nf() { :; }\n", "bash").doc == "Runs #1."


def test_scope_names_the_enclosing_definitions() -> None:
    found = outline("class A:\n    class B:\n        def m(self):\n            def inner():\n                go()\n")
    assert [(item.scope, item.name, item.kind) for item in found.definitions] == [
        ((), "A", "class"),
        (("A",), "B", "class"),
        (("A", "B"), "m", "method"),
        (("A", "B", "m"), "inner", "function"),
    ]
    assert [(item.name, item.within) for item in found.references] == [("go", "A.B.m.inner")]


def test_a_name_counts_once_a_line_and_a_definition_is_no_reference_to_itself() -> None:
    found = outline("struct Node { next: Option<Node>, other: Box<Node> }\n", "rust")
    assert [(item.name, item.kind) for item in found.references] == [("Node", "type")]


def test_receiver_and_impl_give_the_scope() -> None:
    assert only("package p\nfunc (s *Server) Start() {}\n", "go").scope == ("Server",)
    assert only("impl Server {\n    fn start() {}\n}\n", "rust").scope == ("Server",)
    assert only("void Server::start() {}\n", "cpp").scope == ("Server",)


def test_broken_code_has_a_partial_outline() -> None:
    names = {
        item.name
        for item in outline("def f(:\n    pass\n\n\nclass Whole:\n    def m(self):\n        return 1\n").definitions
    }
    assert {"Whole", "m"} <= names
