"""Scores worked out by hand, and the loop over labeled repositories with a scripted engine."""

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from impetus.domain.types import Hit
from impetus.errors import BadRequest, NotFound
from impetus.services.evaluation import (
    DEPTH,
    Passage,
    QueryScore,
    RepositoryScore,
    checkouts_in,
    evaluate,
    ndcg,
    percentile,
    same_file,
    score_query,
    summarize,
)
from impetus.services.evaluation_labels import LabeledQuery, Target, read_labels

SECOND = 1 / math.log2(3)  # gain at rank 2: 0.6309
THIRD = 0.5  # 1 / log2(4)


@dataclass(frozen=True)
class Found:
    path: str
    start_line: int = 1
    end_line: int = 40


def query(*targets: Target | str, category: str = "semantic") -> LabeledQuery:
    return LabeledQuery("q", tuple(Target(t) if isinstance(t, str) else t for t in targets), category)


def found(*paths: str) -> list[Found]:
    return [Found(path) for path in paths]


class TestNdcg:
    def test_one_target_at_rank_two(self) -> None:
        assert ndcg([2]) == pytest.approx(0.6309, abs=1e-4)

    def test_two_targets_one_missing(self) -> None:
        assert ndcg([1, None]) == pytest.approx(1 / (1 + SECOND))

    def test_two_targets_at_one_and_three(self) -> None:
        assert ndcg([3, 1]) == pytest.approx((1 + THIRD) / (1 + SECOND))

    def test_rank_ten_counts_and_rank_eleven_does_not(self) -> None:
        assert ndcg([10]) == pytest.approx(1 / math.log2(11))
        assert ndcg([11]) == 0

    def test_the_ideal_stops_at_ten_targets(self) -> None:
        assert ndcg([*range(1, 11), None, None]) == pytest.approx(1)

    def test_without_targets(self) -> None:
        assert ndcg([]) == 0

    @given(st.lists(st.none() | st.integers(1, 30), min_size=1, max_size=20, unique=True))
    def test_between_zero_and_one_for_distinct_ranks(self, ranks: list[int | None]) -> None:
        assert 0 <= ndcg(ranks) <= 1 + 1e-9


class TestSameFile:
    @pytest.mark.parametrize(
        ("path", "target"),
        [
            ("src/a.py", "src/a.py"),
            ("src/a.py", "a.py"),
            ("repo/src/a.py", "src/a.py"),
        ],
    )
    def test_equal_or_a_suffix_of_whole_parts(self, path: str, target: str) -> None:
        assert same_file(path, target)

    @pytest.mark.parametrize(("path", "target"), [("src/ba.py", "a.py"), ("a.py", "src/a.py"), ("a/x.py", "b/x.py")])
    def test_no_match_inside_a_name_nor_of_a_shorter_path(self, path: str, target: str) -> None:
        assert not same_file(path, target)


class TestChunkProtocol:
    def test_span_must_overlap(self) -> None:
        label = query(Target("a.py", 50, 60))
        passages = [Found("a.py", 1, 49), Found("a.py", 61, 90), Found("a.py", 60, 61)]
        assert score_query(label, passages).ndcg == pytest.approx(THIRD)

    @pytest.mark.parametrize(("start", "end"), [(40, 50), (60, 70), (52, 53), (1, 99)])
    def test_ends_are_inclusive(self, start: int, end: int) -> None:
        assert score_query(query(Target("a.py", 50, 60)), [Found("a.py", start, end)]).ndcg == 1

    def test_the_span_does_not_matter_for_files(self) -> None:
        score = score_query(query(Target("a.py", 50, 60)), [Found("a.py", 1, 2)])
        assert (score.ndcg, score.ndcg_file, score.recall) == (0, 1, 1)

    def test_chunks_of_one_file_take_up_ranks(self) -> None:
        score = score_query(query("b.py"), found("a.py", "a.py", "b.py"))
        assert score.ndcg == pytest.approx(THIRD)
        assert score.ndcg_file == pytest.approx(SECOND)

    def test_a_target_found_twice_gains_once(self) -> None:
        assert score_query(query("a.py", "b.py"), found("a.py", "a.py")).ndcg == pytest.approx(1 / (1 + SECOND))

    def test_two_spans_of_one_file_may_share_a_chunk(self) -> None:
        label = query(Target("a.py", 1, 5), Target("a.py", 10, 15))
        assert score_query(label, [Found("a.py", 1, 20)]).ndcg == pytest.approx(2 / (1 + SECOND))

    def test_eleventh_chunk_does_not_count_but_its_file_may(self) -> None:
        score = score_query(query("b.py"), [*found(*["a.py"] * 10), Found("b.py")])
        assert score.ndcg == 0
        assert score.ndcg_file == pytest.approx(SECOND)
        assert score.recall == 1

    def test_paths_are_relative_to_the_folder(self) -> None:
        label = query("pkg/__init__.py")
        assert score_query(label, found("__init__.py"), folder="pkg").ndcg == 1
        assert score_query(label, found("sub/__init__.py"), folder="pkg/").ndcg == 0


