"""What a completion must not do to its document."""

import pytest

from impetus.domain.breakage import breaks


def broken(marked: str, completion: str, language: str) -> bool:
    return breaks(marked.replace("|", "", 1), marked.index("|"), completion, language)


def test_syntax_errors_that_were_not_there_are_seen() -> None:
    assert not broken("x = |\ny = 2\n", "1", "python")
    assert broken("x = 1\n|", "def def (:\n", "python")
    assert not broken("x = 1\n|", "def def (:\n", "text")


ARGUMENTS = """
static bool Found(string_view text, Delimiter d, int expected) {
  return Starts(text, d, 0, expected) &&
         Starts(leading + std::string(text), d,
                leading|
                expected + leading.length());
}
"""
NAMESPACE = """
namespace absl {
inline bool Parse(int* out) {
  return parse(out);
}

ABSL_NAMESPAC|
}  // namespace absl
"""


MATCHES = "function path(name) {\n  return all(/\\w+/g,|\n    return match[0];\n  });\n}\n"


@pytest.mark.parametrize(
    ("marked", "completion", "language", "expected"),
    [
        (MATCHES, " name);", "javascript", True),
        (MATCHES, " (match) => {", "javascript", False),
        (ARGUMENTS, " + expected);", "cpp", True),
        (ARGUMENTS, ".length(),", "cpp", False),
        (NAMESPACE, "ES = {", "cpp", True),
        ("x = foo(a|)\n", ", (b)", "python", False),
        ("x = foo(a|\n", ", b)", "python", False),
        ("x = foo(a)|\n", ")", "python", True),
        ('print("(|")\n', ":)", "python", False),
        ("case $x in\none) a=(b|\n;;\ntwo) c;;\nesac\n", ")", "bash", False),
    ],
)
def test_brackets_without_a_partner_are_seen(marked: str, completion: str, language: str, expected: bool) -> None:
    assert broken(marked, completion, language) is expected
