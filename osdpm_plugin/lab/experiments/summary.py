"""Result files of several seeds -> one summary; of two configs -> their paired difference."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import DataError
from .queries import KEYS, stack_queries
from .schema import RunResult, read_result
from .statistics import MeanAndStd, mean_and_std, paired_difference

METHOD = (
    'percentile bootstrap over seeds and images (an image with its captions is the unit of both directions), crossed: '
    'each resample draws seeds and images with replacement and uses the same images under each seed; with one seed it '
    'covers the images only, with few seeds it is somewhat too narrow'
)


ASPECTS: dict[str, Callable[[RunResult], Any]] = {
    'config': lambda result: result.config,
    'data': lambda result: result.data,
    'rule for ties': lambda result: result.tie_policy,
    'topk': lambda result: result.topk,
    'selection rule': lambda result: result.selection,
    'set of numbers': lambda result: sorted(result.primary),
}


def check_alike(
    one: RunResult, other: RunResult, *, labels: tuple[Any, Any], remedy: str, but: Sequence[str] = ()
) -> None:
    """Raise DataError, with labels and remedy, unless two results agree in all `ASPECTS` but some."""
    for what, of in ASPECTS.items():
        if what not in but and of(one) != of(other):
            raise DataError(f'{labels[0]} and {labels[1]} differ in {what}: {of(one)} and {of(other)}; {remedy}')


def check_same_experiment(results: Sequence[RunResult], paths: Sequence[Any]) -> None:
    """Raise DataError unless results differ in nothing but the seed: config, data, rule for ties, K, selection rule."""
    if not results:
        raise DataError('there are no result files')
    for result, path in zip(results, paths):
        check_alike(result, results[0], labels=(path, paths[0]), remedy='average like with like')
    seeds = [result.seed for result in results]
    if None in seeds and len(seeds) > 1:
        raise DataError(f'{paths[seeds.index(None)]} has no seed and cannot be averaged with others')
    if len(set(seeds)) < len(seeds):
        raise DataError(f'results of one config have the same seed twice: {sorted(s for s in seeds if s is not None)}')


def summarise_seeds(paths: Sequence[Path]) -> dict[str, Any]:
    """Mean, standard deviation (ddof = 1) and values of all numbers over seeds.

    Args:
        paths: result files of one config.

    Returns:
        JSON-ready: what the runs have in common, and ``metrics``: {rule: {name: {mean, std, values}}}.

    Raises:
        DataError: a file is not valid, or they differ in more than the seed.
    """
    results = [read_result(path) for path in paths]
    check_same_experiment(results, paths)
    first = results[0]
    metrics: dict[str, dict[str, Any]] = {}
    for rule in first.metrics:
        runs = [result.numbers(rule) for result in results]
        metrics[rule] = {name: mean_and_std([run[name] for run in runs])._asdict() for name in runs[0]}
    return {
        'kind': 'summary of seeds',
        'config': vars(first.config),
        'data': vars(first.data),
        'seeds': [result.seed for result in results],
        'tie_policy': first.tie_policy,
        'selection': first.selection,
        'ddof': 1,
        'metrics': metrics,
        'result_files': [str(path) for path in paths],
        'git': sorted({'unknown' if r.git is None else r.git.commit + ' dirty' * r.git.dirty for r in results}),
    }


def of_shared_seeds(first: Sequence[Path], second: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    """The result files of the seeds that two configs both have, in the order of the first.

    Raises:
        DataError: a file is not valid.
    """
    one, two = ({read_result(path).seed: path for path in paths} for paths in (first, second))
    shared = [seed for seed in one if seed in two]
    return [one[seed] for seed in shared], [two[seed] for seed in shared]


def compare(
    first: Sequence[Path], second: Sequence[Path], *, resamples: int = 10_000, level: float = 0.95, seed: int = 0
) -> dict[str, Any]:
    """First config minus second, paired by seed and query.

    Args:
        first: result files of the first config, with their per-query files beside them.
        second: result files of the second config, the same seeds.
        level: share of the resamples within the interval.

    Returns:
        JSON-ready, percentage points: {rule for ties, seeds, ``difference``: {name: {mean, low, high, values}}}.

    Raises:
        DataError: files are not valid, or are not of the same data, seeds and rule.
    """
    runs = []
    for paths in (first, second):
        results = [read_result(path) for path in paths]
        check_same_experiment(results, paths)
        order = np.argsort([result.seed if result.seed is not None else -1 for result in results])
        runs.append([(results[i], Path(paths[i])) for i in order])
    one, two = runs[0][0][0], runs[1][0][0]
    seeds = [[result.seed for result, _ in run] for run in runs]
    names = one.config.name, two.config.name
    if seeds[0] != seeds[1]:
        raise DataError(f'{names[0]} and {names[1]} differ in seeds: {seeds[0]} and {seeds[1]}; compare like with like')
    check_alike(one, two, labels=names, remedy='compare like with like', but=('config', 'set of numbers'))
    hits = [stack_queries([path.parent / result.queries_file for result, path in run]) for run in runs]
    (sums, sizes, queries), (other_sums, _, other_queries) = hits
    if not all(np.array_equal(getattr(queries, k), getattr(other_queries, k)) for k in KEYS if not k.endswith('hits')):
        raise DataError(f'{names[0]} and {names[1]} number their queries differently; evaluate both again')
    columns = [f'{way}_R@{k}' for way in ('i2t', 't2i') for k in queries.topk]
    found = paired_difference(sums, other_sums, sizes, columns, resamples=resamples, level=level, seed=seed)
    return {
        'kind': 'paired difference',
        'first': vars(one.config),
        'second': vars(two.config),
        'data': vars(one.data),
        'seeds': seeds[0],
        'tie_policy': one.tie_policy,
        'selection': one.selection,
        'unit': 'percentage points, first minus second',
        'level': level,
        'resamples': resamples,
        'method': METHOD,
        'difference': {name: difference._asdict() for name, difference in found.items()},
    }


def summary_lines(summary: dict[str, Any]) -> str:
    """The numbers of a summary under its rule for ties, as text."""
    values = summary['metrics'][summary['tie_policy']]
    data, count = summary['data'], len(summary['seeds'])
    lines = [
        f'{summary["config"]["name"]}: {data["name"]} {data["split"]}, {count} seeds {summary["seeds"]}, '
        f'ties {summary["tie_policy"]}, checkpoint {summary["selection"]}, mean ± std (ddof 1)'
    ]
    lines += [f'  {name:<32} {MeanAndStd(**value):7.2f}' for name, value in values.items()]
    return '\n'.join(lines)


def comparison_lines(comparison: dict[str, Any]) -> str:
    """The differences of a comparison, as text."""
    lines = [
        f'{comparison["first"]["name"]} minus {comparison["second"]["name"]}: percentage points, '
        f'{comparison["level"]:.0%} interval over {len(comparison["seeds"])} seeds '
        f'and {comparison["data"]["images"]} images'
    ]
    lines += [
        f'  {name:<32} {value["mean"]:+7.2f}   [{value["low"]:+.2f}, {value["high"]:+.2f}]'
        for name, value in comparison['difference'].items()
    ]
    return '\n'.join(lines)
