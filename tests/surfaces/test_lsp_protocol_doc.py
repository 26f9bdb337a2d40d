"""docs/protocol.md says what the code does: its tables and examples are compared with the classes and tables there."""

import json
import re
from pathlib import Path
from typing import Any, get_args, get_origin

import attrs
import pytest
from lsprotocol.types import Position, Range, TextDocumentIdentifier

from impetus.errors import ContextOverflow, ImpetusError, InsufficientMemory
from impetus.lsp import protocol
from impetus.lsp.failures import from_error
from impetus.lsp.server import NOTIFICATIONS, OWN_REQUESTS, REQUESTS

DOC = (Path(__file__).parents[2] / "docs" / "protocol.md").read_text("utf-8")

NAMES = {str: "string", int: "integer", float: "number", bool: "boolean"}


def camel(name: str) -> str:
    return re.sub(r"_(\w)", lambda match: match[1].upper(), name)


def wire_type(kind: Any) -> str:
    options = [option for option in get_args(kind) if option is not type(None)]
    if get_origin(kind) is tuple:
        return f"{wire_type(options[0])}[]"
    if set(options) == {int, str}:
        return "ProgressToken"
    if options:
        return wire_type(options[0])
    return NAMES.get(kind, kind.__name__)


def fields_of(kind: type[Any]) -> list[tuple[str, str]]:
    fields = attrs.fields(attrs.resolve_types(kind))
    return [(camel(f.name) + ("?" if f.default is not attrs.NOTHING else ""), wire_type(f.type)) for f in fields]


def reachable(*kinds: type[Any]) -> set[type[Any]]:
    """These classes and all of ours that their fields are made of."""
    found: set[type[Any]] = set()
    waiting = list(kinds)
    while waiting:
        kind = waiting.pop()
        if get_args(kind):
            waiting += get_args(kind)
        elif attrs.has(kind) and kind not in (Position, Range, TextDocumentIdentifier) and kind not in found:
            found.add(kind)
            waiting += [field.type for field in attrs.fields(attrs.resolve_types(kind)) if field.type is not None]
    return found


CLASSES = reachable(
    *(kind for pair in protocol.METHODS.values() for kind in pair if kind is not None), *protocol.PARTS.values()
)


def section(title: str) -> str:
    match = re.search(rf"^#+ {title}\n(.*?)(?=^#|\Z)", DOC, re.MULTILINE | re.DOTALL)
    assert match, f"docs/protocol.md has no section {title}"
    return match[1]


def rows(text: str) -> list[list[str]]:
    """The cells of the tables' body rows, code marks taken off."""
    found = []
    for table in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        body = table.splitlines()[2:]
        found += [[cell.strip().strip("`") for cell in line.strip("|").split("|")] for line in body]
    return found


@pytest.mark.parametrize("kind", sorted(CLASSES, key=lambda kind: kind.__name__), ids=lambda kind: kind.__name__)
def test_the_fields_of(kind: type[Any]) -> None:
    assert [(name, type_) for name, type_, _meaning in rows(section(kind.__name__))] == fields_of(kind)


def test_there_is_no_section_about_a_class_that_is_gone() -> None:
    titles = set(re.findall(r"^###+ (\w+)$", DOC, re.MULTILINE)) - {"Streaming"}
    assert titles == {kind.__name__ for kind in CLASSES}


def test_the_methods() -> None:
    def linked(kind: type[Any] | None) -> str:
        return "null" if kind is None else f"[{kind.__name__}](#{kind.__name__.lower()})"

    expected = [[name, linked(params), linked(result)] for name, (params, result) in protocol.METHODS.items()]
    assert [[*row[:2], row[2].removesuffix(" or null")] for row in rows(section("At a glance"))] == expected
    assert protocol.STATUS_CHANGED in DOC


def test_the_methods_of_lsp() -> None:
    documented = [row[0] for row in rows(section("Methods of LSP"))]
    assert documented == [name for name in (*REQUESTS, *NOTIFICATIONS) if name not in OWN_REQUESTS]


def test_the_errors() -> None:
    def below(kind: type[ImpetusError]) -> set[type[ImpetusError]]:
        return {kind}.union(*map(below, kind.__subclasses__()))

    documented = {row[0]: int(row[1]) for row in rows(section("Errors"))}
    figures = {ContextOverflow: (1, 2), InsufficientMemory: ("big", 3, 2)}
    made = [kind(*figures.get(kind, ("x",))) for kind in below(ImpetusError) - {ImpetusError}]
    assert documented == {type(error).__name__: from_error(error).code for error in made}


def test_the_examples() -> None:
    """Every message shown is one that the code reads or writes."""
    asked: dict[int, type[Any] | None] = {}
    shown = 0
    for line in re.findall(r"^[→←] (.*)$", DOC, re.MULTILINE):
        message = json.loads(line)
        method = message.get("method")
        shown += 1
        if method in protocol.METHODS:
            params, asked[message["id"]] = protocol.METHODS[method]
            _exactly(message["params"], params)
        elif method == "workspace/executeCommand":
            params, asked[message["id"]] = protocol.METHODS[message["params"]["command"].replace(".", "/")]
            _exactly(message["params"]["arguments"][0], params)
        elif method == "$/progress":
            _exactly(message["params"]["value"], protocol.PARTS[message["params"]["value"]["kind"]])
        else:
            result = asked[message["id"]]
            assert result is not None
            _exactly(message["result"], result)
    assert shown == 8


def _exactly(shown: Any, kind: type[Any]) -> None:
    converter = protocol.converter()
    assert converter.unstructure(converter.structure(shown, kind)) == shown
