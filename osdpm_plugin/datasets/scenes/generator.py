"""Seed -> `Scene` with picture, captions and facts; numbers of scenes -> a folder in the Karpathy layout."""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Optional, Union

import cv2
import numpy as np

from ...errors import ConfigError, DataError
from ...utils.checks import check_int, check_one_of
from .canvas import SIDE, Box, Canvas
from .captions import Statements, write_captions
from .kinds import KINDS, compose
from .processes import draw_all

GENERATOR_VERSION = 1  # raise it whenever a picture or a caption of some seed changes
SPLITS = ('train', 'val', 'test')
LEAST_SIZE = 64
_NAME = 'procedural_scenes'


@dataclass(frozen=True)
class Scene:
    """One picture with its captions.

    Attributes:
        image: (H, W, 3) uint8 RGB.
        kind: name of the scene kind.
        main: key of the main thing in `vocabulary.NOUNS`.
        captions: five different sentences.
        caption_facts: for each caption what it states, as (key, attribute, value).
        facts: all that is true of the scene.
        boxes: drawn objects, in pixels of the image; they may extend over its edge.
    """

    image: np.ndarray
    kind: str
    main: str
    captions: tuple[str, ...]
    caption_facts: tuple[Statements, ...]
    facts: Statements
    boxes: tuple[Box, ...]


def render_scene(seed: Union[int, Sequence[int]], image_size: int = 256, kind: Optional[str] = None) -> Scene:
    """Draw the scene of a seed; equal arguments give equal scenes.

    Args:
        seed: from 0, or a sequence of such.
        image_size: pixels a side, at least 64; neither content nor captions depend on it.
        kind: key of `kinds.KINDS`; None draws one.

    Raises:
        ConfigError: the size is too small or the kind unknown.
    """
    if kind is not None:
        check_one_of('render_scene', 'kind', kind, KINDS)
    check_int('render_scene', 'image_size', image_size, least=LEAST_SIZE)
    rng = np.random.default_rng(seed)
    kind = kind or str(rng.choice(list(KINDS)))
    canvas = Canvas(rng)
    description = compose(canvas, kind)
    image = canvas.finish(image_size)
    captions, stated = write_captions(rng, description)
    scale = image_size / SIDE
    boxes = tuple(Box(key, colour, *(scale * v for v in bounds)) for key, colour, bounds in canvas.objects if key)
    return Scene(image, kind, description.main.key, captions, stated, description.facts, boxes)


def scene_of_split(split: str, index: int, *, seed: int = 0, image_size: int = 256) -> Scene:
    """The scene that `write_scenes` draws for picture ``index`` (from 0) of a split.

    Kinds come in shuffled rounds of all kinds, so that their numbers differ by at most one.
    """
    number, (turn, place) = SPLITS.index(split), divmod(index, len(KINDS))
    deck = np.random.default_rng((seed, number, turn, len(SPLITS))).permutation(list(KINDS))
    return render_scene((seed, number, index), image_size, str(deck[place]))


def tokenize(caption: str) -> list[str]:
    """Lower-case words and numbers of a caption."""
    return re.findall(r'[a-z0-9]+', caption.lower())


def _write_one(
    job: tuple[str, int, str], *, folder: str, seed: int, image_size: int, quality: int
) -> tuple[str, tuple[str, ...]]:
    split, index, filename = job
    scene = scene_of_split(split, index, seed=seed, image_size=image_size)
    done, data = cv2.imencode('.jpg', scene.image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise RuntimeError(f'{filename} could not be encoded')
    Path(folder, filename).write_bytes(data.tobytes())
    return scene.kind, scene.captions


def _check_existing(root: Path, block: dict[str, Any]) -> bool:
    """Whether ``root`` already holds the same set; DataError if it holds something else."""
    annotation = root / 'dataset.json'
    if not root.exists() or (root.is_dir() and not any(root.iterdir())):
        return False
    try:
        found = json.loads(annotation.read_text(encoding='utf-8'))
        ours = found['dataset'] == _NAME
        same = ours and found['generator'] == block
    except (OSError, ValueError, KeyError, TypeError):
        ours = same = False
    if same:
        return True
    what = 'procedural scenes of other parameters' if ours else 'files that are not procedural scenes'
    raise DataError(f'{root} holds {what}; delete this folder or give another one')


def write_scenes(
    root: Union[str, os.PathLike],
    *,
    num_train: int,
    num_val: int,
    num_test: int,
    seed: int = 0,
    image_size: int = 256,
    quality: int = 92,
    num_workers: Optional[int] = None,
) -> Path:
    """Write ``root/dataset.json`` and ``root/images/*.jpg``; return ``root``.

    The i-th picture of a split depends on (seed, split, i) alone, so a larger set starts with the smaller one. The set
    is drawn in a temporary folder beside ``root`` and renamed, so that ``root`` is complete whenever it exists. A root
    that already holds the same set is kept as it is.

    Args:
        root: the folder.
        num_train, num_val, num_test: pictures of each split, from 0; not all 0.
        seed: from 0.
        image_size: pixels a side, at least 64.
        quality: of the JPEG files, 1 to 100.
        num_workers: processes; None: one for each core.

    Raises:
        ConfigError: an argument is out of range.
        DataError: ``root`` holds other files or scenes of other parameters.
    """
    counts = dict(zip(SPLITS, (num_train, num_val, num_test)))
    owner = 'ProceduralScenes'
    for split, count in counts.items():
        check_int(owner, f'num_{split}', count, least=0)
    check_int(owner, 'seed', seed, least=0)
    check_int(owner, 'image_size', image_size, least=LEAST_SIZE)
    check_int(owner, 'quality', quality, most=100)
    if num_workers is not None:
        check_int(owner, 'num_workers', num_workers)
    if not any(counts.values()):
        raise ConfigError(f'{owner}: num_train, num_val and num_test are all 0; ask for at least one scene')
    root = Path(root)
    block = {'version': GENERATOR_VERSION, 'seed': seed, 'image_size': image_size, 'quality': quality, 'counts': counts}
    if _check_existing(root, block):
        return root
    root.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f'.{root.name}.', dir=root.parent))
    try:
        (temporary / 'images').mkdir()
        jobs = [(split, i, f'{split}_{i + 1:05d}.jpg') for split in SPLITS for i in range(counts[split])]
        write = partial(_write_one, folder=str(temporary / 'images'), seed=seed, image_size=image_size, quality=quality)
        results = draw_all(jobs, write, num_workers)
        images, sentid = [], 0
        for imgid, ((split, _, filename), (kind, captions)) in enumerate(zip(jobs, results)):
            sentences = [
                {'raw': text, 'tokens': tokenize(text), 'imgid': imgid, 'sentid': sentid + k}
                for k, text in enumerate(captions)
            ]
            sentid += len(sentences)
            images.append(
                {
                    'filename': filename,
                    'imgid': imgid,
                    'split': split,
                    'class': kind,
                    'sentids': [s['sentid'] for s in sentences],
                    'sentences': sentences,
                }
            )
        record = {'dataset': _NAME, 'generator': block, 'images': images}
        (temporary / 'dataset.json').write_text(json.dumps(record), encoding='utf-8')
        temporary.chmod(0o755)
        try:
            os.replace(temporary, root)
        except OSError:  # another process was faster; its set must be the same
            if not _check_existing(root, block):
                raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return root
