"""The symbol graph of a catalog: which contents use which, by the tables of definitions and references.

Names are all there is to go by. A name that many contents define does not tell which of them is meant, so such names
make no edge. Only contents that a file has now take part, because each save leaves a former one behind. The counts
are stored: counting all takes a second in a million lines. What was taken up or left since is noted in `uncounted`,
in the transaction that did so, and after a few files only what they touch is counted again.
"""

import sqlite3
from collections.abc import Collection, Sequence

#: A name that more contents define than this makes no edge.
MAX_DEFINERS = 3
#: Beyond so many contents taken up or left, or so many to be counted again, counting all is cheaper.
_FEW, _AFFECTED = 100, 200

_LIVE = "EXISTS (SELECT 1 FROM blobs l WHERE l.id = {}.blob AND l.unused_since IS NULL)"
_NAMED = "{0}.name = {1} COLLATE NOCASE AND {0}.name = {1}"  # the index ignores case, code does not

_COUNT_ALL = f"""
INSERT INTO popularity
WITH telling AS (
    SELECT d.name FROM definitions d WHERE {_LIVE.format("d")}
    GROUP BY d.name HAVING count(DISTINCT d.blob) <= {MAX_DEFINERS}
)
SELECT d.blob, count(DISTINCT r.blob)
FROM telling JOIN definitions d ON d.name = telling.name
JOIN refs r ON r.name = d.name AND r.blob <> d.blob
WHERE {_LIVE.format("d")} AND {_LIVE.format("r")}
GROUP BY d.blob
"""
# Materialized: SQLite would otherwise ask for the definers of a name once for each of its uses.
_COUNT_ONE = f"""
INSERT INTO popularity
WITH own AS MATERIALIZED (
    SELECT DISTINCT d.name FROM definitions d
    WHERE d.blob = ?1 AND {_LIVE.format("d")} AND {MAX_DEFINERS} >= (
        SELECT count(*) FROM (
            SELECT DISTINCT o.blob FROM definitions o
            WHERE {_NAMED.format("o", "d.name")} AND {_LIVE.format("o")} LIMIT {MAX_DEFINERS + 1}
        )
    )
), users AS MATERIALIZED (
    SELECT DISTINCT r.blob FROM own CROSS JOIN refs r ON r.name = own.name AND r.blob <> ?1
)
SELECT ?1, count(*) FROM users u WHERE {_LIVE.format("u")} HAVING count(*) > 0
"""
_DEFINERS = (
    f"SELECT DISTINCT d.blob FROM definitions d WHERE {_NAMED.format('d', '?1')} AND {_LIVE.format('d')} LIMIT ?2"
)


def note(db: sqlite3.Connection, blobs: Collection[int]) -> None:
    """Files are about to take up or leave these contents; remember whether they were in use."""
    db.executemany(
        "INSERT OR IGNORE INTO uncounted SELECT id, unused_since IS NULL FROM blobs WHERE id = ?",
        [(blob,) for blob in blobs],
    )


def count_users(db: sqlite3.Connection) -> None:
    """Bring the table `popularity` up to date: how many other contents use a name that each defines."""
    turned = db.execute(
        "SELECT u.blob, u.used FROM uncounted u JOIN blobs b ON b.id = u.blob"
        " WHERE u.used <> (b.unused_since IS NULL) LIMIT ?",
        (_FEW + 1,),
    ).fetchall()
    if turned:
        left = [blob for blob, used in turned if used]
        taken = [blob for blob, used in turned if not used]
        begun = db.execute("SELECT EXISTS (SELECT 1 FROM popularity)").fetchone()[0]
        affected = _affected(db, left, taken) if begun and len(turned) <= _FEW else None
        if affected is None:
            db.execute("DELETE FROM popularity")
            db.execute(_COUNT_ALL)
        else:
            numbers = [(blob,) for blob in affected]
            db.executemany("DELETE FROM popularity WHERE blob = ?", numbers)
            db.executemany(_COUNT_ONE, numbers)
    db.execute("DELETE FROM uncounted")


def _affected(db: sqlite3.Connection, left: Sequence[int], taken: Sequence[int]) -> set[int] | None:
    """Contents whose number of users may be another now; None when they are too many."""
    affected = {*left, *taken}
    for table, most in (("refs", MAX_DEFINERS), ("definitions", MAX_DEFINERS + len(affected))):
        before, after = _names(db, table, left), _names(db, table, taken)
        # An edited file uses and defines nearly the same names as before, and for those nothing has changed.
        changed = before ^ after if len(left) == len(taken) == 1 else before | after
        for name in changed:
            definers = db.execute(_DEFINERS, (name, most + 1)).fetchall()
            if len(definers) <= most:
                affected.update(blob for (blob,) in definers)
            if len(affected) > _AFFECTED:
                return None
    return affected


def _names(db: sqlite3.Connection, table: str, blobs: Sequence[int]) -> set[str]:
    return {
        name for blob in blobs for (name,) in db.execute(f"SELECT DISTINCT name FROM {table} WHERE blob = ?", (blob,))
    }
