"""Comparisons -> a JSON file, complete or absent, and a Markdown table."""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple, Optional

from ...errors import DataError
from ...utils.files import write_json
from .timing import MinMedianMax, Pairs


class Goal(NamedTuple):
    """The goal of the median of a ratio: ``at most`` (of times) or ``at least`` (of speeds) ``value``."""

    kind: Literal['at most', 'at least']
    value: float

    def met(self, ratio: MinMedianMax) -> bool:
        """Whether it is."""
        return ratio.median <= self.value if self.kind == 'at most' else ratio.median >= self.value

    def __str__(self) -> str:
        return f'{"<=" if self.kind == "at most" else ">="} {self.value:g}'


def comparison(
    *, what: str, ours: str, theirs: str, pairs: Pairs, goal: Optional[Goal], details: Mapping[str, Any]
) -> dict[str, Any]:
    """One row: what is timed, both sides in words, and their seconds; without a goal the ratio is of speeds.

    Returns:
        dict: ``what``, ``ours``, ``theirs``, ``seconds`` of both, ``ratio`` (``of`` times or speeds, ``min``,
        ``median``, ``max``), ``goal`` and ``met`` (None without goal), and the details.
    """
    of_times = goal is not None and goal.kind == 'at most'
    ratio = pairs.time_ratio() if of_times else pairs.speed_ratio()
    return dict(
        what=what,
        ours=ours,
        theirs=theirs,
        seconds=dict(ours=list(pairs.ours), theirs=list(pairs.theirs)),
        ratio=dict(of='times' if of_times else 'speeds', **ratio._asdict()),
        goal=None if goal is None else str(goal),
        met=None if goal is None else goal.met(ratio),
        **details,
    )


def merge(path: str, name: str, result: dict[str, Any]) -> None:
    """Write ``result`` under ``name`` into a JSON file; other names in it stay.

    Raises:
        DataError: the file exists and is not a JSON object.
        ConfigError: it cannot be written.
    """
    write_json(path, {**_content(path), name: result}, '--out')


def probe(path: str) -> None:
    """Check before a measurement whether `merge` will work; a missing file is created with no results.

    Raises:
        DataError: the file exists and is not a JSON object.
        ConfigError: it cannot be written.
    """
    write_json(path, _content(path), '--out')


def _content(path: str) -> dict[str, Any]:
    if not Path(path).exists():
        return {}
    try:
        content = json.loads(Path(path).read_text(encoding='utf-8'))
    except (OSError, ValueError) as error:
        raise DataError(f'{path} cannot be read as JSON ({error}); name another file with --out') from error
    if not isinstance(content, dict):
        raise DataError(f'{path} is not a JSON object; name another file with --out')
    return content


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Rows of `comparison` -> Markdown."""
    lines = ['| what | ours | against | ratio of | min | median | max | goal | met |']
    lines.append('| --- | ---: | ---: | --- | ---: | ---: | ---: | --- | --- |')
    for row in rows:
        ratio = row['ratio']
        times = [_seconds(statistics.median(row['seconds'][side])) for side in ('ours', 'theirs')]
        met = {True: 'yes', False: 'NO', None: ''}[row['met']]
        lines.append(
            f'| {row["what"]} | {row["ours"]}: {times[0]} | {row["theirs"]}: {times[1]} | {ratio["of"]} '
            f'| {ratio["min"]:.2f} | {ratio["median"]:.2f} | {ratio["max"]:.2f} | {row["goal"] or ""} | {met} |'
        )
    return '\n'.join(lines)


def _seconds(seconds: float) -> str:
    """Seconds or milliseconds, as text."""
    return f'{seconds:.2f} s' if seconds >= 1 else f'{seconds * 1e3:.3g} ms'
