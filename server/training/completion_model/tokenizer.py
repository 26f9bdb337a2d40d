"""The model's tokenizer: byte-level BPE whose pieces end where a person's cursor may stand.

    python -m training.completion_model.tokenizer OUT [--shards FOLDER]

A line feed is always a token of its own, indentation and other runs of white space are never joined with what follows,
punctuation is never joined with letters, and identifiers are cut at case changes and underscores. So the tokens left
of a cursor are nearly always those that the whole text would have given. Writes OUT/tokenizer.json.
"""

import argparse
import random
from collections.abc import Iterator
from pathlib import Path

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from training.completion_model.corpus import LANGUAGES
from training.completion_model.samples import SPECIALS, read_shard

VOCABULARY = 16_384

#: Characters of each language that the merges are learned from; Python counts twice.
SAMPLE = 7_000_000

PIECES = (
    r"\n|[ \t]{2,}|(?<=\n)[ \t]"
    r"|[ _]?(?:\p{Lu}+(?!\p{Ll})|\p{Lu}?\p{Ll}+|[\p{L}\p{M}]+)"
    r"| ?\p{N}{1,3}| ?_+| ?[^\s\p{L}\p{N}_]+|\s"
)


def train(texts: Iterator[str], size: int = VOCABULARY) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PIECES), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=list(SPECIALS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def sample(shards: list[Path], seed: int = 1) -> Iterator[str]:
    """Files of all shards in random order until every language has given its part."""
    chooser = random.Random(seed)
    left = {name: SAMPLE * (2 if name == "python" else 1) for name in LANGUAGES}
    for shard in shards:
        share = {name: size // len(shards) for name, size in left.items()}
        files = [file for package in read_shard(shard) for file in package.files]
        chooser.shuffle(files)
        for file in files:
            if share[file.language] > 0:
                share[file.language] -= len(file.text)
                yield file.text


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--shards", type=Path, help="where the shards are, when not in OUT")
    arguments = parser.parse_args()
    shards = sorted((arguments.shards or arguments.out).glob("shard-*.jsonl.xz"))
    tokenizer = train(sample(shards))
    tokenizer.save(str(arguments.out / "tokenizer.json"))
    print(f"{tokenizer.get_vocab_size()} tokens")


if __name__ == "__main__":
    main()
