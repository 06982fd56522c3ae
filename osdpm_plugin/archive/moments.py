"""Dates as users write them -> moments."""

from __future__ import annotations

from calendar import monthrange
from datetime import datetime, timedelta

from ..errors import ConfigError
from .filters import as_utc


def parse_moment(text: str, *, last: bool = False) -> datetime:
    """A year, month, day or moment in ISO 8601 -> its first moment, or its last one; without a zone it is in UTC.

    Raises:
        ConfigError: it is none.
    """
    for pattern in ('%Y', '%Y-%m', '%Y-%m-%d'):
        try:
            begin = datetime.strptime(text, pattern)
        except ValueError:
            continue
        return _last(begin, pattern) if last else begin
    try:
        return as_utc(datetime.fromisoformat(text.replace('Z', '+00:00')))
    except (ValueError, OverflowError) as error:
        raise ConfigError(f'{text!r} is no date; write e.g. 2024-03-01 or 2024-03-01T10:30') from error


def _last(begin: datetime, pattern: str) -> datetime:
    """The last moment of a year, month or day."""
    day = timedelta(days=1) - timedelta(microseconds=1)
    if pattern == '%Y':
        begin = begin.replace(month=12, day=31)
    elif pattern == '%Y-%m':
        begin = begin.replace(day=monthrange(begin.year, begin.month)[1])
    return begin + day
