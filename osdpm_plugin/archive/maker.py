"""Model, grid and pixel rule -> what an archive is made by; another maker is refused in one sentence."""

from __future__ import annotations

import os
from dataclasses import asdict
from typing import Any, Mapping, Optional, Union

from mmengine.config import Config

from ..errors import ConfigError
from ..launch import load_model
from ..search.encoder import Encoder
from ..search.fingerprint import embedding_key
from ..search.inputs import check_device
from .grid import TileGrid
from .scene import PixelRule

_WEIGHTS_FILES = ('init_cfg', 'pretrained')  # where weights came from: what they are is in the hash


def make_maker(encoder: Encoder, *, dims: int, grid: TileGrid, pixels: PixelRule) -> dict[str, Any]:
    """All that decides the rows of an archive but the scenes, as plain values that JSON holds.

    The model's key covers weights, statistics, the config of the model without the places of its weights, and the
    transforms. Neither the version of this package nor the device is part of it, so that a query may run elsewhere;
    the precision of the tiles stands apart.

    Raises:
        ConfigError: the model scores pairs of image and text, so that tiles have no vectors.
    """
    return dict(
        model=model_key(encoder),
        dims=dims,
        engine='torch',
        precision='half' if encoder.half else 'float32',
        grid=asdict(grid),
        pixels={**asdict(pixels), 'bands': None if pixels.bands is None else list(pixels.bands)},
    )


def load_encoder(cfg: Config, checkpoint: Union[str, os.PathLike, None], device: Optional[str]) -> Encoder:
    """The model of a config with its weights, ready to embed.

    Args:
        cfg: the whole config.
        checkpoint: that was trained with it; None where its pretrained weights are all.
        device: None: a GPU where there is one.

    Raises:
        CheckpointError: the checkpoint is missing or of another model.
        ConfigError: the device is not there, or the model is no retriever.
    """
    weights = None if checkpoint is None else os.fspath(checkpoint)
    return Encoder(load_model(cfg, weights, check_device(device)), cfg)


def model_key(encoder: Encoder) -> str:
    """32 hexadecimal digits of a model and its transforms.

    Raises:
        ConfigError: the model scores pairs of image and text.
    """
    if not encoder.indexable:
        raise ConfigError(
            f'{type(encoder.model.similarity).__name__} scores pairs of image and text, so that tiles have no vectors '
            'to store; take a model with an indexable similarity, such as OSDPM or a zero-shot CLIP'
        )
    return embedding_key(
        encoder.model,
        settings=_without_files(encoder.settings),
        steps=encoder.pipeline.settings,
        precision='',
        version='',
    )


def check_maker(found: Mapping[str, Any], wanted: Mapping[str, Any], folder: str) -> None:
    """Raise ConfigError where an archive was made otherwise than it is to be continued."""
    names = dict(model='another model (its weights, config or test pipeline differ)', grid='another tile grid')
    for key in wanted:
        if found.get(key) != wanted[key]:
            details = f': {key} is {found.get(key)} there and {wanted[key]} here'
            raise ConfigError(
                f'archive {folder} was made by {names.get(key, f"another value of {key}")}{details}; build with what '
                'it was made by, or name another folder'
            )


def _without_files(settings: Any) -> Any:
    if isinstance(settings, Mapping):
        return {key: _without_files(value) for key, value in settings.items() if key not in _WEIGHTS_FILES}
    if isinstance(settings, (list, tuple)):
        return [_without_files(value) for value in settings]
    return settings
