"""Result files of configs with few captions -> Rsum by variant and share of captions."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from ...errors import DataError
from .schema import read_result
from .summary import check_alike

VARIANTS = {
    'plain': 'captions alone',
    'dapn': 'captions alone, DAPN',
    'captioned': 'OSFCM on captioned images',
    '': 'OSFCM on all images, labels',
}
"""End of a config's name, after the share of captions -> what it stands for, in the order of the legend."""

Curves = dict[str, dict[int, list[float]]]
"""Variant -> percent of captions -> Rsum of each seed."""

_NAME = re.compile(r'(?P<set>.+?)_(?P<percent>\d+)(?:_(?P<variant>[a-z]+))?')


def read_curves(paths: Sequence[Path]) -> tuple[str, Curves]:
    """The set, and the curves of `configs/few_captions`, by the names of the configs.

    Args:
        paths: ``test_results.json`` files of any seeds; one that is named twice counts once.

    Raises:
        DataError: a file is not valid, its config has another name, two files are of the same config and seed, or they
            are of different data or rules for ties.
    """
    paths = list(dict.fromkeys(paths))
    results = [read_result(path) for path in paths]
    curves: Curves = {label: {} for label in VARIANTS.values()}
    seen: dict[tuple[str, object], Path] = {}
    for path, result in zip(paths, results):
        match = _NAME.fullmatch(result.config.name)
        if match is None or (match['variant'] or '') not in VARIANTS:
            raise DataError(
                f'{path} is of the config {result.config.name}, which names no share of captions; give results of '
                'configs/few_captions, such as ucm_10_plain'
            )
        check_alike(
            result,
            results[0],
            labels=(path, paths[0]),
            remedy='draw one set a figure',
            but=('config', 'selection rule', 'set of numbers'),
        )
        if (other := seen.setdefault((result.config.name, result.seed), path)) != path:
            raise DataError(f'{path} and {other} are of one config and seed; leave one out')
        shares = curves[VARIANTS[match['variant'] or '']]
        shares.setdefault(int(match['percent']), []).append(result.numbers(result.tie_policy)['Rsum'])
    data = results[0].data
    return f'{data.name}, {data.split}', {label: dict(sorted(c.items())) for label, c in curves.items() if c}
