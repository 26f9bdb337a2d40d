"""What editors send as settings, as a layer for `config.resolve`.

Clients nest (`{"chat": {"model": …}}`), dot (`{"chat.model": …}`), wrap both in `impetus`, and send null for "not set".
"""

from collections.abc import Mapping
from typing import Any, Final

SECTION: Final = "impetus"

#: Settings that clients keep under our section for themselves: vscode-languageclient reads `impetus.trace.server`.
CLIENT_SECTIONS: Final = frozenset({"trace"})


def layer_of(sent: object) -> dict[str, Any]:
    """Anything that is not a table of settings counts as none."""
    layer: dict[str, Any] = {}
    for name, value in _unwrapped(sent).items():
        section, _dot, key = str(name).removeprefix(f"{SECTION}.").partition(".")
        if value is None or section in CLIENT_SECTIONS:
            continue
        if key:
            _table(layer, section)[key] = value
        elif isinstance(value, Mapping):
            _table(layer, section).update(_set_only(value))
        else:
            layer[section] = value
    return layer


def merged(*layers: Mapping[str, Any]) -> dict[str, Any]:
    """Later layers win, setting by setting."""
    result: dict[str, Any] = {}
    for layer in layers:
        for section, values in layer.items():
            if isinstance(values, Mapping):
                _table(result, section).update(values)
            else:
                result[section] = values
    return result


def _unwrapped(sent: object) -> Mapping[str, Any]:
    if not isinstance(sent, Mapping):
        return {}
    inner = sent.get(SECTION)
    return inner if isinstance(inner, Mapping) else {key: value for key, value in sent.items() if key != SECTION}


def _set_only(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}


def _table(layer: dict[str, Any], section: str) -> dict[str, Any]:
    if not isinstance(layer.get(section), dict):
        layer[section] = {}
    table: dict[str, Any] = layer[section]
    return table
