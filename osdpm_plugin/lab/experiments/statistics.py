"""Numbers of seeds -> mean and standard deviation; two models on the same queries -> interval of their difference."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Optional

import numpy as np

from ...errors import DataError
from ...utils.checks import check_int, check_number

CHUNK = 256  # resamples at a time; changes memory, never a number


class MeanAndStd(NamedTuple):
    """One number over several seeds; formatted as ``12.34 ± 0.56``, the mean alone for one seed.

    Attributes:
        mean: arithmetic mean.
        std: standard deviation with ddof = 1; None for one run.
        values: one for each seed.
    """

    mean: float
    std: Optional[float]
    values: list[float]

    def __format__(self, spec: str) -> str:
        """``spec`` is that of the mean."""
        return format(self.mean, spec or '.2f') + ('' if self.std is None else f' ± {self.std:.2f}')


def mean_and_std(values: Sequence[float]) -> MeanAndStd:
    """Mean and standard deviation (ddof = 1).

    Raises:
        DataError: there are no values.
    """
    if not len(values):
        raise DataError('there are no runs to average')
    array = np.asarray(values, dtype=np.float64)
    return MeanAndStd(float(array.mean()), float(array.std(ddof=1)) if len(array) > 1 else None, array.tolist())


def bootstrap(sums: np.ndarray, sizes: np.ndarray, *, resamples: int = 10_000, seed: int = 0) -> np.ndarray:
    """Ratios for resampled seeds and queries, as they could have been with other seeds and other queries.

    The design is crossed: all seeds answer the same queries. A resample draws S seeds and N queries with replacement,
    independently, and uses the same drawn queries for each drawn seed; drawing other queries for each seed would make
    their share of the variance S times too small. With one seed only the queries are drawn, and the result says nothing
    about other seeds. With few seeds intervals are too narrow, by about sqrt((S - 1) / S) in the share of the seeds.

    Source: two-way bootstrap of a mean, Owen, The pigeonhole bootstrap, Annals of Applied Statistics 2007.

    Args:
        sums: (S, N, Q) what each of N queries adds to the numerators of Q ratios for each of S seeds, e.g. the
            difference of the hits of two models; 100 times that for percent.
        sizes: (N, Q) what it adds to the denominators, the same for each seed, e.g. its number of captions.
        resamples: B.

    Returns:
        (B, Q) float64; the point estimate is ``sums.mean(0).sum(0) / sizes.sum(0)``.

    Raises:
        ConfigError: ``resamples`` is out of range.
        DataError: shapes do not match, or a size is not positive.
    """
    check_int('', 'resamples', resamples, hint='e.g. 10000')
    sums, sizes = np.asarray(sums, dtype=np.float64), np.asarray(sizes, dtype=np.float64)
    if sums.ndim != 3 or not sums.size or sizes.shape != sums.shape[1:]:
        raise DataError(f'sums {sums.shape} and sizes {sizes.shape} must be (seeds, queries, Q) and (queries, Q)')
    if not (sizes > 0).all():
        raise DataError('each query must have a positive size')
    seeds, queries, width = sums.shape
    table = sums.transpose(1, 0, 2).reshape(queries, seeds * width)  # (N, S Q)
    of_seeds, of_queries = (np.random.default_rng(part) for part in np.random.SeedSequence(seed).spawn(2))
    out = np.empty((resamples, width))
    for start in range(0, resamples, CHUNK):
        size = min(CHUNK, resamples - start)
        drawn = of_queries.multinomial(queries, np.full(queries, 1 / queries), size=size).astype(np.float64)  # (b, N)
        weight = of_seeds.multinomial(seeds, np.full(seeds, 1 / seeds), size=size) / seeds  # (b, S)
        numerator = np.einsum('bs,bsq->bq', weight, (drawn @ table).reshape(size, seeds, width))
        out[start : start + size] = numerator / (drawn @ sizes)
    return out


def percentile_interval(samples: np.ndarray, level: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
    """The ends, each (Q,), of the interval with the middle share ``level`` of (B, Q) samples.

    Raises:
        ConfigError: ``level`` does not lie between 0 and 1.
    """
    check_number('', 'level', level, above=0, below=1, hint='e.g. 0.95')
    low, high = np.quantile(samples, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return low, high


class Difference(NamedTuple):
    """Model A minus model B in one number; formatted as ``+1.20 [-0.30, +2.70]``.

    Attributes:
        mean: over seeds.
        low: lower end of the interval.
        high: upper end.
        values: one for each seed.
    """

    mean: float
    low: float
    high: float
    values: list[float]

    def __str__(self) -> str:
        return f'{self.mean:+.2f} [{self.low:+.2f}, {self.high:+.2f}]'


def paired_difference(
    first: np.ndarray,
    second: np.ndarray,
    sizes: np.ndarray,
    names: Sequence[str],
    *,
    resamples: int = 10_000,
    level: float = 0.95,
    seed: int = 0,
) -> dict[str, Difference]:
    """Recall of A minus recall of B, in percentage points, with a bootstrap interval over seeds and queries.

    Args:
        first: (S, N, Q) hits of A summed by query, see `queries.sums_by_image`.
        second: (S, N, Q) hits of B, the same seeds and queries in the same order.
        sizes: (N, Q).
        names: Q names of recalls; 'Rsum' and 'mR' are added.
        level: share of the samples within the interval.

    Raises:
        ConfigError: ``resamples`` or ``level`` is out of range.
        DataError: shapes do not match.
    """
    if first.shape != second.shape or first.shape[-1] != len(names):
        raise DataError(f'hits {first.shape} and {second.shape} do not pair up under {len(names)} names')
    sums = 100 * (first - second)
    by_seed = sums.sum(axis=1) / sizes.sum(axis=0)  # (S, Q)
    samples = bootstrap(sums, sizes, resamples=resamples, seed=seed)  # (B, Q)
    width = len(names)
    combine = np.concatenate([np.eye(width), np.ones((width, 1)), np.full((width, 1), 1 / width)], axis=1)  # (Q, Q + 2)
    by_seed, samples = by_seed @ combine, samples @ combine
    low, high = percentile_interval(samples, level)
    return {
        name: Difference(float(by_seed[:, i].mean()), float(low[i]), float(high[i]), by_seed[:, i].tolist())
        for i, name in enumerate([*names, 'Rsum', 'mR'])
    }
