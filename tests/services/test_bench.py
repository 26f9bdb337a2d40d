"""What `impetus bench` measures: judged on figures made up for Macs that are not here, and taken on tiny models."""

from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.embedder import HashEmbedder
from tests.support.terminal import Terminal
from tests.support.tiny_encoder import write_encoder
from tests.support.tiny_model import make_model

from impetus.cli.runtime import Runtime
from impetus.domain.canary import Verdict
from impetus.domain.hardware import Conditions, Hardware
from impetus.errors import ModelError
from impetus.services import bench
from impetus.services.bench import Figure, Report, targets
from impetus.services.dispatcher import BackendState

M1 = Hardware("Darwin", "26.1", "25B78", "Apple M1", memory_bytes=16 << 30)
SEVEN = [
    Figure("model load", "qwen-7b", 4.2, "s"),
    Figure("first token", "qwen-7b", 480, "ms", "108 tokens read"),
    Figure("tokens per second", "qwen-7b", 51, "tok/s"),
    Figure("model memory", "qwen-7b", 4300, "MB"),
    Figure("embedding", "m on the Neural Engine", 3.1, "ms", "64 tokens, median of 10"),
    Figure("embedding", "m on the Neural Engine", 5.4, "ms", "128 tokens, median of 10"),
    Figure("embedding", "m on the GPU", 2.0, "ms", "128 tokens, median of 10"),
    Figure("engine memory", "engine", 90, "MB"),
]


def met(figures: list[Figure], hardware: Hardware = M1) -> list[bool | None]:
    return [target.met for target in targets(figures, hardware)]


def test_targets_are_judged_by_the_figures_that_they_are_about() -> None:
    assert met(SEVEN) == [False, True, True, True, True]
    faster = [replace(figure, value=figure.value / 2) if figure.kind == "embedding" else figure for figure in SEVEN]
    assert met(faster)[0] is True
    slower = [replace(figure, value=49.9) if figure.kind == "tokens per second" else figure for figure in SEVEN]
    assert met(slower)[2] is False


def test_a_target_without_its_figure_is_neither_met_nor_missed() -> None:
    small = [replace(figure, value=900.0) if figure.kind == "model memory" else figure for figure in SEVEN]
    assert met(small) == [False, None, None, None, True]
    assert met([]) == [None] * 5


def test_targets_are_those_of_a_mac() -> None:
    assert met(SEVEN, Hardware("Linux")) == []


async def test_every_backend_and_length_is_timed_and_a_broken_one_is_said() -> None:
    class Broken(HashEmbedder):
        def embed(self, texts: object) -> object:  # type: ignore[override]
            raise ModelError("no driver")

    report = Report()
    said: list[str] = []
    await bench.embedders(report, {"CPU": HashEmbedder(), "GPU": Broken()}, said.append)  # type: ignore[dict-item]
    assert [figure.conditions.partition(" ")[0] for figure in report.figures] == ["64", "128", "256", "512"]
    assert all(figure.value >= 0 and figure.subject == "hash-64 on the CPU" for figure in report.figures)
    assert report.missing == ["embedding on the GPU: no driver"]
    assert said == ["embedding on the CPU", "embedding on the GPU"]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "home"
    monkeypatch.setenv("IMPETUS_HOME", str(path))
    monkeypatch.setenv("IMPETUS_EMBEDDING_MODEL", str(write_encoder(tmp_path / "encoder")))
    make_model(path / "models" / "tiny", context=2048)
    (path / "settings.toml").write_text(f'[completion]\nmodel = "{path / "models" / "tiny"}"\n')
    return path


def real_terminal() -> Terminal:
    terminal = Terminal()
    terminal.runtime = Runtime()
    return terminal


def test_one_model_is_measured(home: Path) -> None:
    value = real_terminal().value("models", "bench", "tiny", "--role", "completion")
    kinds = {figure["kind"] for figure in value["figures"]}
    assert kinds == {"model load", "first token", "tokens per second", "model memory"}
    assert {figure["subject"] for figure in value["figures"]} == {"tiny"}
    assert all(figure["value"] > 0 for figure in value["figures"])
    assert (value["targets"], value["not_measured"]) == ([], [])


def test_a_model_that_is_not_here_is_said(home: Path) -> None:
    done = real_terminal().run("models", "bench", "unknown")
    assert (done.exit_code, "impetus models list" in done.stderr) == (2, True)


def test_the_whole_machine_is_measured(home: Path) -> None:
    terminal = real_terminal()
    value = terminal.value("bench")
    by_kind: dict[str, list[dict[str, object]]] = {}
    for figure in value["figures"]:
        by_kind.setdefault(figure["kind"], []).append(figure)
    assert len(by_kind["embedding"]) == 8, "static and neural, four lengths each"
    assert by_kind["index"][0]["value"] > 0  # type: ignore[operator]
    assert by_kind["engine memory"][0]["value"] > 10  # type: ignore[operator]
    assert by_kind["first token"][0]["subject"] == "tiny"
    assert value["not_measured"] == ["chat model: none is configured"]
    assert value["machine"]["system"]
    assert [(one["name"], one["state"]) for one in value["embedding_backends"]] == [("CPU", "in use")]


def test_the_table_says_what_is_met_and_what_was_not_measured() -> None:
    from impetus.cli.bench import _show
    from impetus.cli.output import Output

    lines: list[str] = []
    out = Output()
    out.line = lambda text="", style=None: lines.append(text)  # type: ignore[method-assign]
    backends = (
        BackendState("Neural Engine", "failed", "it is slow", Verdict("it is slow", 0.9999, 0.98, 0.01, 0.002)),
        BackendState("GPU", "in use"),
    )
    report = Report(SEVEN, ["chat model: none is configured"], backends)
    _show(out, report, (M1, Conditions(on_battery=True, charge=40)))
    text = "\n".join(lines)
    assert "on Apple M1, 17.2 GB, 26.1" in text
    assert "! The machine is on battery, 40 % left" in text
    assert ("Neural Engine: failed, it is slow; least cosine 0.999900; 98.0% of its operations on it\n") in text
    assert "GPU: in use\n" in text
    assert "not measured: chat model: none is configured" in text
    assert "✗ embedding of 128 tokens on the Neural Engine: 5.4, at most 5 ms" in text
    assert "✓ speed of a 7B model at 4 bits, asked of an M1: 51.0, at least 50 tok/s" in text
