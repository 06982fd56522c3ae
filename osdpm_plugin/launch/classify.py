"""Config, checkpoint and labelled images -> accuracy of images to classes, by the prompts that OSFCM clusters round."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Optional

import numpy as np
import torch
from mmengine.config import Config
from mmengine.evaluator import BaseMetric, Evaluator

from ..datasets.config_views import leaves, pipeline_of
from ..datasets.lexicon import Lexicon
from ..errors import ConfigError
from ..evaluation.zero_shot import ZeroShotAccuracy, zero_shot_accuracy
from ..registry import TASK_UTILS
from ..utils.dist import unwrapped
from .embed import config_of_split
from .runner import build_tester


class _Collector(BaseMetric):
    """Keeps embeddings and labels by image id; computes nothing."""

    def __init__(self) -> None:
        super().__init__(prefix='classify')
        self.found: dict[int, tuple[np.ndarray, dict[str, float]]] = {}

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Keep a batch."""
        for sample in data_samples:
            self.found[sample['image_id']] = sample['image_embed'].cpu().numpy(), sample.get('labels') or {}

    def evaluate(self, size: int) -> dict:
        """No metrics."""
        return {}

    def compute_metrics(self, results: list) -> dict:
        """None; see `evaluate`."""
        return {}


def classify_split(
    cfg: Config,
    checkpoint: str,
    *,
    split: str = 'test',
    labels: Optional[str] = None,
    images: Optional[Mapping[str, Any]] = None,
) -> ZeroShotAccuracy:
    """Load a checkpoint and classify the images of a split, or other images, among all classes that they show.

    Args:
        cfg: as `load_config` returns it; it is not changed.
        checkpoint: its weights.
        split: ``test`` or ``val``, the data loader of that name in the config.
        labels: where its labels stand, see `CaptionRetrievalDataset`; None: as the config says, or ``own``.
        images: config of a `LabelledImageDataset` without pipeline, which stands in the place of the split; None: the
            split itself.

    Raises:
        ConfigError: the config has no such loader or no tokenizer, or its similarity scores pairs.
        DataError: the data are missing, or have no labels.
        MetricError: the model's predictions are not finite.
    """
    cfg = config_of_split(cfg, checkpoint, split)
    loader = cfg.test_dataloader
    steps = pipeline_of(loader.dataset)
    tokenizer = next((step['tokenizer'] for step in steps if step['type'] == 'TokenizeCaptions'), None)
    if tokenizer is None:
        raise ConfigError(f'the pipeline of {split} has no TokenizeCaptions, which says how prompts are read; add it')
    if images is not None:
        loader.dataset = dict(images, pipeline=steps, test_mode=True)
    else:
        part: Any = next(leaves(loader.dataset))
        part.labels = labels or part.get('labels') or 'own'
    runner = build_tester(cfg)
    collector = _Collector()
    runner.test_loop.evaluator = Evaluator([collector])
    runner.test()
    model = unwrapped(runner.model)
    if not model.similarity.indexable:
        raise ConfigError('this model scores pairs, and prompts are compared by dot products; take another model')
    names = sorted({name for _, own in collector.found.values() for name in own})
    lexicon = getattr(model.head, 'lexicon', None) or Lexicon.default()
    prompts = lexicon.prompts(getattr(model.head, 'prompt', None), names)
    tokens = torch.as_tensor(TASK_UTILS.build(tokenizer)(prompts)).to(next(model.parameters()).device)
    with torch.no_grad():
        class_embed = model.embed_texts(tokens).pooled.float().cpu().numpy()
    embeds, found = zip(*(collector.found[i] for i in sorted(collector.found)))
    return zero_shot_accuracy(np.stack(embeds), [set(own) for own in found], class_embed, names)