class TestFileProtocol:
    def test_recall_counts_targets_in_ten_distinct_files(self) -> None:
        passages = found("a.py", *[f"{n}.py" for n in range(9)], "b.py")
        assert score_query(query("a.py", "b.py"), passages).recall == 0.5

    def test_nothing_found(self) -> None:
        score = score_query(query("a.py"), [])
        assert (score.ndcg, score.ndcg_file, score.recall) == (0, 0, 0)

    def test_a_hit_of_the_retriever_is_a_passage(self) -> None:
        hit = Hit(root=Path("/w"), path="a.py", start_line=1, end_line=2, score=1.0, text="x")
        assert score_query(query("a.py"), [hit]).ndcg == 1


def ticking() -> Callable[[], float]:
    """Each look at the clock is a second later."""
    ticks = count()
    return lambda: float(next(ticks))


@dataclass
class ScriptedEngine:
    answers: dict[str, list[Found]]
    indexed: list[Path] = field(default_factory=list)
    asked: list[tuple[str, Path, int]] = field(default_factory=list)

    async def index(self, root: Path) -> None:
        self.indexed.append(root)

    async def search(self, query: str, root: Path, limit: int) -> Sequence[Passage]:
        self.asked.append((query, root, limit))
        return self.answers.get(query, [])


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    directory = tmp_path / "labels"
    (directory / "annotations").mkdir(parents=True)
    rows = [
        {"name": "one", "language": "python", "benchmark_root": "src"},
        {"name": "two", "language": "go", "benchmark_root": None},
    ]
    (directory / "repos.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (directory / "annotations" / "one.json").write_text(
        json.dumps(
            [
                {"query": "parse", "category": "symbol", "relevant": ["src/a.py"], "secondary": ["src/b.py"]},
                {
                    "query": "where is it sent",
                    "category": "semantic",
                    "relevant": [{"path": "src/b.py", "start_line": 5, "end_line": 9}],
                    "secondary": [],
                },
            ]
        )
    )
    (directory / "annotations" / "two.json").write_text(
        json.dumps([{"query": "run", "category": "symbol", "relevant": ["main.go"]}])
    )
    for folder in ("trees/one/src", "trees/two"):
        (tmp_path / folder).mkdir(parents=True)
    return directory


ANSWERS = {
    "parse": found("a.py", "c.py", "b.py"),  # (1 + 0.5) / (1 + 0.6309)
    "where is it sent": [Found("b.py", 1, 4), Found("b.py", 9, 12)],  # chunks 0.6309, files 1
    "run": [],
}


