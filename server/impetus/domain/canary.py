"""Texts that an embedding backend has to get right before it is trusted: short and long, code and prose, other scripts,
empty, emoji. A backend that computes in less than float32 is compared with the reference on all of them.
"""

from typing import Final

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
