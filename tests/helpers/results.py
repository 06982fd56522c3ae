"""Result files as tools/test.py writes them, without running it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch

from osdpm_plugin.evaluation import ImageTextRecall
from tests.helpers.predictions import make_samples

DATA = dict(name='toy', split='test', sha256='d' * 64, images=10, captions=30)


def report_of(folder: Path, seed: int = 0, **options: Any) -> dict:
    """Numbers of the metric on generated predictions; ``test_queries.npz`` is written beside them."""
    folder.mkdir(parents=True, exist_ok=True)
    metric = ImageTextRecall(queries_file=str(folder / 'test_queries.npz'), **options)
    keyed = [dict(s, caption_keys=s['caption_ids'] // 2) for s in make_samples()]
    noise = torch.Generator().manual_seed(seed)
    for sample in keyed:
        sample['image_embed'] = sample['image_embed'] + 0.3 * torch.randn(12, generator=noise)
    metric.process(None, keyed)
    metric.evaluate(len(keyed))
    assert metric.report is not None
    return metric.report


def content(report: dict, *, name: str = 'model', sha256: str = 'c' * 64, seed: Any = 0, **changes: Any) -> dict:
    """JSON content of a valid result file."""
    values: dict[str, Any] = dict(
        schema_version=1,
        config=dict(name=name, sha256=sha256),
        data=dict(DATA),
        seed=seed,
        tie_policy=report['ties'],
        topk=report['topk'],
        metrics=report['metrics'],
        content_metrics=report['content_metrics'],
        transductive_metrics=report['transductive_metrics'],
        selection='best retrieval/mR on val',
        checkpoint=dict(file='best_retrieval_mR_epoch_1.pth', sha256='e' * 64, of='file', epoch=1),
        versions=dict(python='3'),
        git=dict(commit='f' * 40, dirty=False),
        wall_time_s=1.5,
        hardware=dict(cpu='a cpu', cpu_count=2, gpu=[], processes=1),
        queries_file='test_queries.npz',
    )
    values.update(changes)
    return values


def write(folder: Path, *, seed: Any = 0, options: Any = None, noise: Any = None, **changes: Any) -> Path:
    """A result file and its queries in ``folder``; ``noise`` seeds the predictions, the seed itself by default."""
    report = report_of(folder, seed=seed if noise is None else noise, **(options or {}))
    path = folder / 'test_results.json'
    path.write_text(json.dumps(content(report, seed=seed, **changes)))
    return path


def by_hand(values: list[float]) -> tuple[float, float]:
    """Mean and deviation in plain NumPy."""
    return float(np.mean(values)), float(np.std(values, ddof=1))
