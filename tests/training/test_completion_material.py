"""From packages to shards: one commit of a repository, what is left out, and that held-out packages stay out."""

import json
import os
import subprocess
import zipfile
from pathlib import Path

import pytest

from training.completion_model.corpus import LANGUAGES, Source, material, pinned, without_repeats
from training.completion_model.prepare import prepare
from training.completion_model.samples import read_shard
from training.static_embedder.corpus import read_package
from training.static_embedder.fetch import Package, fetch

#: Repositories of the evaluation sets: never learned from, whoever publishes them.
EVALUATED = {
    "abseil-cpp", "aiohttp", "async-executor", "axios", "bats-core", "cached", "cats", "cobra", "commons-lang",
    "constrandom", "curl", "exposed", "fastapi", "helix", "httpx", "huggingface_hub", "io-ts", "lance", "lancedb",
    "lazy.nvim", "messagepack-csharp", "model2vec", "monolog", "newtonsoft.json", "picklescan", "plug", "pytest",
    "requests", "ruff", "sinatra", "snapkit", "starlette", "tokio", "vitest", "xmonad", "zig-clap", "zod",
}  # fmt: skip
MIT = "Permission is hereby granted, free of charge, to any person obtaining a copy of this software"
GPL = "GNU GENERAL PUBLIC LICENSE Version 3"


def source(name: str, lines: int = 12) -> str:
    return "".join(f"def {name}_{number}(first_argument, second):\n    return {number}\n" for number in range(lines))


def wheel(cache: Path, name: str, files: dict[str, str]) -> Package:
    package = Package("pypi", name, "1.0")
    package.folder(cache).mkdir(parents=True)
    with zipfile.ZipFile(package.folder(cache) / f"{name}-1.0-py3-none-any.whl", "w") as packed:
        packed.writestr(f"{name}-1.0.dist-info/METADATA", f"Name: {name}\nLicense-Expression: MIT\n\n")
        for path, text in files.items():
            packed.writestr(path, text)
    return package


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Package:
    """A repository with one commit, where the client is told to look for those of GitHub."""
    home = tmp_path / "github" / "someone" / "tool"
    files = {"LICENSE": MIT, "src/tool.py": source("tool"), "vendored/LICENSE": GPL, "vendored/other.py": source("no")}
    files |= {"logo.svg": "<svg/>", "third_party/copy.py": source("copy")}
    for path, text in files.items():
        (home / path).parent.mkdir(parents=True, exist_ok=True)
        (home / path).write_text(text)
    identity = {
        "GIT_AUTHOR_NAME": "a",
        "GIT_AUTHOR_EMAIL": "a@b",
        "GIT_COMMITTER_NAME": "a",
        "GIT_COMMITTER_EMAIL": "a@b",
    }
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "all"]):
        subprocess.run(["git", *command], cwd=home, check=True, env={**os.environ, **identity})
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=home, check=True, capture_output=True, text=True)
    for number, (key, value) in enumerate(
        ((f"url.file://{tmp_path}/github/.insteadOf", "https://github.com/"), ("safe.bareRepository", "all"))
    ):
        monkeypatch.setenv(f"GIT_CONFIG_KEY_{number}", key)
        monkeypatch.setenv(f"GIT_CONFIG_VALUE_{number}", value)
    monkeypatch.setenv("GIT_CONFIG_COUNT", "2")
    return Package("github", "someone/tool", commit.stdout.strip())


def test_a_commit_is_fetched_and_read_without_what_others_wrote(repository: Package, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    assert fetch([repository], cache) == []
    assert [file.path for file in read_package(repository, cache)] == ["tool/src/tool.py"]
    (file,) = material(repository, cache)
    assert (file.path, file.language) == ("src/tool.py", "python")


def test_a_commit_that_is_not_there_is_left_out(repository: Package, tmp_path: Path) -> None:
    missing = Package("github", "someone/other", repository.version)
    assert fetch([missing], tmp_path / "cache") == [missing]
    assert read_package(missing, tmp_path / "cache") == []


def test_a_text_is_taken_once() -> None:
    first = Source("a.py", "python", source("same"))
    again = Source("b.py", "python", source("same") + "x = 1\n")
    other = Source("c.py", "python", source("other"))
    assert list(without_repeats([first, again, other], set())) == [first, other]


def test_what_training_shares_with_held_out_packages_is_left_out(tmp_path: Path) -> None:
    cache, out = tmp_path / "cache", tmp_path / "out"
    held = wheel(cache, "held", {"held/core.py": source("shared")})
    learned = wheel(cache, "learned", {"learned/copy.py": source("shared"), "learned/own.py": source("own")})
    prepare([(held, True), (learned, False)], cache, out, processes=1)
    (shard,) = out.glob("shard-*.jsonl.xz")
    ((name, files),) = [(package.name, package.files) for package in read_shard(shard)]
    assert name == "learned" and [file.path for file in files] == ["own.py"]
    assert (out / "held-out/held/core.py").read_text() == source("shared")
    assert [package.name for package in read_shard(out / "held-out.jsonl.xz")] == ["held"]
    assert (out / "packages.tsv").read_text().count("\n") == 2


def test_the_pinned_list_holds_packages_out_for_every_language() -> None:
    marked = pinned()
    names = [package.name for package, _ in marked]
    assert len(names) == len(set(names)) and len(names) > 900
    held_out = [package for package, held in marked if held]
    assert len(held_out) >= 4 * len(LANGUAGES)
    assert marked[: len(held_out)] == [(package, True) for package in held_out], "they come first"
    assert not {name.rsplit("/", 1)[-1].lower() for name in names} & EVALUATED


def test_shards_are_one_package_a_line(tmp_path: Path) -> None:
    import lzma

    path = tmp_path / "shard.jsonl.xz"
    path.write_bytes(lzma.compress(json.dumps(["tool", [["a.py", "python", "x = 1\n"]]]).encode()))
    (package,) = read_shard(path)
    assert package.files == [Source("a.py", "python", "x = 1\n")]
