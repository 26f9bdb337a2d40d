"""How well a table alone finds code in labelled repositories: no lexical search, no ranking rules.

    python -m training.static_embedder.evaluate FOLDER --labels DIR --repos DIR

FOLDER holds the files that the package ships; DIR of labels has `repos.jsonl` and `annotations/NAME.json`, DIR of
repositories a checkout per name. Prints NDCG@10 per repository and the mean over all queries.
"""

import argparse
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from impetus.adapters.static_embedder import StaticEmbedder
from impetus.domain.chunking import analyse
from impetus.languages import detect
from training.static_embedder.pairs import chunk_text

_NOT_CODE = frozenset({"text", "json", "yaml", "toml", "css", "html", "sql", "markdown"})
_MAX_FILE = 1_000_000


@dataclass(frozen=True, slots=True)
class Place:
    path: str
    start_line: int
    end_line: int


def read_chunks(repository: Path, folder: str = "") -> tuple[list[Place], list[str]]:
    """Cut every source file under `folder`; paths are relative to the repository, as those of the labels are."""
    places, texts = [], []
    for file in sorted((repository / folder).rglob("*")):
        path = file.relative_to(repository).as_posix()
        if ".git" in file.parts or not file.is_file() or file.stat().st_size > _MAX_FILE:
            continue
        data = file.read_bytes()
        language = detect(path, data[:256])
        if language in _NOT_CODE or b"\0" in data:
            continue
        for chunk in analyse(data, language).chunks:
            places.append(Place(path, chunk.start_line, chunk.end_line))
            texts.append(chunk_text(chunk, data))
    return places, texts


def ndcg(found: list[Place], targets: list[Any], *, limit: int = 10) -> float:
    """Gain of each target at the rank of the first chunk that meets it."""
    gain = 0.0
    for target in targets:
        rank = next((rank for rank, place in enumerate(found[:limit]) if _meets(place, target)), None)
        if rank is not None:
            gain += 1 / math.log2(rank + 2)
    return gain / sum(1 / math.log2(rank + 2) for rank in range(min(limit, len(targets))))


def _meets(place: Place, target: Any) -> bool:
    path = target if isinstance(target, str) else target["path"]
    if not place.path.endswith(path):
        return False
    if isinstance(target, str) or "start_line" not in target:
        return True
    return bool(place.start_line <= target["end_line"] and place.end_line >= target["start_line"])


def evaluate(embedder: StaticEmbedder, labels: Path, repositories: Path) -> dict[str, list[float]]:
    scores: dict[str, list[float]] = {}
    for line in (labels / "repos.jsonl").read_text(encoding="utf-8").splitlines():
        entry = json.loads(line)
        places, texts = read_chunks(repositories / entry["name"], entry["benchmark_root"] or "")
        vectors = embedder.embed(texts)
        queries = json.loads((labels / "annotations" / f"{entry['name']}.json").read_text(encoding="utf-8"))
        for query in queries:
            order = np.argsort(-(vectors @ embedder.embed_query(query["query"])), kind="stable")[:10]
            targets = [*query["relevant"], *query["secondary"]]
            scores.setdefault(entry["name"], []).append(ndcg([places[number] for number in order], targets))
            scores.setdefault("category " + query["category"], []).append(scores[entry["name"]][-1])
    return scores


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--labels", type=Path, required=True)
    parser.add_argument("--repos", type=Path, required=True)
    arguments = parser.parse_args()
    scores = evaluate(StaticEmbedder(arguments.folder), arguments.labels, arguments.repos)
    for name, values in scores.items():
        print(f"{name:28} {np.mean(values):.3f} ({len(values)})")
    every = [value for name, values in scores.items() if not name.startswith("category") for value in values]
    print(f"{'all':28} {np.mean(every):.3f} ({len(every)})")


if __name__ == "__main__":
    main()
