"""EDGE: column types: moments as integer microseconds, small records as JSON text."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy import BigInteger, Dialect, Text
from sqlalchemy.types import TypeDecorator

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Moment(TypeDecorator[datetime]):
    """An aware datetime as microseconds since 1970 in UTC: exact, small, and sorts as it should."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect | None = None) -> int | None:
        if value is None:
            return None
        since = value - _EPOCH
        return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds

    def process_result_value(self, value: int | None, dialect: Dialect | None = None) -> datetime | None:
        return None if value is None else _EPOCH + timedelta(microseconds=value)

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[int | None], datetime | None]:
        """The very method: what is put around it takes as long again."""
        return self.process_result_value


class Record(TypeDecorator[Any]):
    """Plain data of one kind as JSON text; the empty value is NULL, since most rows have it."""

    impl = Text
    cache_ok = True

    def __init__(self, kind: Any, empty: Callable[[], Any]) -> None:
        super().__init__()
        self.kind, self.empty = kind, empty
        self._decoder = msgspec.json.Decoder(kind)
        self._nothing = empty()

    def process_bind_param(self, value: Any, dialect: Dialect | None = None) -> str | None:
        return None if value is None or value == self._nothing else msgspec.json.encode(value).decode()

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        return self.empty() if value is None else self._decoder.decode(value)
