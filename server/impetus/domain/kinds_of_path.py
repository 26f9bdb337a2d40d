"""What a path says of its file: a test, an example, generated, a declaration. By the usual names, in any language."""

import re
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


@lru_cache(maxsize=16_384)
def is_test(path: str) -> bool:
    return _TEST.search(path) is not None


@lru_cache(maxsize=16_384)
def is_example(path: str) -> bool:
    """Also benchmarks, documentation, and what is kept for others' sake: vendored, legacy, compatibility."""
    return _EXAMPLE.search(path) is not None


@lru_cache(maxsize=16_384)
def is_generated(path: str) -> bool:
    """Written by a program: build output, snapshots, minified and protocol code."""
    return _GENERATED.search(path) is not None


@lru_cache(maxsize=16_384)
def is_declaration(path: str) -> bool:
    """Types without the code: `.d.ts`, `.pyi`."""
    return _DECLARATION.search(path) is not None


@lru_cache(maxsize=16_384)
def is_index(path: str) -> bool:
    """A file that stands for its folder, so that the folder's name says what it is about."""
    return _INDEX.search(path) is not None
