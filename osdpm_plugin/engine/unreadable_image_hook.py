"""Hook that decides what happens if an image cannot be read during training: an error, or another image."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any, Literal

import mmengine.dist as dist
from mmengine.hooks import Hook
from mmengine.logging import print_log

from ..datasets.sets.wrappers import found_in
from ..datasets.transforms.mmcv_loader import IMAGE_LOADERS
from ..datasets.transforms.unreadable_image import UnreadableImage, describe_failed
from ..errors import DataError
from ..registry import HOOKS
from ..utils.checks import check_int, check_one_of


@HOOKS.register_module()
class UnreadableImageHook(Hook):
    """Handle images that become unreadable after the check at the start of a run.

    ``on_error='raise'`` ends the run with a sentence that names the file. ``'skip'`` continues with another image,
    drawn with the seed of the item, in *training* only: an evaluation without some images would be of another
    data set, so it always raises. After each epoch the log says how many images were left out and which, over all
    workers and processes; a resumed training finds them again.

    It works with `LoadImageFromFile` and `LoadRemoteSensingImage` in the pipelines of data sets that are mmengine's
    `BaseDataset`, inside wrappers too.

    Args:
        on_error: ``raise`` or ``skip``.
        max_images: with ``skip``, maximum number of different images to leave out.

    Raises:
        ConfigError: an argument is out of range.
        DataError: an image cannot be read.
    """

    def __init__(self, *, on_error: Literal['raise', 'skip'] = 'raise', max_images: int = 10) -> None:
        owner, hint = 'UnreadableImageHook', "on_error='raise' allows none"
        self.on_error = check_one_of(owner, 'on_error', on_error, ('raise', 'skip'))
        self.max_images = check_int(owner, 'max_images', max_images, hint=hint)

    def before_train(self, runner: Any) -> None:
        """Prepare the training data before its workers start."""
        _watch(runner.train_dataloader.dataset, self.max_images if self.on_error == 'skip' else 0)

    def before_val(self, runner: Any) -> None:
        """Prepare the validation data."""
        _watch(runner.val_dataloader.dataset, 0)

    def before_test(self, runner: Any) -> None:
        """Prepare the test data."""
        _watch(runner.test_dataloader.dataset, 0)

    def after_train_epoch(self, runner: Any) -> None:
        """Count the images left out over all processes.

        Raises:
            DataError: there are more than ``max_images``.
        """
        if self.on_error == 'raise':
            return
        total, said = 0, []
        for dataset, watch in _watched(runner.train_dataloader.dataset):
            failed = watch.failed.to(dist.get_comm_device(), copy=True).byte()
            dist.all_reduce(failed, 'max')
            watch.failed.logical_or_(failed.bool().cpu())
            total += int(failed.sum())
            said.append(describe_failed(dataset, failed.cpu()))
        if total:
            print_log('; '.join(filter(None, said)), logger='current', level=logging.WARNING)
        if total > self.max_images:
            raise DataError(
                f'{"; ".join(filter(None, said))}; max_images of UnreadableImageHook allows {self.max_images}: replace '
                'them and continue with --resume'
            )


def _watch(dataset: Any, max_images: int) -> None:
    """Wrap the loaders of all data sets in `UnreadableImage`, once."""
    for part in _parts(dataset):
        steps = part.pipeline.transforms
        for place, step in enumerate(steps):
            if isinstance(step, IMAGE_LOADERS):
                steps[place] = UnreadableImage(step, num_items=len(part), max_images=max_images)


def _watched(dataset: Any) -> Iterator[tuple[Any, UnreadableImage]]:
    for part in _parts(dataset):
        for step in part.pipeline.transforms:
            if isinstance(step, UnreadableImage):
                yield part, step


def _parts(dataset: Any) -> Iterator[Any]:
    """The data sets with a pipeline, inside wrappers too."""
    return found_in(dataset, lambda part: hasattr(getattr(part, 'pipeline', None), 'transforms'))
