"""The models that can be fetched by a short name, and which of them suit a machine. The data is data/catalogue.toml."""

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from impetus.domain.hardware import Hardware

Role = Literal["completion", "chat", "embedding"]
ROLES: tuple[Role, ...] = ("completion", "chat", "embedding")

#: A Mac sold with 16 GB says a little less or more, depending on who counts.
_ROUNDING = 0.95


@dataclass(frozen=True, slots=True)
class CatalogueModel:
    """`context` is in tokens, as Impetus uses the model; `memory_gb` is the memory of the smallest Mac that it is for;
    `fim` names the family of its fill-in-the-middle format, "" for none.
    """

    name: str
    role: Role
    repo: str
    license: str
    gigabytes: float
    context: int
    memory_gb: int
    quantization: str
    fim: str = ""
    note: str = ""
    preferred: bool = False


def parse(text: str) -> tuple[CatalogueModel, ...]:
    return tuple(CatalogueModel(**entry) for entry in tomllib.loads(text)["model"])


def recommended(models: Iterable[CatalogueModel], hardware: Hardware) -> dict[Role, CatalogueModel]:
    """The preferred model of each role for this machine. Nothing for one without a GPU that MLX can use: its processor
    is too slow for more than what ships with Impetus.
    """
    if not hardware.family or hardware.memory_bytes is None:
        return {}
    memory_gb = hardware.memory_bytes / (_ROUNDING * (1 << 30))
    fitting = sorted((m for m in models if m.preferred and m.memory_gb <= memory_gb), key=lambda m: m.memory_gb)
    return {model.role: model for model in fitting}
