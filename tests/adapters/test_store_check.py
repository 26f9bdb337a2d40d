"""What the doctor sees of index folders: sound, damaged, in use, chunks without a vector."""

from pathlib import Path

import pytest

from impetus import app_doctor
from impetus.adapters import store_check
from impetus.adapters.static_embedder import StaticEmbedder
from impetus.adapters.store import CATALOG, OpenStore
from impetus.domain.chunking import analyse
from impetus.domain.ports import Digest, FileState
from impetus.services.doctor import Level

ROOT = Path("/project")


@pytest.fixture(scope="module")
def embedder() -> StaticEmbedder:
    return StaticEmbedder()


def fill(folder: Path, embedder: StaticEmbedder, *, vectors: bool) -> int:
    """Store one file; give the number of its chunks."""
    analysis = analyse(b"def parse_url(text):\n    return text\n", "python")
    store = OpenStore(folder, embedder)
    try:
        assert store.writer is not None
        digest = Digest(analysis, tuple("parse url" for _ in analysis.chunks))
        store.writer.apply(ROOT, [digest], {"a.py": FileState(analysis.size, 1, analysis.blob)}, set())
        if vectors:
            store.vectors.add(
                [chunk.id for chunk in analysis.chunks], embedder.embed(["parse url"] * len(analysis.chunks))
            )
    finally:
        store.close()
    return len(analysis.chunks)


def test_no_index_is_sound(tmp_path: Path) -> None:
    assert store_check.folders(tmp_path) == []
    assert app_doctor.indexes(tmp_path).level is Level.GOOD


@pytest.mark.parametrize(("vectors", "level"), [(True, Level.GOOD), (False, Level.WARNING)])
def test_vectors_are_compared_with_the_catalog(
    tmp_path: Path, embedder: StaticEmbedder, vectors: bool, level: Level
) -> None:
    folder = tmp_path / "index" / "one"
    chunks = fill(folder, embedder, vectors=vectors)
    assert store_check.folders(tmp_path) == [folder]
    report = store_check.examine(folder, embedder)
    assert (report.damage, report.owned, report.chunks) == ("", True, chunks)
    assert report.without_vector == (0 if vectors else chunks)
    assert app_doctor.indexes(tmp_path).level is level


def test_an_index_in_use_is_left_alone(tmp_path: Path, embedder: StaticEmbedder) -> None:
    folder = tmp_path / "index" / "one"
    fill(folder, embedder, vectors=True)
    user = OpenStore(folder, embedder)
    try:
        assert store_check.examine(folder, embedder).owned is False
        assert "1 in use by another process" in app_doctor.indexes(tmp_path).finding
    finally:
        user.close()


def test_a_damaged_catalog_is_named(tmp_path: Path, embedder: StaticEmbedder) -> None:
    folder = tmp_path / "index" / "one"
    fill(folder, embedder, vectors=True)
    catalog = folder / CATALOG
    catalog.write_bytes(b"damaged" * 1000)
    assert "not a database" in store_check.examine(folder, embedder).damage
    result = app_doctor.indexes(tmp_path)
    assert result.level is Level.BAD
    assert str(folder) in result.finding
    assert "--full" in result.advice


def test_blas() -> None:
    assert app_doctor.linear_algebra("libopenblas.so.0").level is Level.GOOD
    assert "libopenblas0" in app_doctor.linear_algebra(None).advice
