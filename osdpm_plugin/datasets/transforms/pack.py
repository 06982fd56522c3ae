"""The last step of every pipeline: an item -> an image tensor and a `RetrievalDataSample`."""

from __future__ import annotations

import numpy as np
import torch
from mmcv.transforms import BaseTransform

from ...registry import TRANSFORMS
from ...structures import RetrievalDataSample
from ..text.caption_text import caption_key
from .pixels import planes


@TRANSFORMS.register_module()
class PackRetrievalInputs(BaseTransform):
    """Return ``dict(inputs=(3, H, W) uint8 tensor, data_samples=RetrievalDataSample)``; see there for the fields."""

    def transform(self, results: dict) -> dict:
        """Pack ``img`` (H, W, 3) uint8, the captions, ids and tokens, and object counts, regions and labels if any."""
        image = torch.from_numpy(planes(results['img']))  # (3, H, W)
        return dict(inputs=image, data_samples=self.pack_captions(results))

    @staticmethod
    def pack_captions(results: dict) -> RetrievalDataSample:
        """The sample: everything but the image."""
        captions = list(results['captions'])
        sample = RetrievalDataSample(metainfo=dict(img_path=results['img_path'], captions=captions))
        sample.image_id = int(results['image_id'])
        sample.caption_ids = np.asarray(results['caption_ids'], dtype=np.int64)
        sample.caption_keys = np.asarray([caption_key(c) for c in captions], dtype=np.int64)
        for key in ('tokens', 'object_counts', 'regions', 'labels'):
            if key in results:
                sample.set_data({key: results[key]})
        return sample
