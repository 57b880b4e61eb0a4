"""EDGE: the full-text index of PostgreSQL: a tsvector of each item's words, made here so that they are the words of FTS5.

title, summary | words, folded | tsvector with positions (the title's weigh A) | GIN
query | tsquery | the best by ts_rank | BM25 over their texts
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, Row, text

from aggregator.store import tables as t
from aggregator.store.query import Query, Term
from aggregator.store.rows import chunks, copy_rows
from aggregator.store.scores import TITLE_WEIGHT, Found, bm25, count_phrase, idf, words_of

LONGEST_WORD = 500
"""Characters: a lexeme has at most 2,046 bytes. What follows is not looked at, neither in texts nor in queries."""
MOST_WORDS = 16_000
"""Of one item: positions in a tsvector end at 16,383."""
MOST_CHARACTERS = 200_000
"""Of an item's different words: a tsvector has at most 1 MB."""
_PORTION = 2_000
_SAMPLE = 20_000
"""Rows from which the mean length of texts is learned."""

_FIND = text(
    "SELECT f.item_id, i.title, i.summary, i.published_at FROM items_fts f JOIN items i ON i.id = f.item_id"
    " WHERE f.words @@ CAST(:query AS tsquery)"
    " ORDER BY ts_rank('{0.33, 0.33, 0.33, 1.0}', f.words, CAST(:query AS tsquery), 1) DESC, f.item_id LIMIT :limit"
).columns(item_id=t.items.c.id.type, published_at=t.items.c.published_at.type)
_HOLDING = text("SELECT count(*) FROM items_fts WHERE words @@ CAST(:query AS tsquery)")
_ABOUT = text("SELECT reltuples::bigint FROM pg_class WHERE oid = CAST('items_fts' AS regclass)")
_COUNT = text("SELECT count(*), avg(size) FROM items_fts")
_MEAN = text("SELECT avg(size) FROM items_fts TABLESAMPLE SYSTEM (CAST(:share AS real)) REPEATABLE (0)")
_REMOVE = text("DELETE FROM items_fts WHERE item_id = ANY(:ids)")
_STRAY = text(
    "SELECT EXISTS (SELECT FROM items LEFT JOIN items_fts ON item_id = id WHERE item_id IS NULL)"
    " OR EXISTS (SELECT FROM items_fts LEFT JOIN items ON item_id = id WHERE id IS NULL)"
)
_ITEMS = text("SELECT id, title, summary FROM items WHERE id > :last ORDER BY id LIMIT :portion")
_DIFFERENT = text(
    "SELECT count(*) FROM unnest(CAST(:ids AS bigint[]), CAST(:words AS text[])) AS made (id, words)"
    " JOIN items_fts f ON f.item_id = made.id WHERE f.words <> CAST(made.words AS tsvector)"
)


def add(connection: Connection, rows: Sequence[dict[str, object]]) -> None:
    add_new(connection, rows)


def add_new(connection: Connection, rows: Sequence[dict[str, object]]) -> None:
    copy_rows(connection, "items_fts", ("item_id", "words", "size"), (_entry(row) for row in rows))


def _entry(row: dict[str, object]) -> tuple[object, str, int]:
    title, summary = words_of(str(row["title"])), words_of(str(row["summary"]))
    return row["id"], _to_tsvector(title, summary), len(title) + len(summary)


def _to_tsvector(title: Sequence[str], summary: Sequence[str]) -> str:
    """In PostgreSQL's own notation. Between title and summary is a gap, which no phrase crosses."""
    places: dict[str, list[str]] = {}
    for position, word in enumerate(title[:MOST_WORDS], 1):
        places.setdefault(word[:LONGEST_WORD], []).append(f"{position}A")
    for position, word in enumerate(summary[: MOST_WORDS - len(title)] if len(title) < MOST_WORDS else (), len(title) + 3):
        places.setdefault(word[:LONGEST_WORD], []).append(str(position))
    left, parts = MOST_CHARACTERS, []
    for word, at in places.items():
        left -= len(word)
        if left < 0:
            break
        parts.append(f"'{word}':{','.join(at)}")
    return " ".join(parts)


