"""Core ML packages, checked by an interpreter over what was saved: numbers, layout, shared weights, and the backend
around them. Nothing here runs Core ML itself.
"""

import shutil
from pathlib import Path

import numpy as np
import pytest
from tests.support import coreml
from tests.support.mil_interpreter import Interpreter
from tests.support.minilm import minilm_folder
from tests.support.tiny_encoder import write_encoder

from impetus.adapters import coreml_builder, coreml_embedder, mlx_encoder, numpy_encoder
from impetus.adapters.coreml_builder import BUCKETS, Precision
from impetus.adapters.encoder_folder import Encoder, EncoderFolder
from impetus.adapters.local_embedder import LocalEmbedder
from impetus.domain.canary import TEXTS
from impetus.errors import ModelError, ModelUnavailable

#: Least cosine to float32, by precision. Of float16 the project asks for 0.999 on the device; the saved program itself,
#: each operation rounded to its type, does better.
FLOOR: dict[Precision, float] = {"float16": 0.9999, "int8": 0.995}


@pytest.fixture(scope="module")
def minilm() -> tuple[EncoderFolder, Encoder]:
    folder = EncoderFolder(minilm_folder())
    return folder, folder.load()


@pytest.fixture(scope="module", params=["float16", "int8"])
def minilm_package(
    request: pytest.FixtureRequest, minilm: tuple[EncoderFolder, Encoder], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Precision]:
    """Every bucket in float16; of int8, whose weights are the same in each, the smallest."""
    package = tmp_path_factory.mktemp("coreml") / f"{request.param}.mlpackage"
    buckets = BUCKETS if request.param == "float16" else BUCKETS[:1]
    coreml_builder.build(minilm[1], minilm[0].pooling, package, buckets=buckets, precision=request.param)
    return package, request.param


def test_real_weights_give_the_vectors_of_float32_in_every_bucket(
    minilm: tuple[EncoderFolder, Encoder], minilm_package: tuple[Path, Precision]
) -> None:
    """All texts where that is quick, a quarter of them, the long ones included, where it is not; `tests.bench.coreml`
    runs all of them everywhere.
    """
    folder, encoder = minilm
    package, precision = minilm_package
    all_rows = folder.tokenizer().encode(TEXTS)
    interpreter = coreml.opened(package)
    for length in (64, 128, 256, 512) if precision == "float16" else (64,):
        rows = [row[:length] for row in (all_rows if length <= 128 else all_rows[3::4])]
        found = coreml.vectors(package, encoder, rows, length)
        cosines = (found * numpy_encoder.encode(encoder, rows, folder.pooling)).sum(axis=1)
        assert cosines.min() >= FLOOR[precision], f"{length} tokens, text {int(cosines.argmin())}"
    assert interpreter.functions == {f"s{length}" for length in (BUCKETS if precision == "float16" else BUCKETS[:1])}


def test_functions_share_their_weights(minilm_package: tuple[Path, Precision]) -> None:
    package, precision = minilm_package
    weights = (package / "Data/com.apple.CoreML/weights/weight.bin").stat().st_size
    megabytes = {"float16": 21.3, "int8": 10.7}[precision]  # 10.6 million parameters without the words
    assert weights / 1e6 == pytest.approx(megabytes, rel=0.05)


def test_all_that_is_computed_is_float16_in_the_engine_s_layout(minilm_package: tuple[Path, Precision]) -> None:
    package, _ = minilm_package
    interpreter = coreml.opened(package)
    assert interpreter.output_types("s64") == {np.float16}
    kinds = set(interpreter.operations("s64"))
    assert {"conv", "einsum", "softmax", "layer_norm", "gelu"} <= kinds
    assert not kinds & {"linear", "matmul", "gather", "reshape", "cast"}, "these leave the Neural Engine"


