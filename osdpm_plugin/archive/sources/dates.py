"""Text -> moments in UTC: ISO 8601, and dates in names of files by a pattern."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Optional

from dateutil.parser import isoparse

from ...errors import ConfigError, DataError
from ..filters import as_utc

_PARTS = {
    '%Y': r'\d{4}',
    **{name: r'\d\d' for name in ('%y', '%m', '%d', '%H', '%I', '%M', '%S')},
    '%j': r'\d{3}',
    '%f': r'\d{1,6}',
    '%b': r'[^\W\d_]+?',
    '%B': r'[^\W\d_]+',
    '%p': r'[^\W\d_]+',
    '%z': r'(?:Z|[+-]\d\d:?\d\d)',
    '%%': '%',
}


def parse_moment(text: str) -> datetime:
    """A date or a moment in ISO 8601 -> in UTC, which it is taken to be in where it names no zone.

    Raises:
        DataError: it is none, or a year alone.
    """
    try:
        if re.fullmatch(r'\d{4}', text.strip()):
            raise ValueError('a year is no date')
        return as_utc(isoparse(text.strip()))
    except (ValueError, OverflowError) as error:
        raise DataError(f'{text!r} is no date; write e.g. 2021-03-12 or 2021-03-12T04:05:06Z') from error


class DatePattern:
    """Find dates in names.

    Args:
        pattern: of ``strptime``, such as ``%Y%m%d`` or ``%Y-%m-%dT%H%M%S``; numbers have all their digits.

    Raises:
        ConfigError: the pattern has no year, or a part that is not known.
    """

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        pieces = re.split(r'(%.?)', pattern)
        unknown = [piece for piece in pieces[1::2] if piece not in _PARTS]
        if unknown or not {'%Y', '%y'}.intersection(pieces):
            reason = f'{unknown[0]} is not known' if unknown else 'it has no year'
            raise ConfigError(f'date_pattern={pattern!r} finds no dates: {reason}; write e.g. %Y%m%d')
        text = ''.join(_PARTS[piece] if i % 2 else re.escape(piece) for i, piece in enumerate(pieces))
        self._expression = re.compile(f'(?=({text}))')  # looks ahead, so that every place is tried

    def find(self, name: str) -> Optional[datetime]:
        """The date at the first place where there is one, in UTC; None without."""
        for match in self._expression.finditer(name):
            try:
                return as_utc(datetime.strptime(match[1], self.pattern))
            except (ValueError, OverflowError):
                continue
        return None
