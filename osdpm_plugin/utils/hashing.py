"""Files and tensors -> the bytes that hashes are taken over."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Union

import torch
from torch import Tensor

CHUNK = 1 << 20


def sha256_of(path: Union[str, Path]) -> str:
    """Hexadecimal hash of a file.

    Raises:
        OSError: it cannot be read.
    """
    digest = hashlib.sha256()
    with open(path, 'rb') as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def tensor_bytes(value: Tensor) -> memoryview:
    """The bits of a tensor's values in their logical order, whatever its strides and device; not its type or shape."""
    return value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data
