"""Hits -> comma-separated values as RFC 4180 has them, in UTF-8."""

from __future__ import annotations

import csv
import io
from typing import Sequence

from ...utils.files import write_text
from ..hits import Hits
from .rows import BOX, GEOMETRY, SIDES, rfc3339, table_of


def write_csv(results: Sequence[Hits], path: str) -> None:
    """Write a header and one row a hit; what a hit does not have is empty.

    Raises:
        ConfigError: the operating system refused.
    """
    table = table_of(results)
    columns = [name for name in table.column_names if name not in (BOX, GEOMETRY)]
    text = io.StringIO(newline='')
    writer = csv.DictWriter(text, [*columns, *SIDES], extrasaction='ignore')
    writer.writeheader()
    for row in table.to_pylist():
        box = row[BOX] or {}
        writer.writerow({**row, 'datetime': rfc3339(row['datetime']), **dict(zip(SIDES, box.values()))})
    write_text(path, text.getvalue(), '--out')
