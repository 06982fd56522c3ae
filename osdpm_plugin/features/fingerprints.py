"""Model, data, transforms -> hashes that tell whether cached features are still valid."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, Mapping, Sequence

from torch import nn

from ..datasets.images.raster import pixel_rule
from ..models.backbones.cutting import cuttable, names_behind_cut
from ..utils.hashing import tensor_bytes

WEIGHT_KEYS = ('pretrained', 'name_or_path', 'init_cfg', 'frozen')


def tower_hash(model: nn.Module, towers: Sequence[str]) -> str:
    """SHA-256 over names and values of the parameters and buffers of the named towers; of a tower that is frozen in
    part, over those before its cut.
    """
    digest = hashlib.sha256()
    for tower in towers:
        behind = names_behind_cut(getattr(model, tower))
        for name, value in sorted(getattr(model, tower).state_dict().items()):
            if name in behind:
                continue
            digest.update(f'{tower}.{name}{tuple(value.shape)}'.encode())
            value = value.detach().cpu()
            if value.is_floating_point():
                value = value + 0.0  # -0 becomes 0, as it does in a moving average of frozen weights
            digest.update(tensor_bytes(value))
    statistics = [getattr(model.data_preprocessor, key, None) for key in ('mean', 'std')]
    digest.update(repr([None if s is None else s.flatten().tolist() for s in statistics]).encode())
    digest.update(str(getattr(model.data_preprocessor, 'channel_order', None)).encode())
    return digest.hexdigest()


def depths_of(model: nn.Module, towers: Sequence[str]) -> dict[str, int]:
    """The number of frozen blocks of each of the named towers that is frozen in part."""
    cuts = {tower: cuttable(getattr(model, tower)) for tower in towers}
    return {tower: cut.cut for tower, cut in cuts.items() if cut is not None and cut.cut is not None}


def tower_settings(model: Mapping[str, Any], towers: Sequence[str]) -> dict:
    """The configs of the named towers without the paths of their weights; `tower_hash` covers the values."""
    return {tower: {key: value for key, value in model[tower].items() if key not in WEIGHT_KEYS} for tower in towers}


def data_hash(dataset: Any) -> str:
    """SHA-256 over file names, file sizes, ids and captions of a data set, and rules of pixels, see `pixel_rule`."""
    digest = hashlib.sha256()
    for index in range(len(dataset)):
        item = dataset.get_data_info(index)
        path = Path(item['img_path'])
        facts = [path.name, path.stat().st_size, item['image_id'], item['captions'], item['caption_ids']]
        if (rule := pixel_rule(path.name)) > 1:
            facts.append(rule)
        digest.update(json.dumps(facts).encode())
    return digest.hexdigest()


def transform_hash(settings: Mapping[str, Any]) -> str:
    """SHA-256 over pipelines and other settings, as JSON with sorted keys."""
    return hashlib.sha256(json.dumps(settings, sort_keys=True, default=list).encode()).hexdigest()
