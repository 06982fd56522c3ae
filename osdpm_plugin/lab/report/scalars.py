"""What mmengine logged of a run -> curves over epochs, with interruptions mended.

::

    <run>/<start>/vis_data/scalars.json     one JSON object a line; training has ``iter``, validation has not

A run that went on after an interruption has a folder for each start. A later start replaces what an earlier one logged
from its first epoch on, since it repeats that.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple, Optional

from ...errors import DataError

NO_CURVE = ('data_time', 'epoch', 'iter', 'memory', 'step', 'time')
MOST_POINTS = 400  # of a curve; more are averaged in groups

Points = tuple[tuple[float, float], ...]


class Curves(NamedTuple):
    """Curves of one run; values may be NaN or infinite, as they were logged.

    Attributes:
        unit: of the first coordinate, 'epoch' or 'iteration'.
        train: name, e.g. 'loss' -> (epoch, mean over its log entries); of 'lr' the last entry.
        val: name, e.g. 'retrieval/mR' -> (epoch, value).
    """

    unit: str
    train: dict[str, Points]
    val: dict[str, Points]


def read_curves(run: Path) -> Optional[Curves]:
    """Curves of the run in a work dir, or None where nothing was logged.

    Raises:
        DataError: a log cannot be read, or a line other than the last, which a killed run may leave half written, is
            not JSON.
    """
    train: list[tuple[float, dict[str, Any]]] = []
    val: list[tuple[float, dict[str, Any]]] = []
    unit = 'epoch'
    for path in sorted(run.glob('*/vis_data/scalars.json')):
        rows = _rows(path)
        trained = [row for row in rows if 'iter' in row]
        if trained:
            unit = 'epoch' if all('epoch' in row for row in trained) else 'iteration'
        place = 'epoch' if unit == 'epoch' else 'step'
        new_train = [(float(row[place]), row) for row in trained if place in row]
        new_val = [(float(row['step']), row) for row in rows if 'iter' not in row and 'step' in row]
        starts = [x for x, _ in new_train[:1] or new_val[:1]]
        if starts:
            train = [item for item in train if item[0] < starts[0]] + new_train
            val = [item for item in val if item[0] < starts[0]] + new_val
    if not train and not val:
        return None
    return Curves(unit, _collect(train, average=True), _collect(val, average=False))


def _rows(path: Path) -> list[dict[str, Any]]:
    try:
        lines = path.read_text(encoding='utf-8').splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f'log {path} cannot be read: {error}; remove it, or leave its run out') from error
    rows = []
    for number, line in enumerate(lines, start=1):
        try:
            row = json.loads(line)
        except ValueError as error:
            if number == len(lines):
                break
            raise DataError(f'log {path}, line {number} is not JSON: {error}; remove that line') from error
        if not isinstance(row, dict):
            raise DataError(f'log {path}, line {number} is no JSON object; remove that line')
        rows.append(row)
    return rows


def _collect(rows: list[tuple[float, dict[str, Any]]], *, average: bool) -> dict[str, Points]:
    """A curve for each name; of rows at the same place the mean; the last of learning rates and without ``average``."""
    found: dict[str, dict[float, list[float]]] = {}
    for x, row in rows:
        for name, value in row.items():
            if name not in NO_CURVE and isinstance(value, (int, float)) and not isinstance(value, bool):
                found.setdefault(name, {}).setdefault(x, []).append(float(value))
    curves = {}
    for name, places in found.items():
        last = not average or name.endswith('lr')
        points = [(x, values[-1] if last else sum(values) / len(values)) for x, values in sorted(places.items())]
        curves[name] = _thinned(points)
    return curves


def _thinned(points: list[tuple[float, float]]) -> Points:
    """At most `MOST_POINTS` points: means of groups of equal size."""
    size = -(-len(points) // MOST_POINTS)
    groups = [points[i : i + size] for i in range(0, len(points), max(size, 1))]
    return tuple((sum(x for x, _ in group) / len(group), sum(y for _, y in group) / len(group)) for group in groups)
