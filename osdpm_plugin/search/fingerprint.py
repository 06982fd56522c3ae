"""Model, config and transforms -> a key that changes whenever an embedding could."""

from __future__ import annotations

import hashlib
import json
from typing import Any, Mapping, Sequence

from torch import Tensor, nn

from ..utils.hashing import tensor_bytes
from ..version import __version__


def embedding_key(
    model: nn.Module,
    *,
    settings: Mapping[str, Any],
    steps: Sequence[Mapping[str, Any]],
    precision: str,
    version: str = __version__,
) -> str:
    """32 hexadecimal digits over everything that decides the embedding of an image, but the image.

    These are the names, shapes, types and values of all weights and buffers, the statistics of the preprocessor, the
    whole config of the model (with the same weights a frozen layer may pool otherwise), the transforms, the precision
    and the version of this package. It is better to embed once too often than to read what is no longer true.

    Args:
        model: with its weights loaded.
        settings: config of the model.
        steps: configs of the transforms.
        precision: of the computation, e.g. ``float32``.
        version: of the code that computes it.
    """
    digest = hashlib.blake2b(digest_size=16)
    facts = dict(package=version, model=settings, steps=list(steps), precision=precision)
    digest.update(json.dumps(facts, sort_keys=True, default=repr).encode())
    digest.update(repr(getattr(getattr(model, 'data_preprocessor', None), 'channel_order', None)).encode())
    for name, value in sorted(_values_of(model).items()):
        digest.update(f'{name} {getattr(value, "dtype", type(value))} {tuple(getattr(value, "shape", ()))}'.encode())
        digest.update(tensor_bytes(value) if isinstance(value, Tensor) else repr(value).encode())
    return digest.hexdigest()


def weights_stamp(model: nn.Module) -> tuple:
    """What changes at once when a weight, a buffer or the statistics are replaced or written to, for milliseconds.

    It counts what PyTorch counts: ``load_state_dict``, the step of an optimizer, ``init_`` functions; not what is
    written through ``.data``.
    """
    return tuple(
        (name, value.data_ptr(), value._version) if isinstance(value, Tensor) else (name, repr(value))
        for name, value in _values_of(model).items()
    )


def _values_of(model: nn.Module) -> dict[str, Any]:
    """Name -> weight, buffer, or statistic of the preprocessor."""
    preprocessor = getattr(model, 'data_preprocessor', None)
    statistics = {} if preprocessor is None else {f'statistics.{k}': v for k, v in preprocessor.named_buffers()}
    return {**model.state_dict(), **statistics}
