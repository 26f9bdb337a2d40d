"""How much of a query stands in a path or a name: words, inflections included (`retries` asks for `retry`).

One `Overlap` lives as long as one query and remembers every word and name that it has judged.
"""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import TypeVar

from impetus.domain.kinds_of_path import is_index
from impetus.domain.query import ParsedQuery, name_parts
from impetus.domain.tokens import parts

T = TypeVar("T")

#: Folders that count, from the file upwards: above them stands what is common to the whole project.
_FOLDERS = 3
#: Two forms of one word have at least so many first letters in common.
_COMMON = 4


class PathOverlap:
    """Overlap of the query with one path; shares from 0 to 1."""

    __slots__ = ("asked", "folder", "named", "stem")

    def __init__(self, stem: float, folder: float, asked: float, named: bool) -> None:
        self.stem = stem  # share of the words of the file's name that the query has
        self.folder = folder  # the same for the best of its folders
        self.asked = asked  # share of the query that name and folders have, rare words counting more
        self.named = named  # the query spells this path or its end


_NOTHING = PathOverlap(0.0, 0.0, 0.0, False)


class Overlap:
    def __init__(self, query: ParsedQuery, rarity: Mapping[str, float]) -> None:
        words = frozenset(part for term in query.terms for part in parts(term)) or name_parts(query.identifiers)
        self._weights = {word: rarity.get(word, 1.0) for word in words}
        self._total = sum(self._weights.values()) or 1.0
        self._by_beginning: dict[str, list[str]] = {}
        for word in words:
            self._by_beginning.setdefault(word[:_COMMON], []).append(word)
        self._named = query.paths
        self._asked = _Remembered(self._asked_by)
        self._names = _Remembered(self._name)

    def name(self, name: str) -> float:
        """Share of the words of `name` that the query has."""
        return self._names[name]

    def names(self, symbols: tuple[str, ...], scope: tuple[str, ...]) -> float:
        """The best of the names that a passage defines, or half of the best of those around it."""
        if not self._may_be_in("\n".join((*symbols, *scope)).lower()):
            return 0.0
        shares = self._names
        own = max([shares[name] for name in symbols], default=0.0)
        return max(own, max([shares[name] for name in scope], default=0.0) / 2)

    def path(self, path: str) -> PathOverlap:
        lower = f"/{path.lower()}"
        if not self._named and not self._may_be_in(lower):
            return _NOTHING
        stem, folders = _path_words(path)
        asked = {
            word
            for words in (stem, *folders)
            for part in words
            if part[:_COMMON] in self._by_beginning
            for word in self._asked[part]
        }
        return PathOverlap(
            self._share(stem),
            max(map(self._share, folders), default=0.0),
            sum(self._weights[word] for word in asked) / self._total,
            any(
                lower.endswith(f"/{named}") or f"/{named}/" in lower or f"/{named}".endswith(lower)
                for named in self._named
            ),
        )

    def _name(self, name: str) -> float:
        return self._share(_words(name)) if self._may_be_in(name.lower()) else 0.0

    def _may_be_in(self, lower: str) -> bool:
        """Whether a word of the query may begin in this text: most have none, and to take them apart costs more."""
        for beginning in self._by_beginning:  # noqa: SIM110 - `any` would make a generator each time
            if beginning in lower:
                return True
        return False

    def _share(self, words: tuple[str, ...]) -> float:
        found = 0
        for word in words:
            if word[:_COMMON] in self._by_beginning and self._asked[word]:
                found += 1
        return found / len(words) if found else 0.0

    def _asked_by(self, word: str) -> tuple[str, ...]:
        """The words of the query that `word` is one form of."""
        return tuple(asked for asked in self._by_beginning[word[:_COMMON]] if same_word(word, asked))


class _Remembered(dict[str, T]):
    """Values by key, each made once."""

    def __init__(self, make: Callable[[str], T]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, key: str) -> T:
        value = self[key] = self._make(key)
        return value


def same_word(word: str, asked: str) -> bool:
    """Equal, or inflections of one word: a common beginning of four letters that leaves little over."""
    if word == asked:
        return True
    short, long = (word, asked) if len(word) < len(asked) else (asked, word)
    for cut in (0, 1, 2):
        common = len(short) - cut
        if common < _COMMON or len(long) - common > 4:
            return False
        if long.startswith(short[:common]):
            return True
    return False


def _words(text: str) -> tuple[str, ...]:
    return tuple([part for part in parts(text) if len(part) > 1])


@lru_cache(maxsize=16_384)
def _path_words(path: str) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    """Words of the file's name without its ending, and of its nearest folders."""
    *folders, name = path.split("/")
    stem = _words(folders[-1] if folders and is_index(path) else name.rsplit(".", 1)[0])
    return stem, tuple(_words(folder) for folder in folders[-_FOLDERS:])
