"""An archive of images -> vectors, against the loop over single images that published code bases have.

Ours is what ``tools/retrieve.py`` and `RetrievalInferencer.index` do with images that are not in the cache: digests,
decoding in threads, batches through tower and neck. Theirs opens a file with Pillow, applies open_clip's own transform
and calls ``encode_image`` for one image, for each image.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable, Optional

import numpy as np
import open_clip
import torch
from mmengine.config import Config
from mmengine.dataset import default_collate
from PIL import Image

from ..models.retrievers import ImageTextRetriever
from ..search.encoder import Encoder
from ..search.image_pipeline import ImagePipeline, test_steps
from ..search.index import IndexBuilder
from .photos import write_photos
from .report import Goal, comparison
from .step_profile import flops_of
from .timing import in_turns, spread
from .training_step import BareLoop, training_model

CONFIG = 'configs/osdpm_rsitmd.py'
GOAL = Goal('at least', 4.0)
SHARE_OF_PEAK = 0.8  # goal on a GPU: speed of the archive path, as a share of that of the model on ready batches


def archive_path(cfg: Config, model: ImageTextRetriever, batch_size: int) -> Callable[[list[str]], np.ndarray]:
    """A call that embeds files as `RetrievalInferencer.index` does without a cache: N paths -> (N, D) float32."""

    def embed(paths: list[str]) -> np.ndarray:
        builder = IndexBuilder(
            pipeline=ImagePipeline(steps=test_steps(cfg)),
            encode=Encoder(model, cfg).images,
            key='benchmark',
            cache=None,
            batch_size=batch_size,
            unreadable='raise',
            show_progress=False,
        )
        return builder.build(paths).embedding

    return embed


def one_by_one(model: Any, preprocess: Callable[[Image.Image], torch.Tensor], device: str) -> Callable:
    """A call that embeds files by a loop: N paths -> (N, D) float32.

    Args:
        model: open_clip's.
        preprocess: image -> (3, H, W) float32.
        device: of the model.
    """

    @torch.no_grad()
    def embed(paths: list[str]) -> np.ndarray:
        vectors = []
        for path in paths:
            image = preprocess(Image.open(path).convert('RGB'))[None].to(device)
            vector = model.encode_image(image)
            vectors.append((vector / vector.norm(dim=-1, keepdim=True)).cpu().numpy()[0])
        return np.stack(vectors)

    return embed


def compare_extraction(
    cfg: Config,
    folder: Path,
    *,
    repeats: int,
    count: int = 64,
    batch_size: int = 32,
    precision: str = 'fp32',
    device: str = 'cpu',
    rates: Optional[dict[str, float]] = None,
) -> dict[str, Any]:
    """Write the files, time both, and say how far ours is from the model alone and from the rate of a matrix product.

    Args:
        cfg: config whose towers are open_clip's.
        folder: empty; the files go there.
        repeats: passes of each side.
        count: N.
        batch_size: images a step of ours.
        precision: ``fp32``, or ``bf16``: ours alone runs its tower in it, as a user of ours chooses by one key.
        device: of both models.
        rates: of `machine.rates`; floors are left out without.

    Returns:
        a row of `report.comparison`. ``model_alone_s``: our model on batches that are ready. ``share_of_peak``:
        that, as a share of the time of the whole path; the goal on a GPU is `SHARE_OF_PEAK`.
    """
    write_photos(folder, count)
    paths = [str(folder / 'images' / f'{i}.jpg') for i in range(count)]
    cfg = Config(cfg.to_dict())
    cfg.model.image_tower.precision = precision
    model: Any = training_model(cfg, device).eval()
    bare = BareLoop(model=cfg.model.image_tower.model, optimizer=dict(lr=1e-4), precision='fp32', device=device).model
    preprocess = open_clip.image_transform(model.image_tower.image_size, is_train=False)
    ours, theirs = archive_path(cfg, model, batch_size), one_by_one(bare.eval(), preprocess, device)
    pairs = in_turns(lambda: ours(paths), lambda: theirs(paths), repeats=repeats, device=device)
    pipeline, encode = ImagePipeline(steps=test_steps(cfg)), Encoder(model, cfg).images
    ready = [
        default_collate([pipeline(path) for path in paths[start : start + batch_size]])
        for start in range(0, count, batch_size)
    ]
    alone = in_turns(lambda: ours(paths), lambda: [encode(batch) for batch in ready], repeats=repeats, device=device)
    share = spread([model_s / whole_s for whole_s, model_s in zip(alone.ours, alone.theirs)])
    flops = sum(flops_of(lambda batch=batch: encode(batch)) for batch in ready)  # type: ignore[misc]
    on_gpu = device.startswith('cuda')
    return comparison(
        f'features of {count} images, {precision}',
        'archive path',
        'one image at a time, fp32',
        pairs,
        None if on_gpu else GOAL,
        batch_size=batch_size,
        images_per_second=count / spread(pairs.ours).median,
        model_alone_s=spread(alone.theirs).median,
        share_of_peak=dict(share._asdict(), goal=f'>= {SHARE_OF_PEAK}', met=share.median >= SHARE_OF_PEAK),
        flops=flops,
        floor_s=None if rates is None else flops / rates[f'{precision}_flops'],
    )
