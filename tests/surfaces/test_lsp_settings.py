"""Settings as editors send them."""

import pytest

from impetus import config
from impetus.lsp.settings import layer_of, merged


@pytest.mark.parametrize(
    "sent",
    [
        {"chat": {"model": "m"}, "index": {"watch": False}},
        {"chat.model": "m", "index.watch": False},
        {"impetus": {"chat": {"model": "m"}, "index.watch": False}},
        {"impetus.chat.model": "m", "impetus.index.watch": False},
        {"chat": {"model": "m", "base_url": None}, "index": {"watch": False}, "http": None},
        {"chat": {"model": "m"}, "index": {"watch": False}, "trace": {"server": "verbose"}},
    ],
)
def test_forms(sent: object) -> None:
    layer = layer_of(sent)
    assert layer == {"chat": {"model": "m"}, "index": {"watch": False}}
    settings, problems = config.resolve(layer)
    assert (settings.chat.model, settings.index.watch, problems) == ("m", False, [])


@pytest.mark.parametrize("sent", [None, [], "x", 5, True, {}, {"impetus": None}, {"impetus": {}}])
def test_nothing_is_no_settings(sent: object) -> None:
    assert layer_of(sent) == {}


def test_a_mistake_is_kept_for_config_to_report() -> None:
    _settings, problems = config.resolve(layer_of({"chat": 5, "chatt.model": "x", "index": {"watch": "perhaps"}}))
    assert len(problems) == 3


def test_later_layers_win_setting_by_setting() -> None:
    first = {"chat": {"model": "a", "max_tokens": 5}}
    assert merged(first, {"chat": {"model": "b"}}) == {"chat": {"model": "b", "max_tokens": 5}}
    assert first == {"chat": {"model": "a", "max_tokens": 5}}
