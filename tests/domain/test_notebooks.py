"""A notebook's Markdown stands line for line where the notebook has it; what is no such notebook stays as it is."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from impetus.domain.notebooks import view


def written(*cells: dict[str, Any], nbformat: int = 4, **metadata: Any) -> bytes:
    """As Jupyter writes it."""
    notebook = {"cells": list(cells), "metadata": metadata, "nbformat": nbformat, "nbformat_minor": 5}
    return (json.dumps(notebook, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()


def code(*lines: str, outputs: list[Any] | None = None) -> dict[str, Any]:
    source = [f"{line}\n" for line in lines[:-1]] + list(lines[-1:])
    return {"cell_type": "code", "execution_count": 1, "metadata": {}, "outputs": outputs or [], "source": source}


def markdown(*lines: str) -> dict[str, Any]:
    return {"cell_type": "markdown", "metadata": {}, "source": [f"{line}\n" for line in lines]}


def test_text_and_code_stand_where_they_stand_in_the_file() -> None:
    output = {"output_type": "display_data", "data": {"image/png": "iVBORw0KGgo" * 99, "text/plain": ["<Figure>"]}}
    data = written(
        markdown("# Prices", "", "What a *desk*, costs."),
        code("import csv", 'print("naïve, [x]")  # ```', outputs=[output]),
        code(),
        language_info={"name": "python"},
    )
    lines, rows = view(data).decode().split("\n"), data.decode().split("\n")
    assert len(lines) == len(rows)
    assert [line for line in lines if line] == [
        "###### cell 1", "# Prices", "What a *desk*, costs.",
        "###### cell 2", "````python", "import csv", 'print("naïve, [x]")  # ```', "````",
        "###### cell 3",
    ]  # fmt: skip
    for line in ("# Prices", "import csv"):
        assert rows[lines.index(line)].strip() == json.dumps(line + "\n") + ","


def test_data_of_outputs_is_never_taken_for_a_cell() -> None:
    data = {"application/json": {"cell_type": "code", "source": ["x"]}}
    found = view(written(code("a", outputs=[{"data": data, "output_type": "display_data"}]), code("b"))).decode()
    assert found.count("###### cell") == 2 and "x" not in found.split("\n")


def test_line_ends_of_windows() -> None:
    data = written(code("a", "b")).replace(b"\n", b"\r\n")
    assert view(data) == view(written(code("a", "b")))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b"[1]",
        b"no json",
        b"[" * 100_000,
        b'{"nbformat": 4, "cells": 1}',
        written(code("a"), nbformat=3),
        json.dumps(json.loads(written(code("a")))).encode(),  # on one line
        written({"cell_type": "code", "source": "a, b\nc"}),  # a cell as one string
        json.dumps({"cells": [{"source": ["a"], "cell_type": "code"}], "nbformat": 4}, indent=1).encode(),
        written(code("a")).replace(b'   "source"', b'     "source"').replace(b'"cell_type"', b'"cell_kind"'),
        b'{"cells": [\n{"cell_type": "code",\n"source": [\n"\\ud800"\n]}], "nbformat": 4}',
    ],
)
def test_what_is_written_in_another_way_stays_as_it_is(data: bytes) -> None:
    assert view(data) == data


@given(st.lists(st.lists(st.text(max_size=20), max_size=4), max_size=4), st.binary(max_size=9), st.integers(0, 400))
def test_it_never_fails_and_keeps_the_lines(cells: list[list[str]], noise: bytes, place: int) -> None:
    data = written(*(code(*(line.replace("\n", "") for line in lines)) for lines in cells))
    assert view(data).count(b"\n") == data.count(b"\n")
    view(data[:place] + noise + data[place:])
