"""Hook that gives the similarity of a model that scores pairs to the metric, before evaluation."""

from __future__ import annotations

from typing import Any, Sequence

from mmengine.evaluator import Evaluator
from mmengine.hooks import Hook

from ..evaluation.image_text_recall import ImageTextRecall
from ..evaluation.pairwise_scores import TILE, PairScorer, check_tile
from ..registry import HOOKS
from ..utils.dist import unwrapped


@HOOKS.register_module()
class PairwiseScoringHook(Hook):
    """Hand the model's similarity to every `ImageTextRecall` of the loop, unless it is ``indexable``.

    Args:
        tile: number of images and of captions that are scored in one call; device memory grows with their product.

    Raises:
        ConfigError: ``tile`` is not a pair of positive whole numbers.
    """

    def __init__(self, *, tile: Sequence[int] = TILE) -> None:
        self.tile = check_tile(tile)

    def before_val(self, runner: Any) -> None:
        """For the evaluator of the validation loop."""
        self._connect(runner, runner.val_loop.evaluator)

    def before_test(self, runner: Any) -> None:
        """For the evaluator of the test loop."""
        self._connect(runner, runner.test_loop.evaluator)

    def _connect(self, runner: Any, evaluator: Evaluator) -> None:
        model = unwrapped(runner.model)
        similarity = getattr(model, 'similarity', None)
        if similarity is None or similarity.indexable:
            return
        scorer = PairScorer(similarity, model.data_preprocessor.device, self.tile)
        for metric in evaluator.metrics:
            if isinstance(metric, ImageTextRecall):
                metric.scorer = scorer
