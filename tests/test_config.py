from pathlib import Path

import pytest

from impetus import config
from impetus.errors import BadRequest


def test_later_layers_win() -> None:
    settings, problems = config.resolve({"chat": {"model": "a", "max_tokens": 5}}, {"chat": {"model": "b"}})
    assert (settings.chat.model, settings.chat.max_tokens, problems) == ("b", 5, [])


def test_a_bad_value_leaves_the_default_and_is_reported() -> None:
    settings, problems = config.resolve({"chat": {"temperature": 9, "max_tokens": 5}, "nonsense": {}, "search": 3})
    assert settings.chat.temperature == config.Settings().chat.temperature
    assert settings.chat.max_tokens == 5
    assert len(problems) == 3
    assert "chat.temperature" in problems[0] and "default" in problems[0]


def test_an_unknown_key_is_reported_by_name() -> None:
    assert "'chat.modle'" in config.resolve({"chat": {"modle": "x"}})[1][0]


def test_a_bad_safety_setting_stops() -> None:
    with pytest.raises(BadRequest, match=r"http\.port"):
        config.resolve({"http": {"port": "everywhere"}})


def test_environment() -> None:
    layer = config.environment_layer({"IMPETUS_CHAT_MODEL": "m", "IMPETUS_INDEX_EXCLUDE": "a,b", "OTHER": "x"})
    assert layer == {"chat": {"model": "m"}, "index": {"exclude": ["a", "b"]}}
    settings, problems = config.resolve(layer)
    assert settings.index.exclude == ("a", "b") and not problems


def test_a_settings_file_that_does_not_parse_is_a_clear_error(tmp_path: Path) -> None:
    assert config.file_layer(tmp_path) == {}
    (tmp_path / "settings.toml").write_text("[chat\n")
    with pytest.raises(BadRequest, match=r"settings\.toml"):
        config.file_layer(tmp_path)
