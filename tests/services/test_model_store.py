"""Models on this machine and the catalogue: what is listed, used, deleted and recommended."""

import json
import tomllib
from pathlib import Path

import pytest
from tests.support.tiny_encoder import write_encoder

from impetus.adapters.settings_file import SettingsFile
from impetus.app_models import catalogue
from impetus.config import Settings, resolve
from impetus.domain.fim import FORMATS
from impetus.domain.hardware import Hardware
from impetus.domain.model_catalogue import ROLES, recommended
from impetus.errors import BadRequest, NotFound
from impetus.services.model_store import ModelStore


class Home:
    def __init__(self, path: Path) -> None:
        self.models = path / "models"
        self.file = path / "settings.toml"

    def add(self, name: str, role: str = "", **origin: str) -> Path:
        folder = self.models / name
        folder.mkdir(parents=True)
        (folder / "config.json").write_text('{"model_type": "qwen3"}')
        (folder / "model.safetensors").write_bytes(b"x" * 1000)
        if role or origin:
            (folder / "impetus.json").write_text(json.dumps({"role": role, **origin}))
        return folder

    @property
    def store(self) -> ModelStore:
        settings, problems = resolve(tomllib.loads(self.file.read_text()) if self.file.exists() else {})
        assert not problems
        return ModelStore(self.models, catalogue(), settings, SettingsFile(self.file))


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def test_what_is_here_is_listed_with_what_is_known(home: Home) -> None:
    assert home.store.installed() == ()
    home.add("qwen2.5-coder-7b")
    home.add("mine", "chat", repo="owner/Mine", license="mit")
    write_encoder(home.models / "encoder")
    (home.models / ".half.part").mkdir()
    (home.models / "empty").mkdir()
    adapter = home.models / "style"
    adapter.mkdir()
    (adapter / "adapter_config.json").write_text('{"model": "owner/Mine"}')
    found = {model.name: model for model in home.store.installed()}
    assert {name: model.role for name, model in found.items()} == {
        "encoder": "embedding",
        "mine": "chat",
        "qwen2.5-coder-7b": "completion",
        "style": None,
    }
    assert (found["mine"].repo, found["mine"].license) == ("owner/Mine", "mit")
    assert found["qwen2.5-coder-7b"].nbytes == 1000 + len('{"model_type": "qwen3"}')


def test_a_model_is_put_to_use_in_the_settings_file(home: Home) -> None:
    folder = home.add("qwen2.5-coder-7b")
    home.file.write_text("# mine\n[completion]\nmax_tokens = 32  # short\n\n[chat]\nmodel = 'x'\n")
    assert home.store.use("qwen2.5-coder-7b") == "completion"
    text = home.file.read_text()
    assert "# mine\n" in text and "# short" in text and "model = 'x'" in text
    assert tomllib.loads(text)["completion"] == {"max_tokens": 32, "model": str(folder)}
    (model,) = home.store.installed()
    assert model.used_for == ("completion",)


def test_a_home_without_settings_gets_some(home: Home) -> None:
    home.add("mine", "chat")
    home.store.use("mine")
    assert list(tomllib.loads(home.file.read_text())) == ["chat"]


def test_a_model_may_do_the_work_of_another_role(home: Home) -> None:
    home.add("qwen3-coder-30b")
    assert home.store.use("qwen3-coder-30b", "completion") == "completion"
    home.store.use("qwen3-coder-30b")
    assert home.store.installed()[0].used_for == ("completion", "chat")


def test_a_model_of_unknown_use_has_to_be_told(home: Home) -> None:
    home.add("mine")
    with pytest.raises(BadRequest, match="--role"):
        home.store.use("mine")
    assert home.store.use("mine", "chat") == "chat"


def test_an_encoder_does_not_chat(home: Home) -> None:
    write_encoder(home.models / "encoder")
    with pytest.raises(BadRequest, match="is a model for embedding"):
        home.store.use("encoder", "chat")
    home.add("mine", "chat")
    with pytest.raises(BadRequest, match="is a model for chat"):
        home.store.use("mine", "embedding")


def test_broken_settings_are_left_alone(home: Home) -> None:
    home.add("mine", "chat")
    store = home.store
    home.file.write_text("[chat\n")
    with pytest.raises(BadRequest, match="Mend or delete it"):
        store.use("mine")
    assert home.file.read_text() == "[chat\n"


def test_a_model_in_use_is_not_deleted(home: Home) -> None:
    home.add("mine", "chat")
    home.store.use("mine")
    with pytest.raises(BadRequest, match="is used for chat"):
        home.store.remove("mine")
    home.file.unlink()
    assert home.store.remove("mine").name == "mine"
    assert home.store.installed() == ()
    with pytest.raises(NotFound, match="impetus models list"):
        home.store.remove("mine")


def test_names_cannot_leave_the_folder(home: Home) -> None:
    home.add("mine", "chat")
    for name in ("..", "../models", ".", "", str(home.models)):
        with pytest.raises(NotFound):
            home.store.remove(name)
    assert home.models.exists()


def test_a_model_of_a_server_uses_no_folder(home: Home) -> None:
    folder = home.add("mine", "chat")
    settings = Settings.model_validate({"chat": {"model": str(folder), "base_url": "http://127.0.0.1:1/v1"}})
    assert ModelStore(home.models, catalogue(), settings, SettingsFile(home.file)).installed()[0].used_for == ()


# -- the catalogue -----------------------------------------------------------------------------------------------------


def test_the_catalogue_makes_sense() -> None:
    models = catalogue()
    assert len({model.name for model in models}) == len(models)
    for model in models:
        assert model.role in ROLES
        assert model.repo.count("/") == 1
        assert model.memory_gb in (8, 16, 32, 64)
        assert model.gigabytes < model.memory_gb * 0.75, "a model leaves a quarter of the memory to others"
        assert not model.fim or model.fim in {form.name for form in FORMATS}
        assert model.fim or model.role != "completion"
        assert model.license in ("Apache-2.0", "MIT")


@pytest.mark.parametrize(
    ("gigabytes", "completion", "chat"),
    [
        (8, "qwen2.5-coder-1.5b", "qwen2.5-coder-1.5b-instruct"),
        (16, "qwen2.5-coder-7b", "qwen3-4b-instruct"),
        (24, "qwen2.5-coder-7b", "qwen3-4b-instruct"),
        (36, "qwen2.5-coder-7b-8bit", "qwen2.5-coder-14b-instruct"),
        (128, "qwen2.5-coder-7b-8bit", "qwen3-coder-30b"),
    ],
)
def test_what_suits_a_mac(gigabytes: int, completion: str, chat: str) -> None:
    mac = Hardware("Darwin", chip="Apple M3", memory_bytes=gigabytes << 30)
    suited = recommended(catalogue(), mac)
    assert (suited["completion"].name, suited["chat"].name) == (completion, chat)
    assert suited["embedding"].name == "coderankembed"


def test_nothing_suits_a_machine_without_a_gpu_or_of_unknown_memory() -> None:
    assert recommended(catalogue(), Hardware("Linux", chip="Some Processor", memory_bytes=64 << 30)) == {}
    assert recommended(catalogue(), Hardware("Darwin", chip="Apple M3")) == {}
    assert recommended(catalogue(), Hardware("Darwin", chip="Apple M3", memory_bytes=4 << 30)) == {}
