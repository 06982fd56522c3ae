"""Small data sets in the official layouts of the published ones, made in a test."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Callable, Optional

import numpy as np
from PIL import Image

from osdpm_plugin.datasets.text.word_tokenizer import split_caption

NOUNS = ('planes', 'storage tanks', 'boats', 'tennis courts', 'cars', 'houses', 'bridges', 'trees')
COLOURS = ('red', 'white', 'blue', 'grey')

# kind -> annotation file, folder of images, suffix
LAYOUTS = {
    'RSICD': ('dataset_rsicd.json', 'RSICD_images', '.jpg'),
    'RSITMD': ('dataset_RSITMD.json', 'images', '.tif'),
    'UCMCaptions': ('dataset.json', 'imgs', '.tif'),
    'SydneyCaptions': ('dataset.json', 'imgs', '.tif'),
    'CaptionRetrievalDataset': ('dataset.json', 'images', '.png'),
}


def captions_of(index: int) -> list[str]:
    """Five captions that differ between images of different index."""
    noun, colour = NOUNS[index % len(NOUNS)], COLOURS[index // len(NOUNS) % len(COLOURS)]
    return [
        f'{index} {colour} {noun} {tail} .'
        for tail in ('are here', 'beside a road', 'in a residential area', 'near a river', 'and some green trees')
    ]


def words_of_captions() -> set[str]:
    """The words of the captions of the first forty images."""
    return {word for i in range(40) for text in captions_of(i) for word in split_caption(text)}


def class_name(kind: str) -> Callable[[int], str]:
    """Number of an image -> a stem of its file name that says its class, as those of the published set do."""
    if kind == 'UCMCaptions':
        return lambda index: str(1 + 100 * (index % 21) + index // 21)
    return lambda index: f'{("airport", "pond", "denseresidential")[index % 3]}_{index}'


def write_dataset(
    root: Path,
    kind: str,
    *,
    train: int = 12,
    val: int = 6,
    test: int = 6,
    size: int = 48,
    stem: Callable[[int], str] = 'scene_{}'.format,
) -> dict:
    """Write images and the annotation file of a published layout; returns the annotation as a dict."""
    ann_file, image_dir, suffix = LAYOUTS[kind]
    (root / image_dir).mkdir(parents=True, exist_ok=True)
    splits = ['train'] * train + ['val'] * val + ['test'] * test
    images = []
    for index, split in enumerate(splits):
        filename = f'{stem(index)}{suffix}'
        pixels = np.random.default_rng(index).integers(0, 255, (size, size, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(root / image_dir / filename)
        sentences = [
            dict(raw=text, tokens=text.split(), imgid=index, sentid=5 * index + i)
            for i, text in enumerate(captions_of(index))
        ]
        sentids = [s['sentid'] for s in sentences]
        images.append(dict(filename=filename, imgid=index, split=split, sentences=sentences, sentids=sentids))
    annotation = dict(dataset=kind, images=images)
    (root / ann_file).write_text(json.dumps(annotation))
    return annotation


def edit_annotation(path: Path, change: Callable[[list[dict]], Any]) -> None:
    """Apply ``change`` to the images of an annotation file."""
    content = json.loads(path.read_text())
    change(content['images'])
    path.write_text(json.dumps(content))


def reword(path: Path, text: str, splits: Sequence[str] = ('val', 'test')) -> None:
    """Give each caption of some splits another text; ``{imgid}`` and ``{sentid}`` in it are the caption's."""

    def change(images: list[dict]) -> None:
        for sentence in (s for image in images if image['split'] in splits for s in image['sentences']):
            sentence['raw'] = text.format(**sentence)

    edit_annotation(path, change)


def write_nwpu(root: Path, *, train: int = 4, val: int = 2, test: int = 2) -> dict:
    """Write the layout of NWPU-Captions: class -> list of images, which lie in a folder for each class."""
    annotation: dict[str, list[dict]] = {'airplane': [], 'sea_ice': []}
    for index, split in enumerate(['train'] * train + ['val'] * val + ['test'] * test):
        name = sorted(annotation)[index % 2]
        filename = f'{name}_{index:03d}.jpg'
        folder = root / 'NWPU_images' / name
        folder.mkdir(parents=True, exist_ok=True)
        Image.new('RGB', (16, 16), (index, 0, 0)).save(folder / filename)
        keys = ('', '_1', '_2', '_3', '_4')
        annotation[name].append(
            dict(
                filename=filename,
                imgid=index,
                split=split,
                **{f'raw{key}': text for key, text in zip(keys, captions_of(index))},
                **{f'sentids{key}': 5 * index + i for i, key in enumerate(keys)},
            )
        )
    (root / 'dataset_nwpu.json').write_text(json.dumps(annotation))
    return annotation


