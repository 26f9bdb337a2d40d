"""Writes the server's settings into package.json, with the same names, types, limits and words.

python clients/vscode/scripts/settings.py           writes
python clients/vscode/scripts/settings.py --check   exit code 1 when package.json is out of date
"""

import json
import sys
from pathlib import Path
from typing import Any

from impetus.config import Settings

PACKAGE = Path(__file__).resolve().parent.parent / "package.json"

#: Where code goes and which key goes with it is never taken from a repository's settings, trusted or not.
MACHINE = {"base_url", "api_key_env", "chroma_url", "chroma_key_env"}

#: Taken from a repository's settings only once the person trusts it.
RESTRICTED = {"model"}

#: What only the extension reads; the server is never sent these.
CLIENT: dict[str, dict[str, Any]] = {
    "impetus.server.command": {
        "type": "array",
        "items": {"type": "string"},
        "default": [],
        "scope": "machine",
        "markdownDescription": "The program that is the server, with arguments that come before `lsp`. "
        "Empty: `impetus` on the PATH.",
    },
    "impetus.hover.enable": {
        "type": "boolean",
        "default": True,
        "markdownDescription": "Show where a name is defined, from the index, when the mouse rests on it.",
    },
    "impetus.trace.server": {
        "type": "string",
        "enum": ["off", "messages", "verbose"],
        "default": "off",
        "markdownDescription": "Write the messages between the editor and the server into the log.",
    },
}

_KEPT = ("type", "enum", "items", "default", "minimum", "maximum")


def categories() -> list[dict[str, Any]]:
    """`contributes.configuration`: one category for each section of the server, and one for the extension."""
    schema = Settings.model_json_schema()
    found = []
    for section, reference in schema["properties"].items():
        fields = schema["$defs"][reference["$ref"].rpartition("/")[2]]["properties"]
        properties = {f"impetus.{section}.{name}": _property(section, name, field) for name, field in fields.items()}
        found.append({"title": section.capitalize() if section != "http" else "HTTP", "properties": properties})
    return [*found, {"title": "Editor", "properties": CLIENT}]


def _property(section: str, name: str, field: dict[str, Any]) -> dict[str, Any]:
    kept = {key: field[key] for key in _KEPT if key in field}
    if "const" in field:
        kept |= {"type": "string", "enum": [field["const"]]}
    if section == "http" or name in MACHINE:
        kept["scope"] = "machine"
    return {**kept, "markdownDescription": field["description"]}


def restricted() -> list[str]:
    names = [name for category in categories() for name in category["properties"]]
    return [name for name in names if name.rpartition(".")[2] in RESTRICTED]


def updated(text: str) -> str:
    package = json.loads(text)
    package["contributes"]["configuration"] = categories()
    package["capabilities"]["untrustedWorkspaces"]["restrictedConfigurations"] = restricted()
    return json.dumps(package, indent=2, ensure_ascii=False) + "\n"


def main(arguments: list[str]) -> int:
    text = PACKAGE.read_text("utf-8")
    if "--check" in arguments:
        if text == updated(text):
            return 0
        sys.stderr.write("package.json is out of date; run: python clients/vscode/scripts/settings.py\n")
        return 1
    PACKAGE.write_text(updated(text), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
