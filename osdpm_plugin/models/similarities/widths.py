"""Widths of the two sides -> nothing, or one sentence."""

from __future__ import annotations

from torch import Tensor

from ...errors import ConfigError


def check_widths(owner: str, channels: int, images: Tensor, texts: Tensor) -> None:
    """Compare the last dimension of both sides with the width that a similarity was built for.

    Args:
        owner: the similarity.
        channels: its width.
        images: (..., D).
        texts: (..., D).

    Raises:
        ConfigError: a side has another width.
    """
    if images.shape[-1] != channels or texts.shape[-1] != channels:
        raise ConfigError(
            f'{owner}: channels={channels}, but the image side has {images.shape[-1]} values and the text side '
            f'{texts.shape[-1]}; set channels and embed_dims of both necks to one value'
        )
