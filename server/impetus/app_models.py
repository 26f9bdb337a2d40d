"""The composition root's part of `impetus models`: the models on this machine, the catalogue and the Hub."""

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path

from impetus import config
from impetus.adapters import machine
from impetus.adapters.hub import Hub
from impetus.adapters.mlx_convert import quantize
from impetus.adapters.settings_file import SettingsFile
from impetus.config import Settings
from impetus.domain.model_catalogue import CatalogueModel, Role, parse, recommended
from impetus.domain.ports import Machine
from impetus.services.doctor import CheckResult, good
from impetus.services.model_pull import ModelPuller
from impetus.services.model_store import ModelStore


@dataclass(frozen=True, slots=True)
class ModelTools:
    store: ModelStore
    puller: ModelPuller
    machine: Machine

    def recommended(self) -> dict[Role, CatalogueModel]:
        return recommended(self.store.catalogue, self.machine.hardware())


@cache
def catalogue() -> tuple[CatalogueModel, ...]:
    return parse((files("impetus") / "data" / "catalogue.toml").read_text("utf-8"))


def models_folder(home: Path) -> Path:
    return home / "models"


def model_tools(settings: Settings) -> ModelTools:
    home = config.home()
    store = ModelStore(models_folder(home), catalogue(), settings, SettingsFile(home / "settings.toml"))
    return ModelTools(store, model_puller(home), machine)


def model_puller(home: Path) -> ModelPuller:
    return ModelPuller(models_folder(home), catalogue(), Hub(), quantize)


def models_check(tools: ModelTools) -> CheckResult:
    """What is here, and what would suit this machine."""
    here = tools.store.installed()
    found = f"{len(here)} fetched" if here else "none fetched; completion works with the one that ships"
    suited = tools.recommended()
    if not suited:
        return good(f"{found}; without Apple's GPU larger ones are better left to a server")
    names = ", ".join(f"{role} {model.name} ({model.gigabytes:g} GB)" for role, model in suited.items())
    return good(f"{found}; suited to this machine: {names}; `impetus models pull NAME` fetches one")
