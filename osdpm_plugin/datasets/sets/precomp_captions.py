"""Text files of the AMFMN, GaLR and HVSA repositories, one caption or file name a line -> items."""

from __future__ import annotations

from pathlib import Path
from typing import Iterable, Optional, Sequence

from ...errors import DataError
from ...registry import DATASETS
from ..annotations.file_names import name_some
from ..annotations.records import BlankCaptions, Entry, ImageRecord, build_records
from ..annotations.text_files import read_text
from .caption_retrieval import CaptionRetrievalDataset
from .facts import Facts

CAPTIONS_PER_IMAGE = 5
SPLITS = ('train', 'val', 'test')


def read_precomp(
    folder: Path, *, blank_captions: BlankCaptions = 'drop', images: Optional[Path] = None
) -> list[ImageRecord]:
    """Read ``{train,val,test}_caps.txt`` and ``{..}_filename.txt``; splits whose files are absent are left out.

    Five captions in a row belong to one image. The file of names lists each image once, or five times in a row
    (published: train once, test five times); both are recognised by the number of lines.

    Args:
        folder: where the files lie.
        blank_captions: a blank line is a caption without words. ``drop`` drops them, and images that have no other, and
            logs both counts: RSITMD's train file has 20, all the captions of four images. ``raise`` an error.
        images: see `build_records`; None: ``folder``.

    Raises:
        DataError: no such files, one of a pair is absent, the numbers of lines do not fit, or the five names of an
            image differ.
    """
    folder = Path(folder)
    present = [split for split in SPLITS if any(path.is_file() for path in _pair(folder, split))]
    if not present:
        raise DataError(f'{folder} holds none of {", ".join(_pair(Path(), s)[0].name for s in SPLITS)}')
    entries = [entry for split in present for entry in _read_split(folder, split)]
    return build_records(folder, entries, blank_captions=blank_captions, images=folder if images is None else images)


def _pair(folder: Path, split: str) -> tuple[Path, Path]:
    return folder / f'{split}_caps.txt', folder / f'{split}_filename.txt'


def _read_split(folder: Path, split: str) -> Iterable[Entry]:
    caps_file, names_file = _pair(folder, split)
    captions, names = _lines(caps_file), _lines(names_file)
    each = CAPTIONS_PER_IMAGE
    if len(captions) == len(names):
        for start in range(0, len(names), each):
            group = names[start : start + each]
            if len(group) < each or len(set(group)) > 1:
                raise DataError(
                    f'{names_file}: lines {start + 1} to {start + len(group)} should be one name {each} times, got '
                    f'{name_some(list(dict.fromkeys(group)))}; a line is missing or doubled there or above'
                )
        names = names[::each]
    elif len(captions) != each * len(names):
        raise DataError(
            f'{caps_file} has {len(captions)} lines and {names_file.name} {len(names)}; the first must have as many as '
            f'the second, or {each} times as many'
        )
    for index, name in enumerate(names):
        start = each * index
        yield Entry(name, split, captions[start : start + each], f'{caps_file.name}, line {start + 1}')


def _lines(path: Path) -> Sequence[str]:
    """Lines as the iterator of a file counts them: a line feed ends a line, and the last line may lack it."""
    lines = read_text(path).split('\n')
    return [line.strip() for line in (lines[:-1] if lines[-1] == '' else lines)]


@DATASETS.register_module()
class PrecompCaptions(CaptionRetrievalDataset):
    """``rsicd_precomp`` or ``rsitmd_precomp`` as AMFMN, GaLR, HVSA and PE-RSITR distribute them.

    ``data_root`` holds the text files, ``image_dir`` the images. Their train split is train and val together:
    choose a ``split_convention`` (``hvsa`` with a seed of HVSA is its own cut), or give the lists of a repository, as
    ``split_manifest=dict(train='.../train_filename_verify.txt', val='.../val_filename_verify.txt')``; else
    ``val_fraction`` of it is held out. The ``*_verify.txt`` files that AMFMN's and GaLR's code writes hold the random
    cut of one run; those that SWAN ships hold its published one.

    Image ids count through train, val and test in this order; splits without files are left out.
    """

    FACTS = Facts(
        name='precomp captions',
        ann_file='',
        image_dir='images',
        home='https://github.com/xiaoyuan1996/AMFMN',
        captions_per_image=CAPTIONS_PER_IMAGE,
        notes=(
            "RSITMD's train_caps.txt has 20 blank lines: mountain_2378, railwaystation_3254, storagetanks_4367, "
            'viaduct_4635',
        ),
    )
    BLANK_CAPTIONS: BlankCaptions = 'drop'
    METAINFO = dict(dataset='precomp captions')

    def read_records(self) -> list[ImageRecord]:
        """All images of the text files.

        Raises:
            DataError: the files are unusable.
        """
        return read_precomp(Path(self.ann_file), blank_captions=self.blank_captions, images=self.images)
