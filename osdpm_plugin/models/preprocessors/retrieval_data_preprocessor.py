"""Normalise a batch of images with the statistics that the image tower was trained with."""

from __future__ import annotations

from typing import Any, Optional, Sequence, Union

import torch
from mmengine.model import BaseDataPreprocessor

from ...errors import ConfigError
from ...registry import MODELS
from ...structures import ImageFeatures, PartialImages
from ...utils.checks import check_one_of
from .collate import collate_regions


@MODELS.register_module()
class RetrievalDataPreprocessor(BaseDataPreprocessor):
    """Cast to the model's device, reorder channels, subtract the mean and divide by the standard deviation.

    Args:
        mean: three channel means in 0-255 units, in the order of ``channel_order``. When None, the image tower's own
            ``pixel_mean``, ``pixel_std`` and ``channel_order`` are taken.
        std: three channel standard deviations in the same units and order.
        channel_order: order that the tower expects, ``rgb`` or ``bgr``; pipelines deliver BGR as mmcv decodes it.

    Raises:
        ConfigError: one of ``mean`` and ``std`` is missing, or a value is out of range.
    """

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(
        self,
        *,
        mean: Optional[Sequence[float]] = None,
        std: Optional[Sequence[float]] = None,
        channel_order: str = 'rgb',
        non_blocking: bool = False,
    ) -> None:
        super().__init__(non_blocking=non_blocking)
        if (mean is None) != (std is None):
            raise ConfigError("data_preprocessor: give both mean and std, or neither to take the image tower's own")
        self.has_statistics = mean is not None
        self.register_buffer('mean', torch.zeros(3, 1, 1), persistent=False)
        self.register_buffer('std', torch.ones(3, 1, 1), persistent=False)
        self.channel_order = channel_order
        if mean is not None and std is not None:
            self.set_statistics(mean, std, channel_order)

    def set_statistics(self, mean: Sequence[float], std: Sequence[float], channel_order: str) -> None:
        """Set what `__init__` describes.

        Raises:
            ConfigError: not three values, a standard deviation that is not positive, or an unknown channel order.
        """
        if len(mean) != 3 or len(std) != 3 or min(std) <= 0:
            raise ConfigError(
                f'data_preprocessor: mean and std must hold 3 values each and std be positive, got {mean}, {std}'
            )
        check_one_of('data_preprocessor', 'channel_order', channel_order, ('rgb', 'bgr'))
        self.mean = torch.tensor(mean, dtype=torch.float32, device=self.mean.device).view(3, 1, 1)
        self.std = torch.tensor(std, dtype=torch.float32, device=self.std.device).view(3, 1, 1)
        self.channel_order = channel_order
        self.has_statistics = True

    def forward(self, data: dict, training: bool = False) -> dict:
        """Normalise ``data['inputs']`` (B, 3, H, W); ``data['data_samples']`` passes through.

        Cached features, ``dict(maps=[...], pooled=...)``, become float ImageFeatures; of several views (B, V, C, h, w)
        the rows of an image stand one after another, (BV, C, h, w). Those of the frozen part of a tower,
        ``dict(cut=[...])`` of (B, V, ...), become float PartialImages likewise. Regions of the samples (`LoadRegions`)
        become ``regions``, a key that is there only where they are.

        Raises:
            ConfigError: ``inputs`` is not one stacked batch, which means that the dataloader lacks
                ``collate_fn=dict(type='default_collate')`` or the pipeline a resize to one size; or only some samples
                have regions.
        """
        samples: Any = data.get('data_samples')
        batch = dict(inputs=self._images(data['inputs']), data_samples=samples)
        if any('regions' in sample for sample in samples or ()):
            batch['regions'] = collate_regions(samples, self.device)
        return batch

    def _images(self, inputs: Any) -> Union[torch.Tensor, ImageFeatures, PartialImages]:
        images: Any = self.cast_data(inputs)
        if isinstance(images, dict) and 'cut' in images:  # cached features of the frozen part of a tower
            return PartialImages(tuple(values.flatten(0, 1).float() for values in images['cut']))
        if isinstance(images, dict):  # cached features
            maps = tuple((m.flatten(0, 1) if m.ndim == 5 else m).float() for m in images['maps'])
            pooled = images['pooled'].flatten(0, -2).float() if 'pooled' in images else None
            return ImageFeatures(maps=maps, pooled=pooled)
        if not isinstance(images, torch.Tensor) or images.ndim != 4 or images.shape[1] != 3:
            raise ConfigError(
                'data_preprocessor: inputs must be one (B, 3, H, W) tensor; set collate_fn=dict(type='
                "'default_collate') in the dataloader and resize all images to one size in the pipeline"
            )
        if self.channel_order == 'rgb':
            images = images.flip(1)
        return (images.float() - self.mean) / self.std
