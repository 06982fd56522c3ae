"""Dates as users write them -> moments."""

from __future__ import annotations

from datetime import datetime, timedelta

from ..errors import ConfigError


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
        return _after(begin, pattern) - timedelta(microseconds=1) if last else begin
    try:
        return datetime.fromisoformat(text.replace('Z', '+00:00'))
    except ValueError as error:
        raise ConfigError(f'{text!r} is no date; write e.g. 2024-03-01 or 2024-03-01T10:30') from error


def _after(begin: datetime, pattern: str) -> datetime:
    """The first moment behind a year, month or day."""
    if pattern == '%Y':
        return begin.replace(year=begin.year + 1)
    day = begin + timedelta(days=1)
    return (begin.replace(day=28) + timedelta(days=4)).replace(day=1) if pattern == '%Y-%m' else day
