"""Config and checkpoint -> the embeddings of a split, with ids, paths and captions.

The Runner's own test loop computes them: data loader, preprocessor, precision, hooks and the check of the checkpoint
are those of an evaluation, and records are merged by id as the metric merges them.
"""

from __future__ import annotations

import copy

from mmengine.config import Config
from mmengine.evaluator import Evaluator

from ..errors import ConfigError, MetricError
from ..evaluation import ImageTextRecall
from ..evaluation.embedded_split import TOLERANCE, EmbeddedSplit, EmbeddingCollector
from .faults import explain
from .runner import build_tester

SPLITS = ('test', 'val')


def embed_split(cfg: Config, checkpoint: str, split: str = 'test') -> EmbeddedSplit:
    """Load a checkpoint and encode one split, sorted by image id and by caption id.

    Args:
        cfg: as `load_config` returns it; it is not changed.
        split: ``test`` or ``val``, the data loader of that name in the config.

    Raises:
        ConfigError: the config has no such data loader, does not fit its components, or asks for several processes.
        CheckpointError: the checkpoint is missing, unreadable, or of another model.
        DataError: the data set is missing or unusable.
        MetricError: the model's predictions are incomplete or not finite.
    """
    cfg = config_of_split(cfg, checkpoint, split)
    runner = build_tester(cfg)
    try:
        loop = runner.test_loop
        metrics = loop.evaluator.metrics
        tolerance = next((m.tolerance for m in metrics if isinstance(m, ImageTextRecall)), TOLERANCE)
        collector = EmbeddingCollector(tolerance)
        loop.evaluator = Evaluator([collector])
        runner.test()
    except (TypeError, KeyError) as error:
        raise explain(error) from error
    if collector.split is None:
        raise MetricError(f'the test loop {type(loop).__name__} did not evaluate its predictions; use a TestLoop')
    return collector.split


def config_of_split(cfg: Config, checkpoint: str, split: str) -> Config:
    """A copy of the config whose test loop reads ``split``."""
    if split not in SPLITS:
        raise ConfigError(f'split must be one of {", ".join(SPLITS)}, got {split!r}')
    if cfg.get('launcher', 'none') != 'none':
        raise ConfigError(f'--launcher {cfg.launcher} starts several processes, this takes one; leave it out')
    if cfg.get(f'{split}_dataloader') is None:
        raise ConfigError(f'the config has no {split}_dataloader; add it, or choose the other one of {SPLITS}')
    cfg = copy.deepcopy(cfg)
    cfg.load_from, cfg.resume = checkpoint, False
    if split == 'val':
        cfg.test_dataloader, cfg.test_evaluator = cfg.val_dataloader, cfg.val_evaluator
        cfg.test_cfg = dict(fp16=(cfg.get('val_cfg') or {}).get('fp16', False))
    cfg.val_dataloader = cfg.val_cfg = cfg.val_evaluator = None  # nothing is chosen by what is read here
    return cfg
