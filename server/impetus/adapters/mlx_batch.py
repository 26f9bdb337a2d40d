"""Sequences that are past their prompt, decoded together: one run of the network gives each its next token.

Uses mlx-lm's caches of several sequences (`merge`, `extend`, `filter`, `extract`); its BatchGenerator does the same
work, but reads prompts in the same call as it decodes, pads short ones to the length of long ones, keeps the whole
distribution of each token, and takes transformers (2 s, 60 MB) to import.
"""

from collections.abc import Collection
from typing import Any

import mlx.core as mx

from impetus.adapters import mlx_products
from impetus.adapters.mlx_prefixes import Layers, nbytes
from impetus.adapters.mlx_sampler import Draw, Drawn, draw
from impetus.adapters.mlx_sequence import Sequence


class Batch:
    """While some rows' tokens travel to the caller, the network already runs on them: there is no gap between steps.

    A grammar needs to know a token before the next one is drawn, so a batch with one waits for each step.
    """

    def __init__(self, network: Any) -> None:
        self._network = network
        self._at_once = mlx_products.used_by(network)
        self.rows: list[Sequence] = []
        self.runs = 0  # of the network
        self._layers: Layers = []  # a single row's own caches, merged ones of several rows
        self._next: Any = None  # (rows,): the token that each row is fed next
        self._drawn: Drawn | None = None  # of the first rows, not handed out yet; those that joined since have none

    @property
    def nbytes(self) -> int:
        return nbytes(self._layers)

    def takes(self, layers: Layers) -> bool:
        """Whether a sequence with such caches can join; some kinds cannot be merged."""
        return not self.rows or all(hasattr(layer, "merge") for layer in layers)

    def join(self, sequence: Sequence, token: Any) -> None:
        """Take a sequence and its caches in; `token` (1,) is what it is fed next."""
        layers, sequence.layers = sequence.layers or [], None
        if not self.rows:
            self._layers, self._next = layers, token
        else:
            if len(self.rows) == 1:
                pairs = zip(self._layers, layers, strict=True)
                self._layers = [mine.merge([mine, its]) for mine, its in pairs]
            else:
                for mine, its in zip(self._layers, layers, strict=True):
                    mine.extend(its.merge([its]))
            self._next = mx.concatenate([self._next, token])
        self.rows.append(sequence)

    def step(self) -> list[tuple[Sequence, Draw]]:
        """The next token of each row; rows that joined while another step was under way may have to wait for one."""
        drawn = self._drawn or self._run()
        self._drawn = self._run() if self._may_run_ahead() else None
        return list(zip(self.rows, drawn.read(), strict=False))

    def leave(self, leaving: Collection[Sequence]) -> list[Layers]:
        """The caches of these rows, which go."""
        places = [self.rows.index(sequence) for sequence in leaving]
        keep = [row for row in range(len(self.rows)) if row not in places]
        taken = [self._layers]
        if len(self.rows) > 1:
            taken = [self._extract(row) for row in places]
            # Or they would hold on to all rows. The next step need not wait for it.
            mx.async_eval([layer.state for layers in taken for layer in layers])  # type: ignore[no-untyped-call]
        self.rows = [self.rows[row] for row in keep]
        if not keep:
            self._layers, self._next, self._drawn = [], None, None
            return taken
        if len(keep) == 1:
            self._layers = self._extract(keep[0])
        else:
            for layer in self._layers:
                layer.filter(keep)
        self._next = self._next[mx.array(keep)]
        if self._drawn is not None:
            drawn = [row for row in keep if row < len(self._drawn.likely)]
            self._drawn = self._drawn.keep(drawn) if drawn else None
        return taken

    def _run(self) -> Drawn:
        logits = self._network(self._next[:, None], cache=self._layers)[:, -1, :]
        self.runs += 1
        drawn = draw(logits, [sequence.sampler for sequence in self.rows])
        self._next = drawn.tokens
        mx.async_eval(drawn.arrays())  # type: ignore[no-untyped-call]
        for sequence in self.rows:
            sequence.held += 1
        return drawn

    def _may_run_ahead(self) -> bool:
        if self._at_once:
            return False  # the tokens would wait until the next ones are there
        return not all(sequence.last for sequence in self.rows) and not any(
            sequence.sampler.grammar for sequence in self.rows
        )

    def _extract(self, row: int) -> Layers:
        return [layer.extract(row) for layer in self._layers]
