"""Embeddings -> recall in both directions, against the loops over queries of published evaluation code."""

from __future__ import annotations

import json
import sys
import time
from typing import Any, NamedTuple, Optional, Sequence

import numpy as np
import torch

from ...evaluation import ranks_from_embeddings, summarise
from . import child_process
from .memory import added_memory
from .report import Goal, comparison
from .timing import Pairs, rounds

GOAL = Goal('at least', 50.0)
CAPTIONS = 5
TOPK = (1, 5, 10)
TIES = 'expected'


class Embeddings(NamedTuple):
    """Unit vectors of N images (N, D) and their captions (5 N, D), float32; 5 i to 5 i + 4 are those of image i."""

    images: np.ndarray
    texts: np.ndarray


def made_up_embeddings(count: int, width: int, *, noise: float = 0.12) -> Embeddings:
    """N = ``count`` images and D = ``width``, captions with ``noise`` in each component: recall between 0 and 100 %."""
    rng = np.random.default_rng(0)
    images = _unit(rng.standard_normal((count, width), dtype=np.float32))
    texts = images.repeat(CAPTIONS, axis=0)
    texts += noise * rng.standard_normal(texts.shape, dtype=np.float32)
    return Embeddings(images, _unit(texts))


def our_recall(embeddings: Embeddings) -> dict[str, float]:
    """The numbers of `ImageTextRecall`, computed as it computes them."""
    ids = np.arange(len(embeddings.images))
    ranks = ranks_from_embeddings(embeddings.images, embeddings.texts, ids, ids.repeat(CAPTIONS))
    return summarise(ranks, TOPK)[TIES]


def loop_recall(embeddings: Embeddings) -> dict[str, float]:
    """The same numbers by a loop over queries: score all candidates, sort them, look up the positives.

    VSE++ and later methods evaluate like this; the code is our own.
    """
    images, texts = embeddings
    best, own = np.empty(len(images)), np.empty(len(texts))
    for i, image in enumerate(images):
        order = np.argsort(image @ texts.T)[::-1]
        captions = range(CAPTIONS * i, CAPTIONS * (i + 1))
        best[i] = min(np.where(order == j)[0][0] for j in captions)
        for j, row in zip(captions, texts[captions.start : captions.stop] @ images.T):
            own[j] = np.where(np.argsort(row)[::-1] == i)[0][0]
    result = {}
    for way, ranks in (('i2t', best), ('t2i', own)):
        result.update({f'{way}_R@{k}': 100 * float((ranks < k).mean()) for k in TOPK})
        result[f'{way}_medr'] = float(np.median(ranks)) + 1
    result['Rsum'] = sum(value for name, value in result.items() if 'R@' in name)
    result['mR'] = result['Rsum'] / (2 * len(TOPK))
    return result


def compare_recall(
    *, repeats: int, count: int = 1093, width: int = 512, rates: Optional[dict[str, float]] = None
) -> dict[str, Any]:
    """Time both on the same embeddings; RSICD's test split has 1093 images.

    Returns:
        a row of `report.comparison`, with the greatest difference of a number between the sides, and with the lower
        bound of the time, one float32 product of all pairs, if ``rates`` (of `machine.rates`) are given.
    """
    embeddings = made_up_embeddings(count, width)
    pairs = Pairs(*rounds((lambda: our_recall(embeddings), lambda: loop_recall(embeddings)), repeats=repeats))
    ours, theirs = our_recall(embeddings), loop_recall(embeddings)
    flops = 2 * count * CAPTIONS * count * width
    return comparison(
        what=f'recall of {count} x {CAPTIONS * count}',
        ours='exact ranks',
        theirs='NumPy loop',
        pairs=pairs,
        goal=GOAL,
        details=dict(
            greatest_difference=max(abs(ours[name] - theirs[name]) for name in theirs),
            flops=flops,
            floor_s=None if rates is None else flops / rates['fp32_flops'],
        ),
    )


def measure_memory(count: int, *, width: int = 512) -> dict[str, Any]:
    """Seconds and memory of our recall of ``count`` x 5 ``count`` in a process of its own.

    Returns:
        dict: ``seconds``; ``added_bytes``, the highest resident memory minus that of the embeddings (None if the system
        does not say); ``matrix_bytes`` that the scores of all pairs would need in float32.

    Raises:
        ConfigError: the process fails; its last line is the reason.
    """
    command = [sys.executable, '-m', __name__, str(count), str(width), str(torch.get_num_threads())]
    done = child_process.run(command, f'recall of {count} images failed')
    found = json.loads(done.stdout.strip().splitlines()[-1])
    return dict(found, matrix_bytes=4 * CAPTIONS * count**2)


def _measure_here(arguments: Sequence[str]) -> None:
    count, width, threads = map(int, arguments)
    torch.set_num_threads(threads)
    embeddings = made_up_embeddings(count, width)
    our_recall(Embeddings(embeddings.images[:8], embeddings.texts[: 8 * CAPTIONS]))
    start = time.perf_counter()
    added = added_memory(lambda: our_recall(embeddings))
    print(json.dumps(dict(seconds=time.perf_counter() - start, added_bytes=added)))


def _unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


if __name__ == '__main__':
    _measure_here(sys.argv[1:])
