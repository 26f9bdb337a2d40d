"""Which files of the fetched packages the model may see: the languages it is for, and no text twice.

A file goes when most of its longer lines stand in files taken before it. Held-out packages come first, so that what
training shares with them is left out of training.
"""

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

from training.static_embedder.corpus import SourceFile, read_package
from training.static_embedder.fetch import PACKAGES, Package, read_packages

OWN_PACKAGES = Path(__file__).with_name("packages.txt")

#: Languages of the model, in the order in which documents list them; TSX counts as TypeScript.
LANGUAGES = ("python", "javascript", "typescript", "go", "rust", "java", "c", "cpp", "csharp", "ruby", "php", "bash")
_ALIASES = {"tsx": "typescript"}

#: Bytes of one language that one package may give; the rest of a large package is left out at random.
MAX_OF_PACKAGE = 6_000_000
_LONG_LINE = 24
_SEEN_SHARE = 0.6


@dataclass(frozen=True, slots=True)
class Source:
    path: str  # within its package
    language: str  # one of LANGUAGES
    text: str


def pinned() -> list[tuple[Package, bool]]:
    """Every package, and whether it is held out: held-out ones first, then in the order of the lists."""
    held_out = {line.split()[1] for line in OWN_PACKAGES.read_text("utf-8").splitlines() if line.endswith(" held-out")}
    packages = [*read_packages(PACKAGES), *read_packages(OWN_PACKAGES)]
    marked = [(package, f"{package.name}=={package.version}" in held_out) for package in packages]
    return sorted(marked, key=lambda entry: not entry[1])


def language_of(file: SourceFile) -> str:
    """The model's name of a file's language; "" when the model is not for it."""
    name = _ALIASES.get(file.language, file.language)
    return name if name in LANGUAGES else ""


def material(package: Package, cache: Path) -> list[Source]:
    """The files of one fetched package, within its share."""
    if not package.folder(cache).is_dir():
        return []
    files = [file for file in read_package(package, cache) if language_of(file)]
    random.Random(crc32(package.name.encode())).shuffle(files)
    taken = dict.fromkeys(LANGUAGES, 0)
    kept = []
    for file in files:
        language = language_of(file)
        if taken[language] + len(file.data) <= MAX_OF_PACKAGE:
            taken[language] += len(file.data)
            kept.append(Source(_path(file), language, _text(file)))
    return sorted(kept, key=lambda file: file.path)


def without_repeats(files: Iterable[Source], seen: set[int]) -> Iterator[Source]:
    """The files that hold something new; `seen` collects the lines of those given out."""
    for file in files:
        lines = {hash(line) for raw in file.text.split("\n") if len(line := raw.strip()) >= _LONG_LINE}
        if lines and len(lines & seen) <= _SEEN_SHARE * len(lines):
            seen |= lines
            yield file


def _text(file: SourceFile) -> str:
    return file.data.decode("utf-8").replace("\r\n", "\n").removeprefix("\ufeff")


def _path(file: SourceFile) -> str:
    """Below the folder that an archive puts everything into, as an editor would show it."""
    first, _, rest = file.path.removeprefix("./").partition("/")
    return rest if rest and not first.startswith(("usr", "src", "lib")) else file.path
