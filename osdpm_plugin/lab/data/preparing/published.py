"""The published sets: their facts, their readers, and the files to download."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Callable

from ....datasets.annotations.karpathy import read_karpathy_json
from ....datasets.annotations.nwpu import read_nwpu_json
from ....datasets.annotations.records import BlankCaptions, ImageRecord
from ....datasets.sets.facts import Facts
from ....datasets.sets.nwpu_captions import NWPUCaptions
from ....datasets.sets.rsicd import RSICD
from ....datasets.sets.rsitmd import RSITMD
from ....datasets.sets.sydney_captions import SydneyCaptions
from ....datasets.sets.ucm_captions import UCMCaptions


@dataclass(frozen=True)
class PublishedFile:
    """A file at a stable address.

    Attributes:
        name: file name.
        url: http(s) address.
        size: bytes.
        sha256: of the content, hexadecimal.
    """

    name: str
    url: str
    size: int
    sha256: str


@dataclass(frozen=True)
class PublishedSet:
    """One set.

    Attributes:
        key: name on the command line.
        facts: sizes, layout, source.
        read: reader of its annotation file, see `read_karpathy_json`.
        blank_captions: ``drop`` if the published file is known to have blank captions, which then are not an error.
        files: what to download by hand, in words.
        downloads: the files among them that a program can download.
    """

    key: str
    facts: Facts
    read: Callable[..., list[ImageRecord]]
    blank_captions: BlankCaptions
    files: tuple[str, ...]
    downloads: tuple[PublishedFile, ...] = ()

    def how_to_get(self, root: Path) -> str:
        """Web page, file names and the next command, as text of several lines."""
        facts = self.facts
        lines = [
            f'{facts.name} is published at {facts.home}',
            *([f'  ({facts.how_to_get})'] if facts.how_to_get else []),
        ]
        lines += ['Fetch these files with a browser:', *(f'  {file}' for file in self.files)]
        if self.downloads:
            names = ', '.join(f'{file.name} ({file.size / 1e6:.0f} MB)' for file in self.downloads)
            lines.append(f'or let --download fetch {names}; GitHub refuses while the quota of its owner is used up.')
        lines.append(f'Then: python tools/prepare_dataset.py {self.key} --root {root} --from FILE_OR_FOLDER ...')
        return '\n'.join(lines)


_ALL = (
    PublishedSet(
        *('rsicd', RSICD.FACTS, read_karpathy_json, RSICD.BLANK_CAPTIONS),
        files=('dataset_rsicd.json', 'RSICD_images.zip (or .rar)'),
        downloads=(
            # Size and hash: the Git LFS pointer of this commit.
            PublishedFile(
                name='RSICD_images.zip',
                url='https://media.githubusercontent.com/media/201528014227051/RSICD_optimal/'
                '30bf7e85ddfb919dc724a7b2b4a46fbd39e8371e/RSICD_images.zip',
                size=484955574,
                sha256='0d3ebda15b8b1e5c2754270d38462251e8c61489b54e463e499c978da4b91d10',
            ),
        ),
    ),
    PublishedSet(
        *('rsitmd', RSITMD.FACTS, read_karpathy_json, RSITMD.BLANK_CAPTIONS),
        files=('the archive of RSITMD (Baidu Netdisk or Google Drive): images/ and dataset_RSITMD.json',),
    ),
    PublishedSet(
        *('ucm', UCMCaptions.FACTS, read_karpathy_json, UCMCaptions.BLANK_CAPTIONS),
        files=('UCM_captions.zip: dataset.json and imgs.rar, which has to be unpacked by unrar or 7z',),
    ),
    PublishedSet(
        *('sydney', SydneyCaptions.FACTS, read_karpathy_json, SydneyCaptions.BLANK_CAPTIONS),
        files=('the archive of Sydney_captions: dataset.json and imgs',),
    ),
    PublishedSet(
        *('nwpu', NWPUCaptions.FACTS, read_nwpu_json, NWPUCaptions.BLANK_CAPTIONS),
        files=('dataset_nwpu.json', 'NWPU_images.tar.gz (or the images of NWPU-RESISC45)'),
        downloads=(
            PublishedFile(
                name='NWPU_images.tar.gz',
                url='https://media.githubusercontent.com/media/HaiyanHuang98/NWPU-Captions/'
                '3f57039cd675e2575414d18d53e2d4dae2bcc7ce/NWPU_images.tar.gz',
                size=407575520,
                sha256='720d6c3430489c9aa99232c3d53b6b9ca48d4b838918d17e7b6e766483fddbec',
            ),
        ),
    ),
)

PUBLISHED: dict[str, PublishedSet] = {published.key: published for published in _ALL}
"""Name on the command line -> set."""
