"""Jobs, and a function that draws one -> results in the order of the jobs, from one process or several."""

from __future__ import annotations

import multiprocessing
import os
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Optional

import cv2
from tqdm import tqdm

from .textures import warm_up


def draw_all(
    jobs: Sequence[Any],
    draw: Callable[[Any], Any],
    num_workers: Optional[int],
    *,
    unit: str = 'image',
    chunksize: int = 8,
) -> list[Any]:
    """``draw`` of each job, under a progress bar; in forked workers, which share the tiles, if the system can fork.

    Args:
        jobs: what to draw, at least one.
        draw: draws one; it and its results can be pickled.
        num_workers: processes, at most one for each job; None: one for each core.
        unit: what one job is called in the progress bar.
        chunksize: jobs that a worker takes at a time.
    """
    num_workers = min(num_workers or os.cpu_count() or 1, len(jobs))
    bar = partial(tqdm, total=len(jobs), desc='drawing scenes', unit=unit, mininterval=0.5)
    threads = cv2.getNumThreads()
    warm_up()
    cv2.setNumThreads(0)  # one process for each core; threads of OpenCV do not survive a fork
    try:
        if num_workers == 1:
            return list(bar(map(draw, jobs)))
        context = multiprocessing.get_context('fork' if 'fork' in multiprocessing.get_all_start_methods() else None)
        with warnings.catch_warnings():
            warnings.simplefilter('ignore', DeprecationWarning)  # Python 3.12+ warns of forks beside idle threads
            pool = context.Pool(num_workers)
        with pool:
            return list(bar(pool.imap(draw, jobs, chunksize=chunksize)))
    finally:
        cv2.setNumThreads(threads)
