"""An image that cannot be read in the middle of an epoch: one sentence, or None, which a data set replaces."""

from __future__ import annotations

from typing import Any, Optional

import torch
from mmcv.transforms import BaseTransform

from ...errors import ConfigError, DataError
from ..annotations.json_files import name_some
from .mmcv_loader import check_file


class UnreadableImage(BaseTransform):
    """A transform that loads images, with a policy for those that it cannot load.

    What the loader would show wrongly without a word, see `why_misread`, counts as unreadable, as at start-up.

    Args:
        load: the transform, one of `LOADERS`.
        num_items: N, of the data set.
        max_images: most different images of the data set to leave out; 0 raises at the first one.

    Attributes:
        failed: (N,) bool in shared memory, the positions of those that were left out, by any worker.
    """

    def __init__(self, load: Any, *, num_items: int, max_images: int = 0) -> None:
        self.load = load
        self.max_images = max_images
        self.failed = torch.zeros(num_items, dtype=torch.bool).share_memory_()

    def transform(self, results: dict) -> Optional[dict]:
        """Load ``img_path``; None where it cannot be, as long as ``max_images`` allows it.

        Raises:
            ConfigError: the transform itself cannot go on, as where the disk is full; no image is to blame.
            DataError: it cannot be read, or it is one too many.
        """
        path = results['img_path']
        try:
            check_file(self.load, path)
            return self.load(results)
        except ConfigError:
            raise
        except DataError as error:
            fault = str(error)
        except Exception as error:  # decoders raise many kinds
            fault = f'image {path} cannot be read ({" ".join(str(error).split()) or type(error).__name__})'
        if self.max_images == 0:
            raise DataError(f'{fault}; replace it, and go on with --resume where a training was interrupted')
        self.failed[results['sample_idx']] = True
        count = int(self.failed.sum())
        if count > self.max_images:
            raise DataError(
                f'{fault}; it is one more than the {self.max_images} that max_images of UnreadableImageHook allows: '
                'replace the images that the log names, and go on with --resume'
            )
        return None

    def __repr__(self) -> str:
        return f'{type(self).__name__}({self.load!r}, max_images={self.max_images})'


def describe_failed(dataset: Any, failed: torch.Tensor) -> str:
    """How many images and which, of a mask (N,) over the items of a data set; empty for none."""
    paths = [dataset.get_data_info(index)['img_path'] for index in failed.nonzero().flatten().tolist()]
    if not paths:
        return ''
    return f'{len(paths)} of {len(failed)} images could not be read and were left out: {name_some(paths, len(paths))}'
