"""Config and checkpoint -> the embeddings of a split, with ids, paths and captions.

The Runner's own test loop computes them: data loader, preprocessor, precision, hooks and the check of the checkpoint
are those of an evaluation, and records are merged by id as the metric merges them.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Optional

import numpy as np
from mmengine.config import Config
from mmengine.evaluator import BaseMetric, Evaluator

from ..errors import ConfigError, MetricError
from ..evaluation import ImageTextRecall
from ..evaluation.records import ImageRecord, gallery_of, merge_records, record_of
from .awaited_checkpoint import awaiting_checkpoint
from .launch import build_runner, explain

SPLITS = ('test', 'val')
TOLERANCE = 1e-2  # the default of ImageTextRecall


class EmbeddedSplit(NamedTuple):
    """N images and their M captions.

    Attributes:
        image_ids: (N,) int64, unique.
        image_paths: N files.
        image_embed: (N, D) float32.
        caption_ids: (M,) int64, unique.
        caption_image_ids: (M,) int64, the image of each caption.
        captions: M texts.
        text_embed: (M, D) float32.
    """

    image_ids: np.ndarray
    image_paths: tuple[str, ...]
    image_embed: np.ndarray
    caption_ids: np.ndarray
    caption_image_ids: np.ndarray
    captions: tuple[str, ...]
    text_embed: np.ndarray


def embed_split(cfg: Config, checkpoint: str, split: str = 'test') -> EmbeddedSplit:
    """Load a checkpoint and encode one split, sorted by image id and by caption id.

    Args:
        cfg: as `load_config` returns it; it is not changed.
        checkpoint: file.
        split: ``test`` or ``val``, the data loader of that name in the config.

    Raises:
        ConfigError: the config has no such data loader, does not fit its components, or asks for several processes.
        CheckpointError: the checkpoint is missing, unreadable, or of another model.
        DataError: the data set is missing or unusable.
        MetricError: the model's predictions are incomplete or not finite.
    """
    cfg = _config_of(cfg, checkpoint, split)
    with awaiting_checkpoint(cfg):
        runner = build_runner(cfg)
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


def _config_of(cfg: Config, checkpoint: str, split: str) -> Config:
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


class EmbeddingCollector(BaseMetric):
    """Keeps what the test loop predicts; states no numbers.

    Args:
        tolerance: see `ImageTextRecall`.
    """

    def __init__(self, tolerance: float) -> None:
        super().__init__(prefix='embed')
        self.tolerance = tolerance
        self.split: Optional[EmbeddedSplit] = None
        self._records: list[ImageRecord] = []
        self._paths: dict[int, str] = {}
        self._captions: dict[int, str] = {}

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Keep ids, embeddings, path and captions of a batch."""
        for sample in data_samples:
            record = record_of(sample)
            texts = _texts_of(sample, record)
            self._records.append(record)
            self._paths[record.image_id] = str(sample['img_path'])
            self._captions.update(zip(record.caption_ids.tolist(), texts))

    def evaluate(self, size: int) -> dict:
        """Merge the records of all images into ``split``; returns no metrics."""
        gallery = gallery_of(merge_records(self._records, size, self.tolerance), self.tolerance)
        if gallery.text_words is not None:
            raise ConfigError(
                'the similarity of this model scores pairs, which dot products of embeddings cannot replace; take a '
                'model with an indexable similarity'
            )
        self.split = EmbeddedSplit(
            image_ids=gallery.image_ids,
            image_paths=tuple(self._paths[i] for i in gallery.image_ids.tolist()),
            image_embed=gallery.image_embed,
            caption_ids=gallery.caption_ids,
            caption_image_ids=gallery.caption_image_ids,
            captions=tuple(self._captions[i] for i in gallery.caption_ids.tolist()),
            text_embed=gallery.text_embed,
        )
        return {}

    def compute_metrics(self, results: list) -> dict:
        """None; see `evaluate`."""
        return {}


def _texts_of(sample: Mapping[str, Any], record: ImageRecord) -> Sequence[str]:
    texts = sample.get('captions')
    if sample.get('img_path') is None or texts is None or len(texts) != len(record.caption_ids):
        raise ConfigError(
            f'image id {record.image_id} comes without its path, or without the texts of its captions; end the '
            'pipeline with PackRetrievalInputs'
        )
    return texts