def remove(connection: Connection, ids: Iterable[int]) -> None:
    for part in chunks(ids, _PORTION):
        connection.execute(_REMOVE, {"ids": part})


def find(connection: Connection, query: Query, limit: int) -> list[Found]:
    wanted = [phrase for term in query.wanted if (phrase := _phrase_of(term)).words]
    if len(wanted) < len(query.wanted):
        return []
    rows = connection.execute(_FIND, {"query": to_tsquery(query), "limit": limit}).all()
    if not rows:
        return []
    texts, mean_size = _figures(connection)
    # of a single phrase the weight is the same for all
    holding = [connection.scalar(_HOLDING, {"query": phrase.tsquery}) or 0 for phrase in wanted] if len(wanted) > 1 else [len(rows)]
    weights = [idf(texts, count) for count in holding]
    return [Found(row.item_id, _score(row, wanted, weights, mean_size), row.published_at) for row in rows]


class _Phrase:
    """A term as words, and in the language of tsquery."""

    def __init__(self, words: Sequence[str], prefix: bool) -> None:
        self.words, self.prefix = [word[:LONGEST_WORD] for word in words], prefix
        quoted = [f"'{word}'" for word in self.words]
        self.tsquery = f"({' <-> '.join(quoted)}{':*' if prefix else ''})"

    def count(self, words: Sequence[str]) -> int:
        return count_phrase(words, self.words, prefix=self.prefix)


def _phrase_of(term: Term) -> _Phrase:
    return _Phrase(words_of(term.text), term.prefix)


def to_tsquery(query: Query) -> str:
    """The query in PostgreSQL's language (section 8.11.2 of its manual); every word is quoted."""
    wanted = [_phrase_of(term).tsquery for term in query.wanted]
    unwanted = [phrase.tsquery for term in query.unwanted if (phrase := _phrase_of(term)).words]
    return " & ".join([*wanted, *([f"!({' | '.join(unwanted)})"] if unwanted else [])])


def _score(row: Row[tuple[object, ...]], wanted: Sequence[_Phrase], weights: Sequence[float], mean_size: float) -> float:
    title, summary = words_of(row.title), words_of(row.summary)
    counts = [TITLE_WEIGHT * phrase.count(title) + phrase.count(summary) for phrase in wanted]
    return bm25(counts, weights, len(title) + len(summary), mean_size)


def _figures(connection: Connection) -> tuple[int, float]:
    """How many texts there are and how many words they have on average: of many an estimate."""
    about = connection.scalar(_ABOUT) or 0
    if about > 2 * _SAMPLE:
        mean = connection.scalar(_MEAN, {"share": 100 * _SAMPLE / about})
        if mean:
            return about, float(mean)
    count, mean = connection.execute(_COUNT).one()
    return count, float(mean or 1) or 1.0


def is_whole(connection: Connection) -> bool:
    if connection.scalar(_STRAY):
        return False
    for rows in _portions(connection):
        made = [_entry(dict(row._mapping)) for row in rows]
        if connection.scalar(_DIFFERENT, {"ids": [each[0] for each in made], "words": [each[1] for each in made]}):
            return False
    return True


def rebuild(connection: Connection) -> None:
    connection.execute(text("DELETE FROM items_fts"))
    for rows in _portions(connection):
        add_new(connection, [dict(row._mapping) for row in rows])


def _portions(connection: Connection) -> Iterable[Sequence[Row[tuple[object, ...]]]]:
    last = 0
    while rows := connection.execute(_ITEMS, {"last": last, "portion": _PORTION}).all():
        yield rows
        last = rows[-1].id


def tidy(connection: Connection) -> None:
    """Take what waits beside the index into it."""
    connection.execute(text("SELECT gin_clean_pending_list(CAST('ix_items_fts_words' AS regclass))"))
