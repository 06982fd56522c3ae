"""A user's own images and captions, described by one file and no code."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Optional, Sequence, Union

from ...registry import DATASETS
from ..annotations.json_files import BlankCaptions, ImageRecord
from ..annotations.split_conventions import SplitConvention
from ..annotations.tables import read_annotations
from .caption_retrieval import CaptionRetrievalDataset
from .facts import Facts
from .image_check import ImageCheck


@DATASETS.register_module()
class CaptionDataset(CaptionRetrievalDataset):
    """Own data: ``CaptionDataset(data_root='my_data', ann_file='captions.csv')``.

    The annotation file is CSV (``filename,caption[,split]``), JSONL (``{"filename": .., "captions": [..]}``) or JSON;
    see `read_annotations`. File names are relative to ``data_root``, or to ``image_dir`` where that is given.

    Args:
        data_root: folder of the data.
        ann_file: annotation file relative to ``data_root``.
        split: a split that the file names, see `CaptionRetrievalDataset`; None takes every image. A file that names
            train and no other split but test gives up ``val_fraction`` of train as val when one of the two is asked
            for.
        image_dir: folder that file names are relative to, itself relative to ``data_root``; ``data_root`` when None.
        pipeline: see `CaptionRetrievalDataset`, likewise the other arguments.
        test_mode: see ``pipeline``.
        split_convention: see ``pipeline``.
        split_seed: see ``pipeline``.
        split_manifest: see ``pipeline``.
        val_fraction: see ``pipeline``.
        exclude_list: see ``pipeline``.
        blank_captions: see ``pipeline``.
        check: see ``pipeline``.
        indices: see ``pipeline``.
        metainfo: see ``pipeline``.

    Raises:
        DataError: see `CaptionRetrievalDataset`.
    """

    FACTS = Facts(name='own data', image_dir='', home='wherever it is kept')
    METAINFO = dict(dataset='own data')

    def __init__(
        self,
        *,
        data_root: str,
        ann_file: str,
        split: Optional[str] = None,
        image_dir: Optional[str] = None,
        pipeline: Sequence[Any] = (),
        test_mode: bool = False,
        split_convention: SplitConvention = 'official',
        split_seed: int = 0,
        split_manifest: Optional[str] = None,
        val_fraction: float = 0.1,
        exclude_list: Optional[str] = None,
        blank_captions: Optional[BlankCaptions] = None,
        check: ImageCheck = 'decode',
        indices: Union[int, Sequence[int], None] = None,
        metainfo: Optional[dict] = None,
    ) -> None:
        super().__init__(
            data_root=data_root,
            ann_file=ann_file,
            split=split,
            image_dir=image_dir,
            pipeline=pipeline,
            test_mode=test_mode,
            split_convention=split_convention,
            split_seed=split_seed,
            split_manifest=split_manifest,
            val_fraction=val_fraction,
            exclude_list=exclude_list,
            blank_captions=blank_captions,
            check=check,
            indices=indices,
            metainfo=metainfo,
        )

    def read_records(self) -> list[ImageRecord]:
        """All images of the annotation file.

        Raises:
            DataError: the file is unusable.
        """
        return read_annotations(Path(self.ann_file), blank_captions=self.blank_captions)
