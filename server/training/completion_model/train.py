"""Train the model for a given time on one or several GPUs of one machine.

    torchrun --nproc-per-node 4 -m training.completion_model.train OUTLINED OUT --tokenizer FILE --seconds 1100
    torchrun --nproc-per-node 2 -m training.completion_model.train OUTLINED OUT --tokenizer FILE --seconds 20 \\
        --rows 2 --workers 1 --trial                                                                  (on a CPU)

The rate is constant after a short warm-up and falls to nothing over the last part of the time; there the samples are
those that an editor asks for most. OUT/model.safetensors is written every four minutes and at the end, quantized, with
OUT/figures.json beside it; OUT/done says that it is over. `--weights FILE` goes on from such a file.
"""

import argparse
import gc
import json
import os
import time
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch.utils.data import DataLoader

from training.completion_model.batches import Corpus, Rows
from training.completion_model.exactness import Exactness
from training.completion_model.model import Model, Shape
from training.completion_model.muon import Muon
from training.completion_model.quantized import load, save
from training.completion_model.samples import LENGTH

_CHECKPOINT_SECONDS = 240
_STEPS_AT_ONCE = 8  # between two looks at the clock, which make the GPU wait


@dataclass(frozen=True, slots=True)
class Recipe:
    seconds: float = 1_100.0
    rows: int = 64  # of 1,536 tokens, per GPU and step
    workers: int = 14  # processes per GPU that make samples
    matrix_rate: float = 0.02  # Muon
    other_rate: float = 0.002  # AdamW: embeddings and norms
    warmup: int = 200  # steps
    decay: float = 0.35  # share of the time over which the rate falls
    seed: int = 1


