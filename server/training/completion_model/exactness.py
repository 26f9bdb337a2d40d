"""How often the model would write the rest of a random line of held-out projects exactly, without generating.

Greedy generation gives the target exactly when every target token is the most likely one after those before it, so
one pass over prompt and target tells. An end or a line feed after the target both count as its end.
"""

import pickle
import random
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer

from training.completion_model.corpus import LANGUAGES
from training.completion_model.outlines import Neighbors, Outlined
from training.completion_model.samples import END, FILE, LENGTH, PREFIX, SUFFIX

SEED = 7
PER_LANGUAGE = 120
PASSAGES = 4
_BATCH = 64

Case = tuple[str, bool, list[int], int]  # language, with context, tokens, length of the target


class Exactness:
    def __init__(self, cases: list[Case], line_feed: int) -> None:
        self._cases = sorted(cases, key=lambda case: len(case[2]))
        self._line_feed = line_feed

    @classmethod
    def load(cls, path: Path, tokenizer_file: Path) -> "Exactness":
        packages: list[list[Outlined]] = pickle.loads(path.read_bytes())
        tokenizer = Tokenizer.from_file(str(tokenizer_file))
        tokenizer.encode_special_tokens = True

        def encode(text: str) -> list[int]:
            ids: list[int] = tokenizer.encode(text, add_special_tokens=False).ids
            return ids

        chooser = random.Random(SEED)
        around = [Neighbors(files) for files in packages]
        cases: list[Case] = []
        for language in LANGUAGES:
            cases += _cases(language, around, encode, chooser)
        return cls(cases, encode("\n")[0])

    @torch.inference_mode()  # type: ignore[untyped-decorator]
    def measure(self, model: Any) -> dict[str, Any]:
        device = model.embed_tokens.device
        hits: dict[tuple[str, bool], list[bool]] = {}
        for start in range(0, len(self._cases), _BATCH):
            batch = self._cases[start : start + _BATCH]
            width = max(len(case[2]) for case in batch)
            tokens = torch.full((len(batch), width), END)
            for row, case in enumerate(batch):
                tokens[row, : len(case[2])] = torch.tensor(case[2])
            with torch.autocast(device.type, dtype=torch.bfloat16):
                best = model(tokens.to(device)).argmax(-1).cpu()
            for row, (language, context, ids, length) in enumerate(batch):
                target = ids[len(ids) - length :]
                written = best[row, len(ids) - length - 1 : len(ids)].tolist()
                exact = written[:-1] == target and written[-1] in (END, self._line_feed)
                hits.setdefault((language, context), []).append(exact)
        figures: dict[str, Any] = {}
        for context, name in ((False, "alone"), (True, "with_context")):
            shares = {one: sum(got) / len(got) for (one, used), got in sorted(hits.items()) if used is context and got}
            figures[name] = {"mean": round(sum(shares.values()) / max(1, len(shares)), 4)}
            figures[name] |= {one: round(value, 3) for one, value in shares.items()}
        return figures


def _cases(language: str, around: list[Neighbors], encode: Any, chooser: random.Random) -> list[Case]:
    """Random lines of one language, each with and without context."""
    holders = [near for near in around if any(file.source.language == language for file in near.files)]
    cases: list[Case] = []
    tried = 0
    while holders and len(cases) < 2 * PER_LANGUAGE and tried < 20 * PER_LANGUAGE:
        tried += 1
        near = chooser.choice(holders)
        number = chooser.choice([n for n, file in enumerate(near.files) if file.source.language == language])
        source = near.files[number].source
        lines = source.text.split("\n")
        line = chooser.randrange(len(lines))
        text = lines[line].rstrip()
        indent = len(text) - len(text.lstrip())
        if len(text) - indent < 2:
            continue
        at = chooser.randrange(indent, len(text))
        before = "\n".join([*lines[:line], text[:at]])
        prefix = before[-2_000:] if len(before) <= 2_000 else before[before.find("\n", len(before) - 2_000) + 1 :]
        after = "\n" + "\n".join(lines[line + 1 :])
        suffix = after if len(after) <= 500 else after[: after.rfind("\n", 0, 500) + 1] or after[:500]
        target = encode(text[at:])
        head = [FILE, *encode(source.path + "\n"), SUFFIX, *encode(suffix), PREFIX, *encode(prefix)]
        context = []
        for path, shown in (*near.similar(number, prefix, suffix, PASSAGES), *near.definitions(number, prefix)):
            context += [FILE, *encode(f"{path}\n{shown}\n")]
        if len(context) + len(head) + len(target) < LENGTH + 200:
            cases.append((language, False, [END, *head, *target], len(target)))
            cases.append((language, True, [END, *context, *head, *target], len(target)))
    return cases
