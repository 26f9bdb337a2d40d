"""The client that docs/clients.md shows works as it stands there."""

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.clients.project import environment, stop_engine

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "clients.md"

PRICE = '''RATES = {"de": 0.19}


def gross(net: float, country: str) -> float:
    """A price with the tax of the country."""
    return net * (1 + RATES[country])
'''


def test_the_documented_client_asks_and_cites(tmp_path: Path) -> None:
    (source,) = re.findall(r"^```python\n(.*?)^```$", DOCUMENT.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    client = tmp_path / "client.py"
    client.write_text(source, "utf-8")
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    (workspace / "price.py").write_text(PRICE, "utf-8")
    command = [sys.executable, str(client), str(workspace), "How is the gross price computed?"]
    server = [sys.executable, "-m", "impetus", "lsp"]
    environ = {**os.environ, **environment(), "IMPETUS_HOME": str(tmp_path / "home")}
    ended = subprocess.run([*command, *server], env=environ, capture_output=True, text=True, timeout=120, check=False)
    stop_engine(tmp_path / "home")
    assert ended.returncode == 0, ended.stderr
    assert "`price.py`" in ended.stdout
    assert ended.stdout.endswith("[1] price.py:1\n")
