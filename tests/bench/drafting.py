"""Speculative decoding with the bundled completion model: runs of the network, guesses that came true, tokens a second.

    python -m tests.bench.drafting

No second model of its tokenizer exists, so its drafts are made of itself: whole, whose guesses are right and cost as
much as the answer, and its first two layers, whose guesses are wrong because nothing was trained to stop there. They
show what is the same with any draft, and the runs that guesses save or do not. `impetus bench` measures real pairs.
"""

import json
import re
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.support.text_model import end, run, text

import impetus
from impetus.adapters.mlx_model import load_model
from impetus.domain.ports import TextModel
from impetus.domain.types import Priority, Sampling, TextPrompt

MODEL = Path(impetus.__file__).parent / "data" / "models" / "impetus-fim-43m"
TOKENS = 64
PROMPTS = (
    "def read_rows(path):\n    with open(path) as file:\n",
    "import unittest\n\nclass TestParser(unittest.TestCase):\n    def test_empty(self):\n",
    "export function debounce(callback, wait) {\n",
)


def shortened(folder: Path, layers: int) -> Path:
    """The bundled model's first layers alone."""
    import mlx.core as mx

    folder.mkdir()
    config = json.loads((MODEL / "config.json").read_text()) | {"num_hidden_layers": layers}
    (folder / "config.json").write_text(json.dumps(config))
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(MODEL / name, folder)
    weights: Any = mx.load(str(MODEL / "model.safetensors"))
    kept = {name: value for name, value in weights.items() if _layer(name) < layers}
    mx.save_safetensors(str(folder / "model.safetensors"), kept)
    return folder


def _layer(name: str) -> int:
    found = re.search(r"layers\.(\d+)\.", name)
    return int(found[1]) if found else -1


def measure(name: str, model: TextModel, draft: TextModel | None, expected: list[str]) -> list[str]:
    said, wrote, took = [], 0, 0.0
    before = (model.counters.steps, model.counters.drafted_tokens, model.counters.accepted_tokens)
    for number, prompt in enumerate(PROMPTS):
        sampling = Sampling(max_tokens=TOKENS, temperature=0.0)
        model.start(number, TextPrompt(prompt), sampling, Priority.TYPING, draft)
        model.step(Priority.TYPING)
        began = time.perf_counter()
        steps = run(model, number)[number]
        took += time.perf_counter() - began
        wrote += end(steps).usage.completion_tokens
        said.append(text(steps))
    after = (model.counters.steps, model.counters.drafted_tokens, model.counters.accepted_tokens)
    runs, drafted, accepted = (now - then for now, then in zip(after, before, strict=True))
    share = f"{accepted / drafted:5.0%} right" if drafted else "  no guess"
    same = "" if said == expected or not expected else "; the text differs"
    print(f"{name:16} {wrote / took:6.1f} tokens/s  {runs / wrote:.2f} runs a token  {share}{same}")
    return said


def main() -> None:
    model = load_model(MODEL)
    with tempfile.TemporaryDirectory(prefix="impetus-bench-") as root:
        drafts = {"itself": load_model(MODEL), "its two layers": load_model(shortened(Path(root) / "short", 2))}
        measure("warming up", model, None, [])
        said = measure("alone", model, None, [])
        for name, draft in drafts.items():
            measure(name, model, draft, said)


if __name__ == "__main__":
    main()
