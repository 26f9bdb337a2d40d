"""Texts on a device as bags of table rows, and how well a table ranks the pairs of held-out packages."""

import numpy as np
import torch
from torch.nn.functional import embedding_bag, normalize

from training.static_embedder.dataset import KINDS, Dataset, Texts

#: What a table is chosen by: questions in prose first, since names are found by lexical search as well.
_SCORE = {"doc": 0.5, "comment": 0.2, "name": 0.15, "owner": 0.15}


class Bags:
    """Texts on the device as (rows, weights): each word once, weighted by its damped count."""

    def __init__(self, texts: Texts, damping: float, device: torch.device) -> None:
        rows, weights, ends = [], [], []
        total = 0
        for number in range(len(texts)):
            unique, counts = np.unique(texts.of(number), return_counts=True)
            rows.append(unique)
            weights.append(counts.astype(np.float32) ** damping)
            total += len(unique)
            ends.append(total)
        self._rows = torch.from_numpy(np.concatenate(rows).astype(np.int64)).to(device)
        self._weights = torch.from_numpy(np.concatenate(weights)).to(device)
        self._ends = torch.tensor(ends, device=device)
        self._starts = torch.cat([torch.zeros(1, dtype=torch.int64, device=device), self._ends[:-1]])

    def embed(self, table: torch.Tensor, numbers: torch.Tensor) -> torch.Tensor:
        """Unit vectors of the numbered texts."""
        return normalize(self.sums(table, numbers), dim=1)

    def sums(self, table: torch.Tensor, numbers: torch.Tensor, dropout: float = 0.0) -> torch.Tensor:
        """Weighted sums of the rows of the numbered texts, without a random share of the words."""
        starts = self._starts[numbers]
        lengths = self._ends[numbers] - starts
        offsets = torch.cumsum(lengths, 0) - lengths
        places = torch.arange(int(lengths.sum()), device=numbers.device)
        places = places + torch.repeat_interleave(starts - offsets, lengths)
        weights = self._weights[places]
        if dropout:
            weights = weights * (torch.rand_like(weights) >= dropout)
        return embedding_bag(self._rows[places], table, offsets, mode="sum", per_sample_weights=weights)


def evaluate(table: torch.Tensor, questions: Bags, codes: Bags, data: Dataset) -> dict[str, float]:
    """Rank the code of each held-out package for each of its questions; mean over all questions, by kind as well."""
    device = table.device
    held_out = np.flatnonzero(data.held_out())
    ranks = np.zeros(len(held_out), np.int64)
    for package in np.unique(data.package[held_out]):
        inside = np.flatnonzero(data.package[held_out] == package)
        numbers = torch.from_numpy(held_out[inside]).to(device)
        with torch.inference_mode():
            scores = questions.embed(table, numbers) @ codes.embed(table, numbers).T
            ranks[inside] = (scores > scores.diagonal()[:, None]).sum(1).cpu().numpy()
    kinds = data.kind[held_out]
    graded = {"mrr": float((1 / (ranks + 1)).mean()), "recall10": float((ranks < 10).mean())}
    for number, kind in enumerate(KINDS):
        if (kinds == number).any():
            graded[f"mrr_{kind}"] = float((1 / (ranks[kinds == number] + 1)).mean())
    graded["score"] = sum(share * graded.get(f"mrr_{kind}", 0.0) for kind, share in _SCORE.items())
    return {name: round(value, 4) for name, value in graded.items()}
