"""The models on this machine: what is there, which of them the settings use, and what to do with them."""

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from impetus.config import Settings
from impetus.domain.model_catalogue import ROLES, CatalogueModel, Role
from impetus.domain.ports import SettingsWriter
from impetus.errors import BadRequest, ModelError, NotFound
from impetus.services.model_pull import ORIGIN

#: A folder with this and no config.json is a LoRA adapter in mlx-lm's form.
ADAPTER = "adapter_config.json"
_ENCODERS = frozenset({"bert", "nomic_bert"})


@dataclass(frozen=True, slots=True)
class InstalledModel:
    """`role` is "" where nobody knows it; `used_for` are the roles that the settings give it."""

    name: str
    folder: Path
    nbytes: int
    role: Role | None
    repo: str
    license: str
    used_for: tuple[Role, ...]


class ModelStore:
    """`folder` holds the models, each in a folder of its own."""

    def __init__(
        self, folder: Path, catalogue: Sequence[CatalogueModel], settings: Settings, writer: SettingsWriter
    ) -> None:
        self.catalogue = tuple(catalogue)
        self._folder = folder
        self._settings = settings
        self._writer = writer

    def installed(self) -> tuple[InstalledModel, ...]:
        if not self._folder.is_dir():
            return ()
        folders = sorted(path for path in self._folder.iterdir() if path.is_dir() and not path.name.startswith("."))
        return tuple(self._read(folder) for folder in folders if _config(folder) is not None)

    def use(self, name: str, role: Role | None = None) -> Role:
        """Let the settings name this model for its role, or for `role`; returns which."""
        model = self.named(name)
        chosen = role or model.role
        if chosen is None:
            raise BadRequest(
                f"It is not known what {name} is for; name it with --role completion, chat or embedding",
                parameter="role",
            )
        if (chosen == "embedding") != (model.role == "embedding") and model.role is not None:
            raise BadRequest(f"{name} is a model for {model.role} and cannot be used for {chosen}", parameter="role")
        self._writer.put(chosen, "model", str(model.folder))
        return chosen

    def remove(self, name: str) -> InstalledModel:
        """Delete its folder. Raises BadRequest for a model that the settings use."""
        model = self.named(name)
        if model.used_for:
            raise BadRequest(
                f"{name} is used for {', '.join(model.used_for)}; `impetus models use` another model first",
                parameter="model",
            )
        try:
            shutil.rmtree(model.folder)
        except OSError as error:
            raise ModelError(f"{model.folder} cannot be deleted: {error}; delete it by hand") from error
        return model

    def named(self, name: str) -> InstalledModel:
        """Raises NotFound."""
        for model in self.installed():
            if name and name in (model.name, model.repo):
                return model
        raise NotFound(f"There is no model {name} under {self._folder}; `impetus models list` shows what is there")

    def _read(self, folder: Path) -> InstalledModel:
        origin = _json(folder / ORIGIN)
        known = next((model for model in self.catalogue if model.name == folder.name), None)
        role = origin.get("role") or (known.role if known else None)
        if role not in ROLES:
            role = "embedding" if (_config(folder) or {}).get("model_type") in _ENCODERS else None
        used = tuple(each for each in ROLES if self._path_of(each) == folder)
        nbytes = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        return InstalledModel(
            folder.name, folder, nbytes, role, str(origin.get("repo", "")), str(origin.get("license", "")), used
        )

    def _path_of(self, role: Role) -> Path | None:
        section = getattr(self._settings, role)
        if section.base_url or not section.model or section.model == "bundled":
            return None
        return Path(section.model).expanduser().absolute()


def _config(folder: Path) -> Mapping[str, Any] | None:
    for name in ("config.json", ADAPTER):
        if (folder / name).is_file():
            return _json(folder / name)
    return None


def _json(path: Path) -> Mapping[str, Any]:
    try:
        value = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}