def write_precomp(root: Path, *, train: int = 10, val: int = 0, test: int = 3, train_names_repeat: int = 1) -> None:
    """Write the text layout of AMFMN and GaLR; val and test name each image five times."""
    (root / 'images').mkdir(parents=True, exist_ok=True)
    index = 0
    for split, count, repeat in (('train', train, train_names_repeat), ('val', val, 5), ('test', test, 5)):
        if count == 0:
            continue
        captions, names = [], []
        for _ in range(count):
            Image.new('RGB', (16, 16), (index, 0, 0)).save(root / 'images' / f'scene_{index}.png')
            captions += captions_of(index)
            names += [f'scene_{index}.png'] * repeat
            index += 1
        (root / f'{split}_caps.txt').write_text(''.join(f'{text}\n' for text in captions))
        (root / f'{split}_filename.txt').write_text(''.join(f'{name}\n' for name in names))


def tiff_bytes(image: np.ndarray, **options: Any) -> bytes:
    """(H, W, C) -> a TIFF file of any number of bands, written from the specification and without a library.

    Args:
        image: the bands.
        options: see `_write_page`.
    """
    return tiff_of_pages([dict(image=image, **options)])


def tiff_of_pages(pages: Sequence[dict]) -> bytes:
    """Arguments of `tiff_bytes` for each page -> a file of these pages."""
    content = bytearray(b'II*\0\0\0\0\0')
    link = 4
    for page in pages:
        place, link_of_page = _write_page(content, **page)
        content[link : link + 4] = struct.pack('<I', place)
        link = link_of_page
    return bytes(content)


def _write_page(
    content: bytearray,
    image: np.ndarray,
    planar: int = 1,
    photometric: Optional[int] = None,
    deflate: bool = False,
    extra: Optional[Sequence[int]] = None,
    tile: Optional[int] = None,
    nodata: Optional[str] = None,
    tags: Sequence[tuple[int, int]] = (),
) -> tuple[int, int]:
    """Add pixels and directory; returns the places of the directory and of its link to the next one.

    Args:
        content: the file so far.
        image: the bands; unsigned, signed, real or complex.
        planar: 1 band by band for each pixel, 2 one band after the other.
        photometric: 1 grey, 2 red, green and blue; by the number of bands when None.
        deflate: compress.
        extra: meaning of the bands beyond; 2 is alpha.
        tile: edge of square tiles; strips when None.
        nodata: text of GDAL's tag.
        tags: further tags of one short number, which replace others.
    """
    height, width, bands = image.shape
    photometric = (2 if bands >= 3 else 1) if photometric is None else photometric
    layers = [image] if planar == 1 else [image[..., i : i + 1] for i in range(bands)]
    if tile is not None:
        padded = [np.pad(a, ((0, -height % tile), (0, -width % tile), (0, 0))) for a in layers]
        layers = [
            a[y : y + tile, x : x + tile]
            for a in padded for y in range(0, a.shape[0], tile) for x in range(0, a.shape[1], tile)
        ]  # fmt: skip
    parts = [np.ascontiguousarray(layer).tobytes() for layer in layers]
    parts = [zlib.compress(part) for part in parts] if deflate else parts
    offsets = []
    for part in parts:
        offsets.append(len(content))
        content += part + b'\0' * (len(part) % 2)
    num_extra = bands - (3 if photometric == 2 else 1)
    short, long = 'H', 'I'
    places = [(273, long, offsets), (278, long, [height]), (279, long, [len(part) for part in parts])]
    if tile is not None:
        places = [(322, long, [tile]), (323, long, [tile]), (324, long, offsets), (325, long, places[2][2])]
    entries = {
        tag: (kind, values)
        for tag, kind, values in [
            (256, long, [width]),
            (257, long, [height]),
            (258, short, [image.dtype.itemsize * 8] * bands),
            (259, short, [8 if deflate else 1]),
            (262, short, [photometric]),
            (277, short, [bands]),
            *places,
            (284, short, [planar]),
            *([(338, short, list(extra or [0] * num_extra))] if num_extra else []),
            (339, short, [{'u': 1, 'i': 2, 'f': 3, 'c': 6}[image.dtype.kind]] * bands),
            *([(42113, 's', nodata.encode() + b'\0')] if nodata is not None else []),
            *((tag, short, [value]) for tag, value in tags),
        ]
    }
    directory = b''
    for tag, (kind, values) in sorted(entries.items()):
        packed = bytes(values) if kind == 's' else struct.pack(f'<{len(values)}{kind}', *values)
        if len(packed) > 4:
            place = len(content)
            content += packed + b'\0' * (len(packed) % 2)
            packed = struct.pack('<I', place)
        directory += struct.pack('<HHI', tag, {'s': 2, 'H': 3, 'I': 4}[kind], len(values)) + packed.ljust(4, b'\0')
    start = len(content)
    content += struct.pack('<H', len(entries)) + directory + struct.pack('<I', 0)
    return start, len(content) - 4