@pytest.fixture(scope="module", params=[("bert", "cls"), ("nomic_bert", "mean"), ("nomic_bert", "cls")])
def tiny(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> EncoderFolder:
    kind, pooling = request.param
    return EncoderFolder(write_encoder(tmp_path_factory.mktemp("tiny"), kind, pooling=pooling))


@pytest.mark.parametrize("precision", ["float16", "int8"])
def test_other_shapes_agree_too(tiny: EncoderFolder, tmp_path: Path, precision: Precision) -> None:
    encoder = tiny.load()
    package = tmp_path / "tiny.mlpackage"
    coreml_builder.build(encoder, tiny.pooling, package, buckets=(64,), precision=precision)
    rows = tiny.tokenizer().encode(TEXTS)
    found = coreml.vectors(package, encoder, rows, 64)
    cosines = (found * numpy_encoder.encode(encoder, rows, tiny.pooling)).sum(axis=1)
    assert cosines.min() >= FLOOR[precision]


@pytest.mark.parametrize("kind", ["bert", "nomic_bert", "minilm"])
def test_mlx_and_numpy_are_one_space(kind: str, tmp_path: Path) -> None:
    path = minilm_folder() if kind == "minilm" else write_encoder(tmp_path, kind)
    folder = EncoderFolder(path)
    rows = folder.tokenizer().encode(TEXTS)
    cosines = (mlx_encoder.backend(folder)(rows) * numpy_encoder.backend(folder)(rows)).sum(axis=1)
    assert cosines.min() >= 0.9999


def test_mlx_numpy_and_the_saved_program_are_one_space_on_real_weights(
    minilm: tuple[EncoderFolder, Encoder], minilm_package: tuple[Path, Precision]
) -> None:
    package, precision = minilm_package
    if precision != "float16":
        pytest.skip("int8 weights are other weights")
    folder, encoder = minilm
    rows = [row[:64] for row in folder.tokenizer().encode(TEXTS)]
    by_numpy, by_mlx = numpy_encoder.encode(encoder, rows, folder.pooling), mlx_encoder.backend(folder)(rows)
    by_mil = coreml.vectors(package, encoder, rows, 64)
    for one, other in ((by_numpy, by_mlx), (by_numpy, by_mil), (by_mlx, by_mil)):
        assert (one * other).sum(axis=1).min() >= 0.9999


@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_mlx_numpy_and_the_saved_program_are_one_space_for_nomic_bert(tmp_path: Path, pooling: str) -> None:
    """Random weights: the shape of nomic-embed-text-v1.5 and CodeRankEmbed, whose own cannot be had here."""
    folder = EncoderFolder(write_encoder(tmp_path / "nomic", "nomic_bert", pooling=pooling))
    encoder = folder.load()
    coreml_builder.build(encoder, folder.pooling, tmp_path / "nomic.mlpackage", buckets=(64,))
    rows = folder.tokenizer().encode(TEXTS)
    by_numpy, by_mlx = numpy_encoder.encode(encoder, rows, folder.pooling), mlx_encoder.backend(folder)(rows)
    by_mil = coreml.vectors(tmp_path / "nomic.mlpackage", encoder, rows, 64)
    for one, other in ((by_numpy, by_mlx), (by_numpy, by_mil), (by_mlx, by_mil)):
        assert (one * other).sum(axis=1).min() >= 0.9999


# -- the backend -----------------------------------------------------------------------------------------------------


def test_a_package_is_built_once(tiny: EncoderFolder, tmp_path: Path) -> None:
    first = LocalEmbedder(tiny.folder, coreml_embedder.backend(tmp_path, buckets=(64,), load=coreml.load))
    vectors = first.embed(["def add(a, b):", "x" * 500])
    (package,) = tmp_path.glob("*.mlpackage")
    made = package.stat().st_mtime_ns
    again = LocalEmbedder(tiny.folder, coreml_embedder.backend(tmp_path, buckets=(64,), load=coreml.load))
    assert np.array_equal(again.embed(["def add(a, b):", "x" * 500]), vectors)
    assert package.stat().st_mtime_ns == made
    assert (vectors * LocalEmbedder(tiny.folder).embed(["def add(a, b):", "x" * 500])).sum(axis=1).min() > 0.999
    shutil.rmtree(package)


def test_a_package_that_cannot_be_built_is_said(tiny: EncoderFolder, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("")
    embedder = LocalEmbedder(tiny.folder, coreml_embedder.backend(tmp_path / "cache", buckets=(64,), load=coreml.load))
    with pytest.raises(ModelError, match=r"cannot be built \((NotADirectory|FileExists)Error"):
        embedder.embed(["x"])


@pytest.mark.parametrize("bad", [0.0, float("nan"), float("inf")])
def test_a_bad_vector_is_never_given_out(tiny: EncoderFolder, tmp_path: Path, bad: float) -> None:
    (tmp_path / f"{tiny.id}-float16.mlpackage").mkdir()
    embedder = LocalEmbedder(
        tiny.folder,
        coreml_embedder.backend(tmp_path, load=lambda package, name: lambda inputs: np.full((1, 32), bad, np.float16)),
    )
    with pytest.raises(ModelError, match="zero or not finite"):
        embedder.embed(["x"])


def test_a_text_goes_to_the_smallest_function_that_holds_it(tiny: EncoderFolder, tmp_path: Path) -> None:
    (tmp_path / f"{tiny.id}-float16.mlpackage").mkdir()
    asked: list[tuple[str, int]] = []

    def load(package: Path, name: str) -> coreml_embedder.Predict:
        def predict(inputs: object) -> object:
            asked.append((name, inputs["embedded"].shape[-1]))  # type: ignore[index]
            return np.ones((1, 32), np.float16)

        return predict

    embedder = LocalEmbedder(tiny.folder, coreml_embedder.backend(tmp_path, buckets=(16, 64), load=load))
    embedder.embed(["a b c", "a " * 30, "a " * 500])
    assert asked == [("s16", 16), ("s64", 64), ("s64", 64)]


@pytest.mark.skipif("sys.platform == 'darwin'", reason="the opposite is true there")
def test_elsewhere_it_says_what_to_set(tiny: EncoderFolder, tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match=r"needs macOS; set embedding\.compute"):
        LocalEmbedder(tiny.folder, coreml_embedder.backend(tmp_path)).embed(["x"])


def test_the_interpreter_reads_what_was_written(tmp_path: Path) -> None:
    """Weights changed in the file change the result, so agreement above is agreement with the file."""
    folder = EncoderFolder(write_encoder(tmp_path / "model"))
    encoder = folder.load()
    package = tmp_path / "tiny.mlpackage"
    coreml_builder.build(encoder, "mean", package, buckets=(64,))
    rows = folder.tokenizer().encode(["def add(a, b):"])
    before = coreml.vectors(package, encoder, rows, 64)
    weights = package / "Data/com.apple.CoreML/weights/weight.bin"
    stored = encoder.layers[0].value.weight.astype(np.float16).tobytes()
    data = weights.read_bytes()
    assert data.count(stored) == 1
    weights.write_bytes(data.replace(stored, bytes(len(stored))))
    inputs = coreml_builder.inputs(encoder, rows[0], 64)
    after = Interpreter(package).run("s64", inputs).astype(np.float32)
    assert float((before * after / np.linalg.norm(after)).sum()) < 0.9999
