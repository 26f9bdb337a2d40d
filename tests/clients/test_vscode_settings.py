"""The settings in the extension's package.json are those of the server."""

import json
import subprocess
import sys
from pathlib import Path

CLIENT = Path(__file__).resolve().parents[2] / "clients" / "vscode"


def test_package_json_is_generated_from_config() -> None:
    script = CLIENT / "scripts" / "settings.py"
    checked = subprocess.run([sys.executable, str(script), "--check"], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr


def test_where_code_goes_is_never_read_from_a_workspace() -> None:
    package = json.loads((CLIENT / "package.json").read_text("utf-8"))
    properties: dict[str, dict[str, object]] = {}
    for category in package["contributes"]["configuration"]:
        properties |= category["properties"]
    sends = [name for name in properties if name.rpartition(".")[2] in ("base_url", "api_key_env")]
    assert len(sends) >= 4
    for name in [*sends, "impetus.server.command"]:
        assert properties[name]["scope"] == "machine", name
    restricted = package["capabilities"]["untrustedWorkspaces"]["restrictedConfigurations"]
    assert {"impetus.chat.model", "impetus.completion.model"} <= set(restricted)
