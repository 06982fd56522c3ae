"""A folder -> JPEG files with captions; to decode them takes as long as to decode photographs."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np

from ...datasets.lexicon import Lexicon

QUALITY = 90
CAPTIONS = 5


def photo(seed: int, size: int) -> np.ndarray:
    """(size, size, 3) uint8: noise at every scale, whose amplitude falls with the frequency as that of photographs."""
    rng = np.random.default_rng(seed)
    image = np.full((size, size, 3), 128, np.float32)
    cells = 4
    while cells <= size:
        noise = rng.standard_normal((cells, cells, 3), dtype=np.float32)
        noise = 0.8 * noise[..., :1] + 0.2 * noise  # mostly grey
        image += 120 / cells**0.5 * cv2.resize(noise, (size, size), interpolation=cv2.INTER_CUBIC)
        cells *= 2
    return np.clip(image, 0, 255).astype(np.uint8)


def write_photos(root: Path, count: int, *, size: int = 256, num_val: int = 0) -> float:
    """Write ``images/<i>.jpg`` and ``dataset.json`` in the Karpathy layout; returns bytes of a file, on average.

    The first ``count`` files are of split ``train``, ``num_val`` further ones of split ``val``.
    """
    (root / 'images').mkdir(parents=True, exist_ok=True)
    names = Lexicon.default().categories
    rng = np.random.default_rng(0)
    entries = []
    for i in range(count + num_val):
        cv2.imwrite(str(root / 'images' / f'{i}.jpg'), photo(i, size), [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
        texts = [f'{i} {" and many ".join(rng.choice(names, 3))} beside a road {k} .' for k in range(CAPTIONS)]
        sentences = [dict(raw=t, tokens=t.split(), imgid=i, sentid=CAPTIONS * i + k) for k, t in enumerate(texts)]
        entry = dict(filename=f'{i}.jpg', imgid=i, split='train' if i < count else 'val', sentences=sentences)
        entries.append(dict(entry, sentids=[s['sentid'] for s in sentences]))
    (root / 'dataset.json').write_text(json.dumps(dict(dataset='photos', images=entries)), encoding='utf-8')
    return sum(path.stat().st_size for path in (root / 'images').iterdir()) / (count + num_val)
