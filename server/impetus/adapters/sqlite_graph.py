"""The symbol graph of a catalog: which contents use which, by the tables of definitions and references.

Names are all there is to go by. A name that many contents define does not tell which of them is meant, so such names
make no edge. The counts are stored, because counting takes a second in a million lines.
"""

import sqlite3
from collections.abc import Sequence

#: A name that more contents define than this makes no edge.
MAX_DEFINERS = 3

_COUNT = f"""
INSERT INTO popularity
WITH telling AS (
    SELECT name FROM definitions GROUP BY name HAVING count(DISTINCT blob) <= {MAX_DEFINERS}
)
SELECT d.blob, count(DISTINCT r.blob)
FROM telling JOIN definitions d ON d.name = telling.name
JOIN refs r ON r.name = d.name AND r.blob <> d.blob
GROUP BY d.blob
"""


def count_users(connection: sqlite3.Connection) -> None:
    """Count anew how many other contents use a name that each defines; nothing is done when nothing was added."""
    newest = str(connection.execute("SELECT coalesce(max(id), 0) FROM blobs").fetchone()[0])
    known = connection.execute("SELECT value FROM meta WHERE key = 'popularity'").fetchone()
    if known is not None and known[0] == newest:
        return
    connection.execute("DELETE FROM popularity")
    connection.execute(_COUNT)
    connection.execute("INSERT OR REPLACE INTO meta VALUES ('popularity', ?)", (newest,))


def users(connection: sqlite3.Connection, blobs: Sequence[str]) -> dict[str, int]:
    """Of these contents (at most 500), those that others use, with the number of their users."""
    marks = ",".join("?" * len(blobs))
    rows = connection.execute(
        f"SELECT b.key, p.users FROM blobs b JOIN popularity p ON p.blob = b.id WHERE b.key IN ({marks})", list(blobs)
    )
    return dict(rows.fetchall())
