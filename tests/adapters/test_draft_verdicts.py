"""What is kept of a measured draft, and what makes it void."""

import json
import os
from pathlib import Path

from impetus.adapters.draft_verdicts import DraftVerdictFiles
from impetus.domain.canary import Verdict
from impetus.domain.hardware import Hardware

LINUX = Hardware("Linux", build="1")
GAIN = Verdict(seconds=0.01, other_seconds=0.02)


def folder(path: Path, text: str = "weights") -> Path:
    path.mkdir()
    (path / "config.json").write_text("{}")
    (path / "model.safetensors").write_text(text)
    return path


def test_a_verdict_belongs_to_both_models_as_they_are_and_to_the_machine(tmp_path: Path) -> None:
    model, draft, other = folder(tmp_path / "model"), folder(tmp_path / "draft"), folder(tmp_path / "other", "more")
    verdicts = DraftVerdictFiles(tmp_path / "drafts", lambda: LINUX)
    assert verdicts.get(model, draft) is None
    verdicts.put(model, draft, GAIN)
    verdicts.put(model, other, Verdict("no gain here", seconds=0.02, other_seconds=0.01))
    again = DraftVerdictFiles(tmp_path / "drafts", lambda: LINUX)
    assert again.get(model, draft) == GAIN
    assert again.get(model, other) != GAIN
    assert again.get(draft, model) is None
    updated = DraftVerdictFiles(tmp_path / "drafts", lambda: Hardware("Linux", build="2"))
    assert updated.get(model, draft) is None
    os.utime(draft / "model.safetensors", ns=(1, 1))
    assert again.get(model, draft) is None
    assert again.get(model, other) is not None
    (model / "model.safetensors").write_text("other weights")
    assert again.get(model, other) is None


def test_the_model_behind_an_adapter_counts(tmp_path: Path) -> None:
    base, draft = folder(tmp_path / "base"), folder(tmp_path / "draft")
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    (adapter / "adapter_config.json").write_text(json.dumps({"model": str(base)}))
    verdicts = DraftVerdictFiles(tmp_path / "drafts", lambda: LINUX)
    verdicts.put(adapter, draft, GAIN)
    assert verdicts.get(adapter, draft) == GAIN
    (base / "model.safetensors").write_text("other weights")
    assert verdicts.get(adapter, draft) is None


def test_models_that_are_not_there_have_no_verdict(tmp_path: Path) -> None:
    verdicts = DraftVerdictFiles(tmp_path / "drafts", lambda: LINUX)
    assert verdicts.get(tmp_path / "model", tmp_path / "draft") is None
