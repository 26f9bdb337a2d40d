"""What a path says of its file: a test, an example, generated, a declaration. By the usual names, in any language."""

import re
from dataclasses import dataclass
from functools import lru_cache

#: `test_x` is a test only in languages that name tests so; `test_functions.bash` is a library.
_TEST = re.compile(
    r"(^|/)(tests?|testing|testdata|specs?|__tests__|__mocks__|fixtures?|mocks?|e2e)(/|$)"
    r"|(^|/)(test_[^/]*\.(py|rb|c|cc|cpp|lua)|conftest\.py"
    r"|[^/]*(_test|_tests|_spec|\.test|\.spec|-test|Tests?|Spec)\.[a-z]+)$"
)
_EXAMPLE = re.compile(
    r"(^|/)(examples?|samples?|demos?|bench|benches|benchmarks?|docs?|sandbox|[^/]*playgrounds?"
    r"|compat|legacy|deprecated|vendor|_vendor|third_party)(/|$)",
    re.IGNORECASE,
)
_GENERATED = re.compile(
    r"(^|/)(dist|out|gen|generated|__generated__|snapshots?|__snapshots__)(/|$)"
    r"|\.(min|generated|g|pb)\.[a-z]+$|_pb2\.py$"
)
_DECLARATION = re.compile(r"\.d\.[cm]?ts$|\.pyi$")
_INDEX = re.compile(r"(^|/)(__init__\.py|index\.[cm]?[jt]sx?|mod\.rs|lib\.rs|package-info\.java)$")


@dataclass(frozen=True, slots=True)
class KindOfPath:
    test: bool
    example: bool  # also benchmarks, documentation, and what is kept for others' sake: vendored, legacy, compatibility
    generated: bool  # written by a program: build output, snapshots, minified and protocol code
    declaration: bool  # types without the code: `.d.ts`, `.pyi`


@lru_cache(maxsize=16_384)
def kind_of(path: str) -> KindOfPath:
    return KindOfPath(
        _TEST.search(path) is not None,
        _EXAMPLE.search(path) is not None,
        _GENERATED.search(path) is not None,
        _DECLARATION.search(path) is not None,
    )


@lru_cache(maxsize=16_384)
def is_index(path: str) -> bool:
    """A file that stands for its folder, so that the folder's name says what it is about."""
    return _INDEX.search(path) is not None
