"""Every setting, declared once: key, type, default, meaning. docs/settings.md is generated from here.

Precedence, lowest first: defaults, `settings.toml` in the home directory, environment (`IMPETUS_CHAT_MODEL` for
`chat.model`), what the editor sends. A bad value leaves the default in place and is reported as a problem; a bad value
of a safety setting (`http.*`) raises instead, because falling back could open a port that was meant to be closed.
"""

import os
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from impetus import home as home_folder
from impetus.errors import BadRequest


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class IndexSettings(_Section):
    enable: bool = Field(True, description="Index the workspace. When off, search covers open documents only.")
    max_file_size: int = Field(1_000_000, ge=1_000, description="Files larger than this many bytes are left out.")
    exclude: tuple[str, ...] = Field((), description="Gitignore-style patterns to leave out, beside ignore files.")
    include: tuple[str, ...] = Field((), description="Patterns to index although an ignore file names them.")
    processes: int = Field(0, ge=0, le=64, description="Parser processes for a large scan; 0 picks by cores.")
    watch: bool = Field(True, description="Watch the workspace for changes made outside the editor.")
    keep_unused_days: float = Field(
        14, ge=0, description="How long contents that no branch or worktree uses stay in the index."
    )
    chroma_url: str = Field(
        "",
        description="Address of a Chroma server, for example http://127.0.0.1:8000, for large or shared indexes. "
        "Empty: Chroma inside this process.",
    )
    chroma_key_env: str = Field("", description="Environment variable that holds the key for `index.chroma_url`.")


class SearchSettings(_Section):
    limit: int = Field(10, ge=1, le=200, description="Hits returned when a request names no limit.")
    per_file: int = Field(2, ge=1, le=20, description="At most so many hits of one file.")


class ChatSettings(_Section):
    model: str = Field(
        "", description="Folder of an MLX model, or the model's name at `chat.base_url`. Empty: extractive answers."
    )
    draft_model: str = Field(
        "",
        description="Folder of a small MLX model with the same tokenizer as the one in `chat.model`, which it makes "
        "faster where `impetus bench` measured that it does; empty: none.",
    )
    base_url: str = Field(
        "", description="Base URL of any OpenAI-compatible server, for example http://127.0.0.1:8080/v1."
    )
    api_key_env: str = Field("", description="Environment variable that holds the key for `chat.base_url`.")
    temperature: float = Field(0.2, ge=0, le=2, description="Sampling temperature of answers.")
    max_tokens: int = Field(1024, ge=1, description="Longest answer, in tokens.")
    passages: int = Field(8, ge=1, le=50, description="Passages of the workspace offered to an answer.")


class CompletionSettings(_Section):
    enable: bool = Field(True, description="Answer inline completion requests.")
    model: str = Field("bundled", description="Folder of an MLX model with a fill-in-the-middle format, or `bundled`.")
    base_url: str = Field("", description="Base URL of an OpenAI-compatible server whose /completions takes `suffix`.")
    api_key_env: str = Field("", description="Environment variable that holds the key for `completion.base_url`.")
    max_tokens: int = Field(64, ge=1, le=1024, description="Longest completion, in tokens.")
    ahead: bool = Field(
        True, description="While a suggestion is shown, compute the next one, where the machine is fast enough."
    )
    context: bool = Field(True, description="Offer passages of other files to the completion model.")


class ModelsSettings(_Section):
    idle_s: float = Field(
        300, gt=0, description="Local models give their memory back after so many seconds without a request."
    )
    memory_mb: int = Field(
        0,
        ge=0,
        description="Most memory for all local models together, in MB; 0 means three quarters of the machine's.",
    )
    cache_bits: Literal[0, 4, 8] = Field(
        0,
        description="Bits for what local models remember of a prompt; 0: as the model computes. Fewer take less memory "
        "for long prompts and let answers be written one at a time only.",
    )
    background_on_battery: bool = Field(
        False, description="Let background work use the models on battery, or while the machine is too hot."
    )


