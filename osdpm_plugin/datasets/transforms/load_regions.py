"""The path of an image -> the regions of the objects that a detector found in it."""

from __future__ import annotations

from mmcv.transforms import BaseTransform

from ...registry import TRANSFORMS
from ...utils.checks import check_int, check_number
from ..images.region_files import read_regions, region_file


@TRANSFORMS.register_module()
class LoadRegions(BaseTransform):
    """Add ``regions``, a dict of arrays, best first, for a neck that reads regions; see `region_files`.

    Regions are those of the whole image file. Crops, turns and flips of the pipeline do not change them: they say what
    an image shows, as in GaLR (Yuan et al. 2022), not where its pixels are after the transforms.

    Args:
        folder: where the npz files are.
        num: regions to keep of each image, those of the best scores.
        min_score: least score of a region.

    Raises:
        ConfigError: a value is out of range.
    """

    def __init__(self, *, folder: str, num: int = 20, min_score: float = 0.0) -> None:
        self.folder = folder
        self.num = check_int('LoadRegions', 'num', num)
        self.min_score = check_number('LoadRegions', 'min_score', min_score, least=0, most=1)

    def transform(self, results: dict) -> dict:
        """Add ``regions``.

        Raises:
            DataError: the file is missing or unusable.
        """
        record = read_regions(region_file(self.folder, results['img_path']))
        count = min(int((record.scores >= self.min_score).sum()), self.num)
        regions = {name: array[:count] for name, array in record._asdict().items() if array is not None}
        return {**results, 'regions': regions}

    def __repr__(self) -> str:
        return f'{type(self).__name__}(folder={self.folder!r}, num={self.num}, min_score={self.min_score})'
