"""Notebooks of a workspace, from file to hit: by cell, at the lines of the file, whatever pictures they hold."""

import base64
import json
import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from impetus.app import create_engine
from impetus.config import resolve
from impetus.domain.types import Hit, SearchQuery
from impetus.services.session import Session

PICTURE = base64.b64encode(random.Random(1).randbytes(20_000)).decode()
NOTEBOOK = {
    "cells": [
        {"cell_type": "markdown", "metadata": {}, "source": ["# Forecast\n", "\n", "How much rain falls."]},
        {
            "cell_type": "code",
            "execution_count": 1,
            "metadata": {},
            "outputs": [{"output_type": "display_data", "data": {"image/png": PICTURE}, "metadata": {}}],
            "source": [
                "def plot_rainfall(stations):\n",
                "    for station in stations:\n",
                "        draw(station.rain)",
            ],
        },
        {
            "cell_type": "code",
            "execution_count": 2,
            "metadata": {},
            "outputs": [{"name": "stdout", "output_type": "stream", "text": ["saved everything somewhere\n"]}],
            "source": ["def save_forecast(path):\n", "    path.write_text(forecast)"],
        },
    ],
    "metadata": {"language_info": {"name": "python"}},
    "nbformat": 4,
    "nbformat_minor": 5,
}


@pytest.fixture
async def session(root: Path, tmp_path: Path) -> AsyncIterator[Session]:
    (root / "rain.ipynb").write_text(json.dumps(NOTEBOOK, indent=1, sort_keys=True))
    engine = await create_engine(resolve({"index": {"watch": False}})[0], home=tmp_path / "home")
    made = Session(engine)
    await made.open_root(root)
    await made.indexed()
    yield made
    await made.close()
    await engine.close()


async def first(session: Session, query: str) -> Hit:
    hit, *_others = await session.search(SearchQuery(query))
    return hit


async def test_code_of_a_cell_is_found_where_the_file_has_it(session: Session, root: Path) -> None:
    hit = await first(session, "save_forecast")
    assert (hit.path, hit.language) == ("rain.ipynb", "markdown")
    rows = (root / hit.path).read_text().split("\n")
    shown = hit.text.split("\n")
    assert hit.start_line + len(shown) - 1 <= hit.end_line
    place = shown.index("def save_forecast(path):")
    assert rows[hit.start_line - 1 + place].strip() == '"def save_forecast(path):\\n",'
    assert any(line.startswith("###### cell ") for line in shown[:place])


async def test_pictures_and_output_are_not_searched(session: Session) -> None:
    assert await session.search(SearchQuery(PICTURE[:30])) == []
    assert all("somewhere" not in hit.text for hit in await session.search(SearchQuery("saved everything somewhere")))


async def test_a_changed_notebook_is_found_as_it_is_now(session: Session, root: Path) -> None:
    changed = json.dumps(NOTEBOOK, indent=1, sort_keys=True).replace("save_forecast", "store_forecast")
    (root / "rain.ipynb").write_text(changed)
    session.note([root / "rain.ipynb"])
    await session.indexed()
    assert "store_forecast" in (await first(session, "store_forecast")).text
