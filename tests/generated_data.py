"""Small data sets in the official layouts of the published ones, made in a test."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from PIL import Image

NOUNS = ('planes', 'storage tanks', 'boats', 'tennis courts', 'cars', 'houses', 'bridges', 'trees')
COLOURS = ('red', 'white', 'blue', 'grey')

# kind -> annotation file, folder of images, suffix
LAYOUTS = {
    'RSICD': ('dataset_rsicd.json', 'RSICD_images', '.jpg'),
    'RSITMD': ('dataset_RSITMD.json', 'images', '.tif'),
    'UCMCaptions': ('dataset.json', 'imgs', '.tif'),
    'CaptionRetrievalDataset': ('dataset.json', 'images', '.png'),
}


def captions_of(index: int) -> list[str]:
    """Five captions that differ between images of different index."""
    noun, colour = NOUNS[index % len(NOUNS)], COLOURS[index // len(NOUNS) % len(COLOURS)]
    return [
        f'{index} {colour} {noun} {tail} .'
        for tail in ('are here', 'beside a road', 'in a residential area', 'near a river', 'and some green trees')
    ]


def write_dataset(root: Path, kind: str, *, train: int = 12, val: int = 6, test: int = 6, size: int = 48) -> dict:
    """Write images and the annotation file of a published layout; returns the annotation as a dict."""
    ann_file, image_dir, suffix = LAYOUTS[kind]
    (root / image_dir).mkdir(parents=True, exist_ok=True)
    splits = ['train'] * train + ['val'] * val + ['test'] * test
    images = []
    for index, split in enumerate(splits):
        filename = f'scene_{index}{suffix}'
        pixels = np.random.default_rng(index).integers(0, 255, (size, size, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(root / image_dir / filename)
        sentences = [
            dict(raw=text, tokens=text.split(), imgid=index, sentid=5 * index + i)
            for i, text in enumerate(captions_of(index))
        ]
        images.append(
            dict(
                filename=filename,
                imgid=index,
                split=split,
                sentences=sentences,
                sentids=[s['sentid'] for s in sentences],
            )
        )
    annotation = dict(dataset=kind, images=images)
    (root / ann_file).write_text(json.dumps(annotation))
    return annotation
