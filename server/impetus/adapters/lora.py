"""A LoRA adapter as a model of its own: a folder in mlx-lm's form, adapter_config.json and adapters.safetensors, whose
configuration names the model that it was trained on.
"""

import json
from pathlib import Path
from typing import Any

from impetus.errors import ModelError, ModelUnavailable

_CONFIG = "adapter_config.json"
_ORIGIN = "impetus.json"


def base_of(folder: Path) -> Path:
    """The folder of the model that an adapter goes on; `folder` itself where it is no adapter. Raises ModelError.

    The model is named by its folder, or by its name on the Hub and was fetched beside the adapter.
    """
    path = folder / _CONFIG
    if (folder / "config.json").exists() or not path.is_file():
        return folder
    name = str(_json(path).get("model") or "")
    if not name:
        raise ModelError(f'{path} does not name the model that it is for; add it as "model"')
    named = Path(name).expanduser()
    beside = [each for each in folder.parent.iterdir() if each.is_dir() and each != folder]
    fetched = [each for each in beside if _is_of(each, name) or each.name == named.name]
    for candidate in ([named] if named.is_absolute() else []) + fetched:
        if (candidate / "config.json").is_file():
            return candidate
    raise ModelUnavailable(
        f"The adapter {folder.name} is for {name}, which is not here; `impetus models pull {name}` fetches it"
    )


def apply(network: Any, folder: Path) -> None:
    """Give mlx-lm's `network` the adapter's layers. Raises what mlx-lm raises."""
    from mlx_lm.tuner.utils import load_adapters

    load_adapters(network, str(folder))
    network.eval()


def _is_of(folder: Path, repo: str) -> bool:
    return (folder / _ORIGIN).is_file() and _json(folder / _ORIGIN).get("repo") == repo


def _json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"{path} cannot be read ({error}); fetch it again") from error
    return value if isinstance(value, dict) else {}
