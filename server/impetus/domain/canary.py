"""What an embedding backend has to get right before it is trusted: texts short and long, code and prose, other scripts,
empty, emoji, compared with the reference; and what is said of one that was tried.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

#: Least cosine to the reference, over all texts.
LEAST_COSINE: Final = 0.999
#: Least share of operations that the system places on the Neural Engine.
LEAST_PLACED: Final = 0.95
#: Most time of a text, in times of the backend that would be used instead.
MOST_TIMES: Final = 2.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a backend did with the canary. `reason` says why it is not trusted, "" when it is.

    Of a draft model (`domain/drafts.py`) only times are known: of one token with it, and without.
    """

    reason: str = ""
    cosine: float = 0.0
    placed: float | None = None  # None: the backend does not say
    seconds: float = 0.0  # of one text
    other_seconds: float = 0.0  # of the backend that would be used instead

    @property
    def passed(self) -> bool:
        return not self.reason


def sound(vectors: NDArray[np.float32], count: int) -> bool:
    """Whether these are `count` vectors of unit length, all of them finite."""
    if vectors.ndim != 2 or len(vectors) != count:
        return False
    lengths = np.einsum("ij,ij->i", vectors, vectors)
    return bool((np.abs(lengths - 1) < 0.01).all())  # False also where one is not a number


def judge(
    vectors: NDArray[np.float32],
    expected: NDArray[np.float32],
    *,
    placed: float | None,
    seconds: float,
    other_seconds: float,
) -> Verdict:
    """`vectors` and the reference's `expected` are of `TEXTS`."""
    if not sound(vectors, len(expected)):
        return Verdict("it gave vectors that are zero or not finite", 0.0, placed, seconds, other_seconds)
    cosine = float(np.einsum("ij,ij->i", vectors, expected).min())
    reason = ""
    if cosine < LEAST_COSINE:
        reason = f"its vectors differ from float32, least cosine {cosine:.4f}"
    elif placed is not None and placed < LEAST_PLACED:
        reason = f"only {placed:.0%} of its operations are placed on it"
    elif seconds > MOST_TIMES * other_seconds:
        reason = f"it is slow, {1000 * seconds:.1f} ms a text where {1000 * other_seconds:.1f} ms can be had"
    return Verdict(reason, cosine, placed, seconds, other_seconds)


_SHORT = (
    "",
    " ",
    "x",
    "parse_url",
    "HTTPConnectionPool",
    "where is the cache invalidated?",
    "TypeError: 'NoneType' object is not subscriptable",
    "src/server/routes.ts",
    "0x7fffffffe3c0",
    "// TODO",
    "{}",
    "\t\t\n\n",
    "SELECT 1;",
    "a" * 200,
    "!@#$%^&*()_+-=[]{}|;':\",./<>?",
    "¯\\_(ツ)_/¯",
)
_CODE = (
    "def add(a: int, b: int) -> int:\n    return a + b\n",
    'fn main() {\n    println!("{}", std::env::args().count());\n}\n',
    "export const debounce = (fn, ms) => {\n  let timer;\n  return (...a) => {\n    clearTimeout(timer);\n  };\n};\n",
    "public final class Pair<A, B> {\n    private final A first;\n    private final B second;\n}\n",
    "func (s *Server) Close() error {\n\ts.mu.Lock()\n\tdefer s.mu.Unlock()\n\treturn s.listener.Close()\n}\n",
    '#include <stdio.h>\nint main(void) {\n  for (int i = 0; i < 10; ++i) printf("%d\\n", i);\n  return 0;\n}\n',
    "CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT NOT NULL);\n",
    '<ul>\n  <li class="item">one</li>\n  <li class="item">two</li>\n</ul>\n',
)
_PROSE = (
    "The scheduler lets work that somebody waits for go before work that nobody waits for. ",
    "Returns the number of bytes written, or -1 when the connection was closed by the peer. ",
    "Files that an ignore rule names are left out, unless a later rule takes them in again. ",
    "A lock that a crashed process held is given back by the operating system at once. ",
)
_SCRIPTS = (
    "設定ファイルを読み込み、値を検証します。",
    "这个函数返回两个日期之间的天数。",
    "사용자 목록을 이름순으로 정렬합니다.",
    "Возвращает список открытых соединений.",
    "تحسب هذه الدالة مجموع الأعداد.",
    "פונקציה זו מחזירה את הנתיב המלא.",
    "Größe der Übertragung in Bytes überprüfen",
    "🙂🚀🔥 ship it 🎉",
)

#: 64 texts: short ones, code and other scripts as they are and repeated, and prose of several lengths up to a thousand
#: words.
TEXTS: Final = (
    *_SHORT,
    *_CODE,
    *(code * 6 for code in _CODE),
    *_SCRIPTS,
    *(text * 12 for text in _SCRIPTS),
    *(text * times for text in _PROSE for times in (1, 5, 20, 60)),
)