class Trainer:
    def __init__(self, recipe: Recipe, shape: Shape, corpus: Corpus, tokenizer: Path, weights: Path | None) -> None:
        self.rank = int(os.environ.get("RANK", 0))
        self.world = int(os.environ.get("WORLD_SIZE", 1))
        self.device = torch.device("cuda", self.rank) if torch.cuda.is_available() else torch.device("cpu")
        self.recipe = recipe
        torch.manual_seed(recipe.seed)
        self.model = Model(shape)
        if weights:
            known = load(weights, self.model.state_dict())
            self.model.load_state_dict({name: torch.from_numpy(value) for name, value in known.items()})
        self.model.to(self.device)
        parameters = dict(self.model.named_parameters())
        matrices = [value for name, value in parameters.items() if value.ndim == 2 and name.startswith("layers.")]
        others = [value for name, value in parameters.items() if value.ndim == 1 or not name.startswith("layers.")]
        self.muon = Muon(matrices)
        fused = self.device.type == "cuda"
        self.adam = torch.optim.AdamW(others, lr=0.0, betas=(0.9, 0.95), weight_decay=0.0, fused=fused)
        self.loss = torch.compile(self.model.loss, dynamic=False) if fused else self.model.loss
        self.late = torch.zeros(1, dtype=torch.int32).share_memory_()
        rows = Rows(corpus, tokenizer, recipe.rows, recipe.seed * 64 + self.rank, self.late)
        workers = {"num_workers": recipe.workers, "prefetch_factor": 4} if recipe.workers else {"num_workers": 0}
        self.batches = iter(DataLoader(rows, batch_size=None, pin_memory=fused, **workers))

    def step(self, number: int, progress: float) -> torch.Tensor:
        factor = min(1.0, (number + 1) / self.recipe.warmup, max(0.0, (1 - progress) / self.recipe.decay))
        tokens, weights = next(self.batches)
        tokens = tokens.to(self.device, non_blocking=True).long()
        weights = weights.to(self.device, non_blocking=True).float() / 10
        with torch.autocast(self.device.type, dtype=torch.bfloat16):
            loss = self.loss(tokens, weights)
        loss.backward()
        if self.world > 1:
            for parameter in self.model.parameters():
                dist.all_reduce(parameter.grad)
                parameter.grad /= self.world
        self.muon.step(self.recipe.matrix_rate * factor)
        for group in self.adam.param_groups:
            group["lr"] = self.recipe.other_rate * factor
        self.adam.step()
        self.model.zero_grad(set_to_none=True)
        return loss.detach()

    def progress(self, started: float) -> float:
        """Share of the time that is gone, the same in every process."""
        gone = torch.tensor([(time.time() - started) / self.recipe.seconds], device=self.device)
        if self.world > 1:
            dist.broadcast(gone, 0)
        return float(gone)

    def run(self, out: Path, exactness: Exactness | None) -> None:
        next(self.batches)  # the workers are ready
        if self.device.type == "cuda":
            self.step(0, 1.0)  # compiles, and moves nothing: the rate is 0
        started = time.time()
        kept = reported = started
        number = before = 0
        progress = 0.0
        while True:
            if number % _STEPS_AT_ONCE == 0:
                progress = self.progress(started)
            if progress >= 1:
                break
            if progress > 1 - self.recipe.decay:
                self.late.fill_(1)
            loss = self.step(number, progress)
            number += 1
            now = time.time()
            if self.rank == 0 and now - reported > 10:
                rate = (number - before) * self.tokens_per_step / (now - reported)
                print(f"step {number} progress {progress:.3f} loss {float(loss):.4f} {rate:,.0f} tokens/s", flush=True)
                reported, before = now, number
            if self.rank == 0 and now - kept > _CHECKPOINT_SECONDS:
                self.keep(out, number, progress, exactness)
                kept = reported = time.time()
                before = number
        if self.rank == 0:
            self.keep(out, number, 1.0, exactness)
            (out / "done").touch()

    @property
    def tokens_per_step(self) -> int:
        return self.world * self.recipe.rows * (LENGTH - 1)

    def keep(self, out: Path, number: int, progress: float, exactness: Exactness | None) -> None:
        state = self.model.state_dict()
        save({name: value.detach().float().cpu().numpy() for name, value in state.items()}, out / "model.safetensors")
        figures: dict[str, Any] = {"steps": number, "tokens": number * self.tokens_per_step, "progress": progress}
        figures |= {"recipe": asdict(self.recipe), "shape": asdict(self.model.shape)}
        if exactness:
            figures["held_out"] = exactness.measure(self.model)
        (out / "figures.json").write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
        print(json.dumps(figures.get("held_out", {})), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("outlined", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--tokenizer", type=Path, required=True)
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--trial", action="store_true", help="a tiny network")
    for field in fields(Recipe):
        parser.add_argument(f"--{field.name}", type=type(field.default), default=field.default)
    arguments = parser.parse_args()
    recipe = Recipe(**{field.name: getattr(arguments, field.name) for field in fields(Recipe)})
    shape = replace(Shape(), layers=2, width=128, inner=256, heads=2, kv_heads=1) if arguments.trial else Shape()
    arguments.out.mkdir(parents=True, exist_ok=True)
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    torch.set_float32_matmul_precision("high")
    if "RANK" in os.environ:
        on_gpu = torch.cuda.is_available()
        device = torch.device("cuda", int(os.environ["RANK"])) if on_gpu else None
        if on_gpu:
            torch.cuda.set_device(device)
        dist.init_process_group("nccl" if on_gpu else "gloo", device_id=device)
    corpus = Corpus.load(arguments.outlined)
    gc.freeze()  # what the sampling processes share stays shared
    trainer = Trainer(recipe, shape, corpus, arguments.tokenizer, arguments.weights)
    held_out = arguments.outlined / "held-out.pickle"
    exactness = Exactness.load(held_out, arguments.tokenizer) if held_out.exists() and trainer.rank == 0 else None
    trainer.run(arguments.out, exactness)
    if dist.is_initialized():
        dist.barrier()
        dist.destroy_process_group()


if __name__ == "__main__":
    main()
