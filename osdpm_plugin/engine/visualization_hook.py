"""Hook that draws what the model retrieves during training, for the backends of the config's visualizer."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any, Optional

from mmengine.dist import collect_results, is_main_process
from mmengine.hooks import Hook
from mmengine.runner import EpochBasedTrainLoop

from ..errors import ConfigError
from ..evaluation.embedded_split import TOLERANCE, EmbeddedSplit, EmbeddingCollector
from ..registry import HOOKS
from ..utils.checks import check_int
from ..utils.dist import unwrapped

FIELDS = ('image_id', 'caption_ids', 'tokens', 'img_path', 'captions', 'image_embed', 'text_embed')


@HOOKS.register_module()
class RetrievalVisualizationHook(Hook):
    """Draw the gallery and the recall curve of the validation split at chosen epochs.

    ::

        predictions of the val loop ──> embeddings by id ──> gallery, recall curve ──> Visualizer ──> its backends
            (every process)                 (rank 0)

    The pictures go to every backend of ``visualizer.vis_backends``: ``LocalVisBackend`` writes them to ``vis_image`` in
    the run's ``vis_data``, ``TensorboardVisBackend`` and ``WandbVisBackend`` show them by step. Their names are
    ``retrieval_gallery`` and ``recall_curve``, their step is the epoch. The predictions are those of the validation
    loop; nothing is predicted twice.

    Args:
        epochs: epochs, counted from 1.
        interval: number of epochs between drawings; give either ``epochs`` or ``interval``.
        queries: number of each direction in the gallery.
        topk: answers to each query.
        seed: of the random choice of queries, the same at each epoch.
        only_misses: show only queries whose right answer is not at rank 1.

    Raises:
        ConfigError: a value is out of range; or, before training, an epoch is not validated, the loop has no epochs, or
            the similarity of the model scores pairs.
    """

    priority = 'LOW'

    def __init__(
        self,
        *,
        epochs: Sequence[int] = (),
        interval: Optional[int] = None,
        queries: int = 4,
        topk: int = 5,
        seed: int = 0,
        only_misses: bool = False,
    ) -> None:
        owner = type(self).__name__
        if (interval is None) != bool(epochs):
            raise ConfigError(f'{owner}: give either epochs, e.g. (1, 10, 24), or interval, e.g. 5')
        self.epochs = frozenset(check_int(owner, f'epochs[{i}]', epoch) for i, epoch in enumerate(epochs))
        self.interval = None if interval is None else check_int(owner, 'interval', interval)
        self.queries = check_int(owner, 'queries', queries)
        self.topk = check_int(owner, 'topk', topk)
        self.seed = check_int(owner, 'seed', seed, least=0)
        self.only_misses = only_misses
        self._training = False
        self._samples: list[dict[str, Any]] = []

    def before_train(self, runner: Any) -> None:
        """Check that every chosen epoch will be validated."""
        owner, loop = type(self).__name__, runner.train_loop
        if not isinstance(loop, EpochBasedTrainLoop) or runner.val_loop is None:
            raise ConfigError(
                f'{owner}: needs an EpochBasedTrainLoop with validation; set val_dataloader, or leave it out'
            )
        model = unwrapped(runner.model)
        if not getattr(getattr(model, 'similarity', None), 'indexable', False):
            raise ConfigError(f'{owner}: a gallery needs embeddings, and this model scores pairs; leave the hook out')
        for epoch in sorted(self._chosen(loop.max_epochs)):
            if not _is_validated(loop, epoch):
                raise ConfigError(
                    f'{owner}: epoch {epoch} is not validated (max_epochs={loop.max_epochs}, '
                    f'val_begin={loop.val_begin}, val_interval={loop.val_interval}); choose other epochs'
                )
        self._training = True

    def after_train(self, runner: Any) -> None:
        """Draw nothing in a later validation."""
        self._training = False

    def before_val_epoch(self, runner: Any) -> None:
        """Discard the predictions of an interrupted epoch."""
        self._samples.clear()

    def after_val_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Optional[Sequence[Any]] = None
    ) -> None:
        """Keep the predictions of a chosen epoch."""
        if self._wants(runner):
            samples = (sample.cpu().to_dict() for sample in outputs or ())
            self._samples += [{key: sample[key] for key in FIELDS if key in sample} for sample in samples]

    def after_val_epoch(self, runner: Any, metrics: Optional[dict[str, float]] = None) -> None:
        """Draw on rank 0."""
        if not self._wants(runner):
            return
        samples = collect_results(self._samples, sys.maxsize)
        self._samples.clear()
        if is_main_process():
            collector = EmbeddingCollector(TOLERANCE)
            collector.process(None, samples)
            collector.evaluate(len(runner.val_dataloader.dataset))
            assert collector.split is not None  # set by `evaluate`
            self._draw(runner, collector.split)

    def _draw(self, runner: Any, split: EmbeddedSplit) -> None:
        # imported late: training alone needs no matplotlib
        from ..visualization import draw_gallery, pixels_of, reader_of, retrieve
        from ..visualization.recall_curve import draw_recall_curves

        found = retrieve(split, queries=self.queries, topk=self.topk, seed=self.seed, only_misses=self.only_misses)
        read = reader_of((runner.cfg.get('val_dataloader') or {}).get('dataset') or {})
        title = f'val split after epoch {runner.epoch}'
        for name, figure in (
            ('retrieval_gallery', draw_gallery(found, split, title=f'Retrieval on the {title}', read=read)),
            ('recall_curve', draw_recall_curves(split, title=f'Recall on the {title}')),
        ):
            runner.visualizer.add_image(name, pixels_of(figure), step=runner.epoch)

    def _wants(self, runner: Any) -> bool:
        return self._training and runner.epoch in self._chosen(runner.epoch)

    def _chosen(self, last: int) -> frozenset[int]:
        """Epochs; of an interval those up to ``last``."""
        return self.epochs if self.interval is None else frozenset(range(self.interval, last + 1, self.interval))


def _is_validated(loop: EpochBasedTrainLoop, epoch: int) -> bool:
    """Whether the loop validates after an epoch; True if its interval changes during training."""
    if not loop.val_begin <= epoch <= loop.max_epochs:
        return False
    return len(loop.dynamic_intervals) > 1 or epoch % loop.val_interval == 0 or epoch == loop.max_epochs
