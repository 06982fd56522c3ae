"""The name of a set -> the recalls that papers published on it, from files of this package."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple, Optional

FOLDER = Path(__file__).parent / 'published'


class PublishedRow(NamedTuple):
    """One row as it was printed.

    Attributes:
        table: where it stands, e.g. 'Table 1'.
        recalls: percent, one a column.
        rsum: percent, as printed; by rounding it may differ from the sum of the recalls by 0.01.
    """

    table: str
    recalls: list[float]
    rsum: float


class PublishedTable(NamedTuple):
    """The rows of one set.

    Attributes:
        dataset: name of the set.
        split: the evaluated one.
        source: the paper.
        columns: names of the recalls, e.g. 'i2t R@1'.
        rows: by method, see `comparison_setting.METHOD_NAMES`.
    """

    dataset: str
    split: str
    source: str
    columns: list[str]
    rows: dict[str, PublishedRow]


def read_published(dataset: str) -> Optional[PublishedTable]:
    """The published table of a set.

    Args:
        dataset: ``rsicd``, ``rsitmd`` or ``ucm``.

    Returns:
        None if nothing was published.
    """
    path = FOLDER / f'{dataset}.json'
    if not path.is_file():
        return None
    content = json.loads(path.read_text(encoding='utf-8'))
    rows = {method: PublishedRow(**row) for method, row in content.pop('rows').items()}
    return PublishedTable(rows=rows, **content)
