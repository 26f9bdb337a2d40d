"""Where to cut a file: a price for every line a cut could come before, a price for every size, and the cheapest sum.

Cuts come before lines only, save in lines longer than `MAX_LINE`. Cheap: before definitions and after blank lines.
Dear: deep in statements, before closing brackets, away from the target size. No language is named here.
"""

import re
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from functools import lru_cache

from tree_sitter import Node

from impetus.domain.outline import Scope

MAX_LINE = 4_000  # a longer line is split


@dataclass(frozen=True, slots=True)
class Sizes:
    """What a chunk should measure, in bytes. Nothing is merged beyond `merged`; only one line can be larger."""

    small: int = 750
    ideal: int = 1_050
    large: int = 1_500
    merged: int = 2_250


STANDARD = Sizes()

_SPACING = 40  # weak places nearer than this to the one before are not considered; bounds the search
_STRONG = 0.5

#: Lines that belong to what stands above them.
_CLOSER = re.compile(
    rb"[ \t\f]*(?:[)\]}>]|</|\*/|-->|(?:end|fi|done|esac|else|elif|elsif|elseif|except|finally|catch|rescue|ensure|then"
    rb"|do|in|of|and|or)\b|&&|\|\||[.,?:+]|\|>)"
)
_COMMENT = re.compile(rb"[ \t\f]*(?://|#|--|/\*|\*|;|<!--)")
_INDENT = re.compile(rb"[ \t]*")


def cut(
    data: bytes, line_starts: list[int], root: Node | None, scopes: list[Scope], sizes: Sizes = STANDARD
) -> list[int]:
    """Choose the offsets to cut at: 0, the cuts in order, and the length of `data`; empty for an empty file."""
    if not data:
        return []
    places = _Places(data, line_starts, sizes.large)
    if root is not None and len(data) > sizes.small:
        places.add_nodes(root)
    for scope in scopes:
        places.add_definition(scope)
    offsets, prices = places.filled()
    return _cheapest(offsets, prices, sizes)


class _Places:
    """Prices of the places where a cut may come."""

    def __init__(self, data: bytes, line_starts: list[int], large: int) -> None:
        self._data = data
        self._large = large
        self._starts = line_starts
        self._prices: dict[int, float] = {}  # index of a line to the price of a cut before it
        self._barred: set[int] = set()  # lines between the beginning of a definition and its name

    def add_nodes(self, root: Node) -> None:
        """Offer the children of every node that is too large to stay whole."""
        pending = [root]
        data, starts, prices, large = self._data, self._starts, self._prices, self._large
        while pending:
            for child in pending.pop().children:
                start, end = child.byte_range
                if end - start > large:
                    pending.append(child)
                if not child.is_named:
                    continue
                line = bisect_right(starts, start) - 1
                if line not in prices and not data[starts[line] : start].strip():
                    prices[line] = self._price(line, 0.8)

    def add_definition(self, scope: Scope) -> None:
        definition = scope.definition
        line = definition.start_line - 1
        if self._data[self._starts[line] : definition.start].strip():
            return
        one_line = definition.start_line == definition.end_line  # a constant or field among others
        price = self._price(line, 0.3 * len(definition.scope) + 0.3 * one_line, comments_count=one_line)
        self._prices[line] = min(price, self._prices.get(line, price))
        self._barred.update(range(line + 1, min(definition.name_line, line + 40)))

    def filled(self) -> tuple[list[int], list[float]]:
        """Offsets and prices in order; lines are offered wherever the structure leaves more than a chunk between."""
        starts, end = self._starts, len(self._data)
        offsets: list[int] = [0]
        prices: list[float] = [0.0]
        for line in sorted(line for line in self._prices if line not in self._barred or self._prices[line] < _STRONG):
            start, price = starts[line], self._prices[line]
            if start == 0:
                continue
            if start - offsets[-1] > self._large:
                self._fill(start, offsets, prices)
            if price > _STRONG and start - offsets[-1] < _SPACING:
                continue
            offsets.append(start)
            prices.append(price)
        if end - offsets[-1] > self._large:
            self._fill(end, offsets, prices)
        offsets.append(end)
        prices.append(0.0)
        return offsets, prices

    def _fill(self, end: int, offsets: list[int], prices: list[float]) -> None:
        """Offer lines up to `end`, and places inside lines that are too long."""
        starts = self._starts
        line = bisect_left(starts, offsets[-1])
        stop = bisect_left(starts, end)
        while line < stop:
            start = starts[line]
            line += 1
            line_end = starts[line] if line < len(starts) else len(self._data)
            is_blank = not self._data[start:line_end].strip()
            if start - offsets[-1] >= (self._large // 2 if is_blank else _SPACING):
                offsets.append(start)
                prices.append(self._price(line - 1, 2.0))
            if line_end - start > MAX_LINE:
                if offsets[-1] != start:
                    offsets.append(start)
                    prices.append(2.0)
                while line_end - offsets[-1] > MAX_LINE:
                    offsets.append(self._character_start(offsets[-1] + MAX_LINE))
                    prices.append(0.0)

    def _character_start(self, offset: int) -> int:
        for back in range(4):
            if self._data[offset - back] & 0xC0 != 0x80:
                return offset - back
        return offset

    def _price(self, line: int, base: float, *, comments_count: bool = True) -> float:
        data, start = self._data, self._starts[line]
        indent = _INDENT.match(data, start)
        width = len(indent[0].expandtabs(4)) if indent else 0
        price = base + 0.02 * min(width, 40)
        next_start = self._starts[line + 1] if line + 1 < len(self._starts) else len(data)
        if not data[start:next_start].strip():
            return price + 3.0
        if _CLOSER.match(data, start):
            price += 3.0
        if line > 0:
            before = self._starts[line - 1]
            if not data[before:start].strip():
                price -= 0.25 if base < _STRONG else 0.4
            elif comments_count and _COMMENT.match(data, before):
                price += 0.6  # a comment stays with what it is about
        return price


@lru_cache(maxsize=8)
def _size_prices(sizes: Sizes) -> list[float]:
    def price(size: int) -> float:
        if size < sizes.small:
            return 0.2 + 1.5 * (1 - size / sizes.small) ** 2
        if size <= sizes.large:
            return 0.2 + 0.3 * max(0.0, (size - sizes.ideal) / (sizes.large - sizes.ideal))
        return 0.5 + (5 * (size - sizes.large) / sizes.large) ** 2

    return [price(size) for size in range(sizes.merged + 1)]


def _cheapest(offsets: list[int], prices: list[float], sizes: Sizes) -> list[int]:
    """Shortest path over the places: what it costs to cut there, plus what each chunk's size costs."""
    best = [0.0]
    came_from = [0]
    first = 0
    size_prices = _size_prices(sizes)
    for index in range(1, len(offsets)):
        end = offsets[index]
        while end - offsets[first] > sizes.merged and first < index:
            first += 1
        if first == index:  # one piece that nothing divides
            first -= 1
            best.append(best[first] + prices[index])
            came_from.append(first)
            continue
        cost, source = min((best[place] + size_prices[end - offsets[place]], place) for place in range(first, index))
        best.append(cost + prices[index])
        came_from.append(source)
    chosen = [len(offsets) - 1]
    while chosen[-1] > 0:
        chosen.append(came_from[chosen[-1]])
    return [offsets[index] for index in reversed(chosen)]
