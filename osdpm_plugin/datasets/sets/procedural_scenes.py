"""Seed -> the procedural scenes, the built-in default set, drawn on first use without a download."""

from __future__ import annotations

from typing import Any

import mmengine.dist as dist

from ...registry import DATASETS
from ..scenes import write_scenes
from .caption_retrieval import CaptionRetrievalDataset
from .facts import Facts
from .image_check import ImageCheck


@DATASETS.register_module()
class ProceduralScenes(CaptionRetrievalDataset):
    """Seeded aerial-like pictures with five captions each, written to ``data_root`` once and read as any other set.

    In distributed runs the first process of each machine draws and the others wait.

    Args:
        data_root: folder to draw into, or that already holds the same set.
        split: ``train``, ``val`` or ``test``.
        num_train: images of each split.
        num_val: see ``num_train``.
        num_test: see ``num_train``.
        seed: seed of the whole set.
        image_size: edge of the square images, pixels.
        check: see `CaptionRetrievalDataset`; images that were drawn here are known to be complete, so only their names
            are checked.
        **kwargs: the other arguments of `CaptionRetrievalDataset`.

    Raises:
        DataError: ``data_root`` holds something else, or scenes of other parameters.
        ConfigError: a number is out of range.
    """

    METAINFO = dict(dataset='procedural scenes')
    FACTS = Facts(name='procedural scenes', home='its own generator: leave data_root empty')

    def __init__(
        self,
        *,
        data_root: str,
        split: str,
        num_train: int = 2000,
        num_val: int = 200,
        num_test: int = 200,
        seed: int = 0,
        image_size: int = 256,
        check: ImageCheck = 'exists',
        **kwargs: Any,
    ) -> None:
        if dist.get_local_rank() == 0:
            write_scenes(
                data_root, num_train=num_train, num_val=num_val, num_test=num_test, seed=seed, image_size=image_size
            )
        dist.barrier()
        super().__init__(data_root=data_root, split=split, check=check, **kwargs)
