"""An archive of images -> vectors, against the loop over single images of published code.

Our side does what ``tools/retrieve.py`` and `RetrievalInferencer.index` do with images that are not in the cache:
digests, decoding in threads, batches through tower and neck. The other side opens each file with Pillow, applies
open_clip's own transform and calls ``encode_image`` for this one image.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any, Callable, Optional

import numpy as np
import open_clip
import torch
from mmengine.config import Config
from mmengine.dataset import default_collate
from PIL import Image

from ...datasets.config_views import test_pipeline
from ...search.encoder import Encoder
from ...search.image_pipeline import ImagePipeline
from ...search.index import build_index
from .bare_loop import PRECISIONS, BareLoop, running_in
from .photos import write_photos
from .report import Goal, comparison
from .step_profile import flops_of
from .timing import Pairs, min_median_max, rounds
from .training_step import training_model

CONFIG = 'configs/osdpm_rsitmd.py'
GOAL = Goal('at least', 4.0)
SHARE_OF_PEAK = 0.8  # goal on a GPU: speed of the archive path, as a share of that of the model on ready batches


def archive_path(encoder: Encoder, batch_size: int, paths: list[str]) -> np.ndarray:
    """Embed N files as `RetrievalInferencer.index` does without a cache: (N, D) float32."""
    options: Any = dict(cache=None, batch_size=batch_size, unreadable='raise', show_progress=False)
    return build_index(paths, encoder=encoder, **options).embedding


@torch.no_grad()
def one_by_one(
    model: Any, preprocess: Callable[[Image.Image], torch.Tensor], device: str, precision: str, paths: list[str]
) -> np.ndarray:
    """Embed N files by a loop with open_clip's model and transform, image -> (3, H, W) float32: (N, D) float32."""
    vectors = []
    for path in paths:
        image = preprocess(Image.open(path).convert('RGB'))[None].to(device)
        with running_in(precision, image.device.type):
            vector = model.encode_image(image).float()
        vectors.append((vector / vector.norm(dim=-1, keepdim=True)).cpu().numpy()[0])
    return np.stack(vectors)


def our_encoder(cfg: Config, precision: str, device: str) -> Encoder:
    """The encoder of a config whose image tower is in ``precision``, one key of a config."""
    cfg = Config(cfg.to_dict())
    cfg.model.image_tower.precision = precision
    return Encoder(training_model(cfg, device).eval(), cfg)


def compare_extraction(
    cfg: Config,
    folder: Path,
    *,
    repeats: int,
    count: int = 32,
    batch_size: int = 16,
    device: str = 'cpu',
    rates: Optional[dict[str, float]] = None,
) -> list[dict[str, Any]]:
    """Write ``count`` files into an empty folder, time all sides in turns, and compare our time with that of the model
    alone and of a matrix product.

    Args:
        cfg: config whose towers are open_clip's.
        folder: empty; the files go there.
        repeats: passes of each side.
        count: N.
        batch_size: images in a step of our side.
        device: of all models.
        rates: of `machine.rates`; without them lower bounds are left out.

    Returns:
        rows of `report.comparison`: both sides in float32, both in bfloat16, and, without a goal, ours in bfloat16
        against the loop in float32, as in published code. ``model_alone_s``: seconds of our model on prepared batches.
        ``share_of_peak``: these as a share of the whole time; the goal on a GPU is `SHARE_OF_PEAK`.
    """
    write_photos(folder, count)
    paths = [str(folder / 'images' / f'{i}.jpg') for i in range(count)]
    pipeline = ImagePipeline(steps=test_pipeline(cfg))
    ready = [
        default_collate([pipeline(path) for path in paths[start : start + batch_size]])
        for start in range(0, count, batch_size)
    ]
    tower = cfg.model.image_tower.model
    bare: Any = BareLoop(model=tower, optimizer=dict(lr=1e-4), precision='fp32', device=device).model.eval()
    calls: dict[str, Callable[[], object]] = {}
    flops = {}
    for precision in PRECISIONS:
        encoder = our_encoder(cfg, precision, device)
        preprocess = open_clip.image_transform(encoder.model.image_tower.image_size, is_train=False)
        calls[f'ours {precision}'] = partial(archive_path, encoder, batch_size, paths)
        calls[f'theirs {precision}'] = partial(one_by_one, bare, preprocess, device, precision, paths)
        calls[f'alone {precision}'] = alone = partial(_encode_all, encoder, ready)
        flops[precision] = flops_of(alone)
    seconds = dict(zip(calls, rounds(list(calls.values()), repeats=repeats, device=device)))
    rows = []
    goal = None if device.startswith('cuda') else GOAL
    for ours, theirs, row_goal in (('fp32', 'fp32', goal), ('bf16', 'bf16', goal), ('bf16', 'fp32', None)):
        whole, alone_s = seconds[f'ours {ours}'], seconds[f'alone {ours}']
        share = min_median_max([model_s / whole_s for whole_s, model_s in zip(whole, alone_s)])
        rows.append(
            comparison(
                what=f'features of {count} images',
                ours=f'archive path, {ours}',
                theirs=f'one image at a time, {theirs}',
                pairs=Pairs(whole, seconds[f'theirs {theirs}']),
                goal=row_goal,
                details=dict(
                    batch_size=batch_size,
                    images_per_second=count / min_median_max(whole).median,
                    model_alone_s=min_median_max(alone_s).median,
                    share_of_peak=dict(share._asdict(), goal=f'>= {SHARE_OF_PEAK}', met=share.median >= SHARE_OF_PEAK),
                    flops=flops[ours],
                    floor_s=None if rates is None else flops[ours] / rates[f'{ours}_flops'],
                ),
            )
        )
    return rows


def _encode_all(encoder: Encoder, batches: list[dict]) -> None:
    for batch in batches:
        encoder.images(batch)
