"""What a path says of its file: a test, an example, generated, a declaration. By the usual names, in any language."""

import re
from functools import lru_cache
from typing import NamedTuple

_TESTS = {"test", "tests", "testing", "testdata", "spec", "specs", "__tests__", "__mocks__", "fixture", "fixtures"}
_TESTS |= {"mock", "mocks", "e2e"}
#: `test_x` is a test only in languages whose runners look for that name; elsewhere it may be what tests are made with.
_TEST = re.compile(
    r"test_.*\.(py|rb|c|cc|cpp|lua)$|conftest\.py$|.*(_test|_tests|_spec|\.test|\.spec|-test|Tests?|Spec)\.[a-z]+$"
)
#: In any case of letters.
_EXAMPLES = {"example", "examples", "sample", "samples", "demo", "demos", "bench", "benches", "benchmark", "benchmarks"}
_EXAMPLES |= {"doc", "docs", "sandbox", "compat", "legacy", "deprecated", "vendor", "_vendor", "third_party"}
_PLAYGROUND = re.compile(r"playgrounds?(/|$)")
_GENERATED_FOLDERS = {"dist", "out", "gen", "generated", "__generated__", "snapshot", "snapshots", "__snapshots__"}
_GENERATED = re.compile(r".*(\.(min|generated|g|pb)\.[a-z]+|_pb2\.py)$")
_DECLARATION = (".d.ts", ".d.mts", ".d.cts", ".pyi")
_INDEX = re.compile(r"__init__\.py|index\.[cm]?[jt]sx?|mod\.rs|lib\.rs|package-info\.java")


class KindOfPath(NamedTuple):
    test: bool
    example: bool  # also benchmarks, documentation, and what is kept for others' sake: vendored, legacy, compatibility
    generated: bool  # written by a program: build output, snapshots, minified and protocol code
    declaration: bool  # types without the code: `.d.ts`, `.pyi`


@lru_cache(maxsize=16_384)
def kind_of(path: str) -> KindOfPath:
    parts = path.split("/")
    lower = path.lower()
    return KindOfPath(
        not _TESTS.isdisjoint(parts) or _TEST.match(parts[-1]) is not None,
        not _EXAMPLES.isdisjoint(lower.split("/")) or _PLAYGROUND.search(lower) is not None,
        not _GENERATED_FOLDERS.isdisjoint(parts) or _GENERATED.match(parts[-1]) is not None,
        path.endswith(_DECLARATION),
    )


@lru_cache(maxsize=16_384)
def is_index(path: str) -> bool:
    """A file that stands for its folder, so that the folder's name says what it is about."""
    return _INDEX.fullmatch(path.rpartition("/")[2]) is not None