class EmbeddingSettings(_Section):
    model: str = Field(
        "",
        description="Folder of a BERT or nomic-bert encoder, or the model's name at `embedding.base_url`. Its vectors "
        "are made in the background and join the static ones. Empty: static vectors alone.",
    )
    base_url: str = Field("", description="Base URL of an OpenAI-compatible server that has /embeddings.")
    api_key_env: str = Field("", description="Environment variable that holds the key for `embedding.base_url`.")
    compute: Literal["auto", "gpu", "cpu"] = Field(
        "auto",
        description="What computes a model from a folder. `auto`: on a Mac the Neural Engine where it proves itself, "
        "else the GPU; elsewhere the processor.",
    )
    dimensions: int = Field(0, ge=0, le=8192, description="Shorter vectors, from a server that can cut them; 0: whole.")
    query_prefix: str = Field("auto", description="Text put before a query; `auto` knows it by the model's name.")
    document_prefix: str = Field("auto", description="Text put before what is indexed; `auto` as above.")


class HttpSettings(_Section):
    host: str = Field("127.0.0.1", description="Address to bind. Anything but loopback needs `http.require_key`.")
    port: int = Field(8551, ge=0, le=65535, description="Port to bind; 0 picks a free one.")
    require_key: bool = Field(True, description="Refuse requests without a key of `impetus keys create`.")
    allowed_hosts: tuple[str, ...] = Field(
        (), description="Host names accepted beside localhost and loopback addresses."
    )
    allowed_origins: tuple[str, ...] = Field(
        (), description="Web origins that may call the port, exactly as browsers send them; none by default."
    )
    inference_per_minute: int = Field(
        60, ge=0, description="Requests a minute for each key that generate or embed; 0: no limit."
    )
    reads_per_minute: int = Field(120, ge=0, description="Other requests a minute for each key; 0: no limit.")
    limits_url: str = Field(
        "",
        description="Redis that counts requests for several engines together, for example redis://127.0.0.1:6379/0. "
        "Empty: counted in this process.",
    )


class LogSettings(_Section):
    level: Literal["debug", "info", "warning", "error"] = Field(
        "warning", description="Detail of the log. Never holds prompts, code or keys."
    )
    format: Literal["text", "json"] = Field("text", description="`json`: one object a line, for collectors of logs.")
    max_size: int = Field(2_000_000, ge=10_000, description="Bytes at which `logs/engine.log` is put aside.")
    keep: int = Field(3, ge=1, le=100, description="How many logs that were put aside are kept.")


class EngineSettings(_Section):
    idle_exit_minutes: float = Field(
        30, ge=0, description="An engine that an editor started leaves after so long without use; 0 keeps it."
    )


class Settings(_Section):
    index: IndexSettings = IndexSettings()
    search: SearchSettings = SearchSettings()
    chat: ChatSettings = ChatSettings()
    completion: CompletionSettings = CompletionSettings()
    models: ModelsSettings = ModelsSettings()
    embedding: EmbeddingSettings = EmbeddingSettings()
    http: HttpSettings = HttpSettings()
    log: LogSettings = LogSettings()
    engine: EngineSettings = EngineSettings()


#: Settings as one source gives them: section → setting → value, not checked yet.
Layer = Mapping[str, Any]

#: What belongs to the engine that all windows share; an editor cannot set it for itself.
ENGINE_SECTIONS = frozenset({"http", "log", "engine", "models", "embedding"})

#: Settings whose bad values must stop the program rather than fall back.
STRICT_SECTIONS = frozenset({"http"})


def home() -> Path:
    """The one directory that holds all state: `IMPETUS_HOME`, else `~/.impetus`."""
    return Path(home_folder.folder())