async def test_evaluation_of_two_repositories(labels: Path, tmp_path: Path) -> None:
    engine = ScriptedEngine(ANSWERS)
    heard: list[str] = []
    result = await evaluate(
        engine,
        read_labels(labels),
        checkouts_in(tmp_path / "trees"),
        clock=ticking(),
        report=lambda score: heard.append(score.name),
    )

    parse = 1.5 / (1 + SECOND)
    assert result.as_json() == {
        "queries": 3,
        "ndcg10": round((parse + SECOND) / 3, 4),
        "ndcg10_file": round((parse + 1) / 3, 4),
        "recall10": round(2 / 3, 4),
        "by_category": {"semantic": round(SECOND, 4), "symbol": round(parse / 2, 4)},
        "by_language": {"go": 0.0, "python": round((parse + SECOND) / 2, 4)},
        "index_seconds": 2.0,
        "query_ms_p50": 1000.0,
        "query_ms_p95": 1000.0,
    }
    assert json.loads(json.dumps(result.as_json())) == result.as_json()
    assert heard == ["one", "two"]
    assert engine.indexed == [tmp_path / "trees/one/src", tmp_path / "trees/two"]
    assert engine.asked[0] == ("parse", tmp_path / "trees/one/src", DEPTH)


async def test_whole_repository_ignores_the_folder(labels: Path, tmp_path: Path) -> None:
    engine = ScriptedEngine({"parse": found("src/a.py", "src/b.py")})
    result = await evaluate(engine, read_labels(labels), checkouts_in(tmp_path / "trees"), whole_repository=True)
    assert engine.indexed[0] == tmp_path / "trees/one"
    assert result.repositories[0].queries[0].ndcg == pytest.approx(1)


async def test_a_missing_checkout_is_named(labels: Path, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="checkout of one"):
        await evaluate(ScriptedEngine({}), read_labels(labels), checkouts_in(tmp_path / "elsewhere"))


def test_no_queries_is_an_error() -> None:
    with pytest.raises(BadRequest, match="no query"):
        summarize([RepositoryScore("empty", "go", 0.1, ())])


def test_repositories_without_language_stay_out_of_the_languages() -> None:
    score = QueryScore(1, 1, 1, "describes", 0.002)
    assert summarize([RepositoryScore("own", "", 1, (score,))]).by_language == {}


def test_percentiles_are_interpolated() -> None:
    assert percentile([1, 2, 3, 4], 50) == 2.5
    assert percentile([10, 20], 95) == pytest.approx(19.5)
    assert percentile([7], 95) == 7


class TestLabels:
    def test_commit_queries(self, tmp_path: Path) -> None:
        rows = [
            {"query": "fix the parser", "labels": ["src/parser.py"], "leak": True},
            {"query": "faster start", "labels": ["src/a.py", "src/b.py"], "leak": False},
        ]
        (tmp_path / "owner+name.jsonl").write_text("\n".join(map(json.dumps, rows)))
        (repository,) = read_labels(tmp_path)
        assert (repository.name, repository.folder, repository.language) == ("owner+name", "", "")
        assert repository.queries == (
            LabeledQuery("fix the parser", (Target("src/parser.py"),), "names_file"),
            LabeledQuery("faster start", (Target("src/a.py"), Target("src/b.py")), "describes"),
        )

    def test_secondary_targets_and_spans_are_kept(self, labels: Path) -> None:
        one, two = read_labels(labels)
        assert one.queries[0].targets == (Target("src/a.py"), Target("src/b.py"))
        assert one.queries[1].targets == (Target("src/b.py", 5, 9),)
        assert (one.folder, two.folder) == ("src", "")

    def test_an_empty_folder_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(NotFound, match="holds no labels"):
            read_labels(tmp_path)

    def test_a_missing_annotation_is_named(self, labels: Path) -> None:
        (labels / "annotations" / "two.json").unlink()
        with pytest.raises(NotFound, match=r"two\.json"):
            read_labels(labels)

    @pytest.mark.parametrize("content", ["{", '[{"query": "x"}]', "[1]", '{"a": 1}'])
    def test_a_broken_annotation_is_named(self, labels: Path, content: str) -> None:
        (labels / "annotations" / "two.json").write_text(content)
        with pytest.raises(BadRequest, match=r"two\.json"):
            read_labels(labels)

    @pytest.mark.parametrize("content", ["{", '{"query": "x"}', "[]"])
    def test_broken_commit_queries_are_named(self, tmp_path: Path, content: str) -> None:
        (tmp_path / "a.jsonl").write_text(content)
        with pytest.raises(BadRequest, match=r"a\.jsonl"):
            read_labels(tmp_path)
