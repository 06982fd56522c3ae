"""An image that cannot be read during training -> an error of one sentence, or None, so that another item is drawn."""

from __future__ import annotations

from typing import Any, Optional

import torch
from mmcv.transforms import BaseTransform

from ...errors import ConfigError, DataError
from ..annotations.file_names import name_some
from .mmcv_loader import check_file


class UnreadableImage(BaseTransform):
    """A transform that loads images, with a policy for those that it cannot load.

    A file that the loader would decode wrongly without an error, see `why_refused`, counts as unreadable, as at
    start-up.

    Args:
        load: the transform, one of `IMAGE_LOADERS`.
        num_items: N, of the data set.
        max_images: the largest number of different images to leave out; 0 raises an error at the first one.

    Attributes:
        failed: (N,) bool in shared memory, true for each image that any worker left out.
    """

    def __init__(self, load: Any, *, num_items: int, max_images: int = 0) -> None:
        self.load = load
        self.max_images = max_images
        self.failed = torch.zeros(num_items, dtype=torch.bool).share_memory_()

    def transform(self, results: dict) -> Optional[dict]:
        """Load ``img_path``; None if it cannot be read, as long as ``max_images`` allows it.

        Raises:
            ConfigError: the transform itself fails, for example on a full disk; the image is not the cause.
            DataError: it cannot be read, and ``max_images`` is 0 or exceeded.
        """
        path = results['img_path']
        try:
            check_file(self.load, path)
            return self.load(results)
        except ConfigError:
            raise
        except DataError as error:
            fault = str(error)
        except Exception as error:  # decoders raise many types
            fault = f'image {path} cannot be read ({" ".join(str(error).split()) or type(error).__name__})'
        if self.max_images == 0:
            raise DataError(f'{fault}; replace it, and continue with --resume if a training was interrupted')
        self.failed[results['sample_idx']] = True
        count = int(self.failed.sum())
        if count > self.max_images:
            raise DataError(
                f'{fault}; it is one more than the {self.max_images} that max_images of UnreadableImageHook allows: '
                'replace the images that the log names, and continue with --resume'
            )
        return None

    def __repr__(self) -> str:
        return f'{type(self).__name__}({self.load!r}, max_images={self.max_images})'


def describe_failed(dataset: Any, failed: torch.Tensor) -> str:
    """A mask (N,) over the items of a data set -> a sentence that counts and names the images; empty for none."""
    paths = [dataset.get_data_info(index)['img_path'] for index in failed.nonzero().flatten().tolist()]
    if not paths:
        return ''
    return f'{len(paths)} of {len(failed)} images could not be read and were left out: {name_some(paths, len(paths))}'