def resolve(*layers: Mapping[str, Any]) -> tuple[Settings, list[str]]:
    """Merge `layers` (`{"chat": {"model": …}}`, later wins) over the defaults; return settings and problems."""
    problems: list[str] = []
    sections: dict[str, dict[str, Any]] = {}
    for layer in layers:
        for section, values in layer.items():
            field = Settings.model_fields.get(section)
            if field is None:
                problems.append(f"Unknown setting {section!r} is ignored; see docs/settings.md for the known ones")
            elif not isinstance(values, Mapping):
                _report(problems, section, section, f"expected a table of settings, got {values!r}")
            else:
                for key, value in values.items():
                    _merge(problems, sections, section, key, value)
    return Settings.model_validate(sections), problems


def _merge(problems: list[str], sections: dict[str, dict[str, Any]], section: str, key: str, value: Any) -> None:
    model = Settings.model_fields[section].annotation
    assert isinstance(model, type) and issubclass(model, BaseModel)
    name = f"{section}.{key}"
    if key not in model.model_fields:
        problems.append(f"Unknown setting {name!r} is ignored; see docs/settings.md for the known ones")
        return
    try:
        model.model_validate({key: value})
    except ValidationError as error:
        _report(problems, section, name, error.errors()[0]["msg"])
        return
    sections.setdefault(section, {})[key] = value


def _report(problems: list[str], section: str, name: str, reason: str) -> None:
    message = f"Setting {name!r} is not usable: {reason}"
    if section in STRICT_SECTIONS:
        raise BadRequest(message, parameter=name)
    problems.append(f"{message}; the default is used")


def file_layer(directory: Path) -> dict[str, Any]:
    """`settings.toml` of the home directory; empty when there is none. Raises BadRequest when it does not parse."""
    path = directory / "settings.toml"
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadRequest(f"{path} cannot be read: {error}. Mend or delete it", parameter="settings.toml") from error


def environment_layer(environment: Mapping[str, str]) -> dict[str, Any]:
    """`IMPETUS_<SECTION>_<KEY>`; lists are comma-separated."""
    layer: dict[str, Any] = {}
    for section, field in Settings.model_fields.items():
        model = field.annotation
        assert isinstance(model, type) and issubclass(model, BaseModel)
        for key, info in model.model_fields.items():
            text = environment.get(f"IMPETUS_{section}_{key}".upper())
            if text is not None:
                value: Any = text.split(",") if str(info.annotation).startswith("tuple") else text
                layer.setdefault(section, {})[key] = value
    return layer


def load(*overrides: Mapping[str, Any]) -> tuple[Settings, list[str]]:
    """Settings of this process: file, environment, then `overrides`."""
    return resolve(file_layer(home()), environment_layer(os.environ), *overrides)


def describe() -> str:
    """docs/settings.md; `python -m impetus.config` prints it, a test compares."""
    lines = [
        "# Settings",
        "",
        "<!-- generated by `python -m impetus.config`; do not edit -->",
        "",
        "Put them into `settings.toml` in the home directory (`IMPETUS_HOME`, else `~/.impetus`), set",
        "`IMPETUS_<AREA>_<NAME>` in the environment, or send them from the editor under the section `impetus`.",
        "The editor wins over the environment, the environment over the file.",
        "A bad value leaves the default in place and is shown in the status; under `http` it stops the program.",
    ]
    for section, field in Settings.model_fields.items():
        model = field.annotation
        assert isinstance(model, type) and issubclass(model, BaseModel)
        lines += ["", f"## {section}", "", "| setting | type | default | meaning |", "|---|---|---|---|"]
        for key, info in model.model_fields.items():
            schema = model.model_json_schema()["properties"][key]
            kind = " \\| ".join(f"`{v}`" for v in schema.get("enum", ())) or schema.get("type", "string")
            if "const" in schema:
                kind = f"`{schema['const']}`"
            default = list(info.default) if isinstance(info.default, tuple) else info.default
            shown = str(default).lower() if isinstance(default, bool) else repr(default).replace("'", '"')
            lines.append(f"| `{section}.{key}` | {kind} | `{shown}` | {info.description} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(describe())
