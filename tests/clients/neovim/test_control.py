"""The negative control: with a server that answers wrongly, tests of this suite fail."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.clients.neovim.conftest import EDITORS

HERE = Path(__file__).parent

#: One test of each thing that a server does, by what a wrong one cannot pass.
TESTS = (
    "test_answers.py::test_the_code_at_the_cursor_is_explained",
    "test_answers.py::test_code_actions_show_their_results",
    "test_ghost.py::test_the_whole_is_accepted",
    "test_life.py::test_the_first_index_shows_its_progress",
    "test_life.py::test_settings_apply_at_once",
    "test_search.py::test_hits_fill_the_quickfix_list",
)


@pytest.mark.skipif("IMPETUS_TEST_SERVER" in os.environ, reason="this is the control")
def test_a_wrong_server_fails_the_suite() -> None:
    wrong = {"IMPETUS_TEST_SERVER": str(HERE.parent / "wrong_server.py"), "IMPETUS_TEST_PATIENCE": "4"}
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *(str(HERE / test) for test in TESTS)],
        env={**os.environ, **wrong, "IMPETUS_NVIM": str(EDITORS[0])},
        cwd=HERE.parents[2],
        capture_output=True,
        text=True,
    )
    assert f"{len(TESTS)} failed" in ran.stdout, ran.stdout
    assert " passed" not in ran.stdout
