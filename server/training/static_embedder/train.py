"""Teach the table which texts belong together: symmetric InfoNCE over pairs, every other pair of the batch a negative.

    python -m training.static_embedder.train OUT --ship DIR          (the whole recipe: minutes on one GPU)
    python -m training.static_embedder.train OUT --limit 20000 --tables 1 --epochs 2        (a trial on a CPU)

Reads OUT/vocabulary.tsv, OUT/pairs.npz and OUT/start.npy; writes OUT/trained.npy and OUT/trained.json, and with --ship
the files of the package. Several tables are trained that differ in their seed alone, each as it was at the epoch that
did best on packages held out from training; their mean, blended with the starting table, is the result.
"""

import argparse
import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import cross_entropy, normalize

from training.static_embedder.bags import Bags, evaluate
from training.static_embedder.dataset import KINDS, Dataset, batches, load, read_vocabulary
from training.static_embedder.export import export

#: What a pair of each kind weighs in the loss: a neighbor is only loosely related.
KIND_WEIGHTS = {"name": 0.5, "neighbor": 0.3, "owner": 0.6, "file": 0.6, "test": 0.6}


@dataclass(frozen=True, slots=True)
class Recipe:
    tables: int = 8  # how many are trained and averaged
    blend: float = 0.75  # share of the trained table in the result; the rest keeps what the teacher knew of prose
    epochs: int = 8
    batch: int = 4096
    rate: float = 0.003
    temperature: float = 0.07
    damping: float = 0.5  # the n-th use of a word in a text: its count to this power
    dropout: float = 0.1  # share of words left out of a text at random
    anchor: float = 1.0  # pull towards the starting table


@dataclass(frozen=True, slots=True)
class Material:
    """The pairs on the device, and which of them may be learned from."""

    questions: Bags
    codes: Bags
    weights: torch.Tensor
    learned: NDArray[np.int64]
    data: Dataset


def train(data: Dataset, start: NDArray[np.float32], recipe: Recipe) -> tuple[NDArray[np.float32], dict[str, float]]:
    """The finished table and its figures on the held-out packages."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    by_kind = np.array([KIND_WEIGHTS.get(kind, 1.0) for kind in KINDS], np.float32)
    material = Material(
        questions=Bags(data.question, recipe.damping, device),
        codes=Bags(data.code, recipe.damping, device),
        weights=torch.from_numpy(by_kind[data.kind]).to(device),
        learned=np.flatnonzero(~data.held_out()),
        data=data,
    )
    initial = torch.from_numpy(start).to(device)
    _report("start", evaluate(initial, material.questions, material.codes, data))
    trained = torch.stack([_train_one(material, initial, recipe, seed) for seed in range(recipe.tables)]).mean(0)
    result = recipe.blend * trained + (1 - recipe.blend) * initial
    metrics = evaluate(result, material.questions, material.codes, data)
    _report("mean", evaluate(trained, material.questions, material.codes, data))
    _report("result", metrics)
    return result.cpu().numpy(), metrics


def _train_one(material: Material, initial: torch.Tensor, recipe: Recipe, seed: int) -> torch.Tensor:
    torch.manual_seed(seed)
    table = torch.nn.Parameter(initial.clone())
    steps = recipe.epochs * -(-len(material.learned) // recipe.batch)
    optimizer = torch.optim.Adam([table], lr=recipe.rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, recipe.rate, total_steps=steps + 1, pct_start=0.1)
    best, best_score = initial, 0.0
    for epoch in range(recipe.epochs):
        chooser = np.random.default_rng((seed, epoch))
        for chosen in batches(material.learned, material.data.package, recipe.batch, chooser):
            numbers = torch.from_numpy(chosen).to(table.device)
            left = normalize(material.questions.sums(table, numbers, recipe.dropout), dim=1)
            right = normalize(material.codes.sums(table, numbers, recipe.dropout), dim=1)
            loss = _contrast(left, right, material.weights[numbers], recipe.temperature)
            loss = loss + recipe.anchor * (table - initial).square().sum(1).mean()
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            schedule.step()
        metrics = evaluate(table.detach(), material.questions, material.codes, material.data)
        _report(f"table {seed} epoch {epoch} loss {loss.item():.3f}", metrics)
        if metrics["score"] > best_score:
            best, best_score = table.detach().clone(), metrics["score"]
    return best


def _contrast(left: torch.Tensor, right: torch.Tensor, weight: torch.Tensor, temperature: float) -> torch.Tensor:
    scores = left @ right.T / temperature
    target = torch.arange(len(scores), device=scores.device)
    both = cross_entropy(scores, target, reduction="none") + cross_entropy(scores.T, target, reduction="none")
    return (both * weight).sum() / weight.sum() / 2


def _report(what: str, metrics: dict[str, float]) -> None:
    print(f"{what:32} {json.dumps(metrics)}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--ship", type=Path)
    parser.add_argument("--limit", type=int, default=0, help="use the first N pairs only")
    for field in fields(Recipe):
        parser.add_argument(f"--{field.name}", type=type(field.default), default=field.default)
    arguments = parser.parse_args()
    recipe = Recipe(**{field.name: getattr(arguments, field.name) for field in fields(Recipe)})
    data = load(arguments.out / "pairs.npz", arguments.limit)
    table, metrics = train(data, np.load(arguments.out / "start.npy").astype(np.float32), recipe)
    np.save(arguments.out / "trained.npy", table)
    summary = {"recipe": asdict(recipe), "held_out": metrics}
    (arguments.out / "trained.json").write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
    if arguments.ship:
        vocabulary, _ = read_vocabulary(arguments.out / "vocabulary.tsv")
        note = f"contrastive, {recipe.tables} tables averaged, blended {recipe.blend} with the distilled start"
        export(arguments.ship, vocabulary, table, damping=recipe.damping, recipe=note)


if __name__ == "__main__":
    main()
