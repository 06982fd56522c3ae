"""Embeddings of images on disk: (key of the model, digest of the image) -> vectors.

::

    <folder>/<key>/<unique name>.vectors    some images, as one process embedded them; never changed, only added

A file is 8 bytes of mark, 32 bytes of BLAKE2b over the rest, and an npz of ``digests`` (n, 32) uint8, ``embedding``
(n, D) float32 and perhaps ``regions`` (n, R, D) float32. Each takes its name when it is complete, so that any number of
processes may read and write at once; what is damaged all the same is removed and embedded again. The folder may be
deleted at any time.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import logging
import os
import uuid
from pathlib import Path
from typing import Any, Collection, Mapping, Union

import numpy as np
from mmengine.logging import print_log

from ..engine.atomic_backend import AtomicLocalBackend
from .encoder import Vector
from .image_pipeline import DIGEST_SIZE

SUFFIX = '.vectors'
_MARK = b'OSDPMvec'
_HEAD = len(_MARK) + 32


def default_cache_dir() -> Path:
    """``$XDG_CACHE_HOME/osdpm_plugin/embeddings``, where that variable is an absolute path, else under ``~/.cache``."""
    base = os.environ.get('XDG_CACHE_HOME', '')
    return Path(base if os.path.isabs(base) else '~/.cache').expanduser() / 'osdpm_plugin' / 'embeddings'


class EmbeddingCache:
    """The vectors of one model.

    Args:
        folder: of the cache; made when something is written.
        key: of the model, see `embedding_key`.
    """

    def __init__(self, folder: Union[str, os.PathLike], *, key: str) -> None:
        self.folder = Path(folder).expanduser() / key

    def read(self, wanted: Collection[bytes]) -> dict[bytes, Vector]:
        """The vectors of those of the ``wanted`` digests that are there."""
        wanted = set(wanted)
        found: dict[bytes, Vector] = {}
        for path in sorted(self.folder.glob(f'*{SUFFIX}')) if wanted else ():
            found.update(self._read_file(path, wanted))
        return found

    def write(self, vectors: Mapping[bytes, Vector]) -> None:
        """Add vectors by digest; a cache that cannot be written is a warning, since the vectors are at hand."""
        if not vectors:
            return
        arrays: dict[str, Any] = dict(
            digests=np.frombuffer(b''.join(vectors), np.uint8).reshape(-1, DIGEST_SIZE),
            embedding=np.stack([v.embedding for v in vectors.values()]),
        )
        regions = [v.parts for v in vectors.values() if v.parts is not None]
        if regions:
            arrays['regions'] = np.stack(regions)
        payload = io.BytesIO()
        np.savez(payload, **arrays)
        content = payload.getvalue()
        try:
            path = self.folder / f'{uuid.uuid4().hex}{SUFFIX}'
            AtomicLocalBackend().put(_MARK + hashlib.blake2b(content, digest_size=32).digest() + content, path)
        except OSError as error:
            print_log(
                f'{len(vectors)} embeddings could not be kept in {self.folder} ({error.strerror or error}); the search '
                'goes on without',
                logger='current',
                level=logging.WARNING,
            )

    def _read_file(self, path: Path, wanted: Collection[bytes]) -> dict[bytes, Vector]:
        """The wanted vectors of a file; none where it is damaged or gone."""
        try:
            content = path.read_bytes()
        except OSError:
            return {}
        mark, digest, payload = content[: len(_MARK)], content[len(_MARK) : _HEAD], content[_HEAD:]
        if mark != _MARK or digest != hashlib.blake2b(payload, digest_size=32).digest():
            print_log(
                f'{path} is damaged and was removed; its images are embedded again',
                logger='current',
                level=logging.WARNING,
            )
            with contextlib.suppress(OSError):
                path.unlink()
            return {}
        with np.load(io.BytesIO(payload), allow_pickle=False) as arrays:
            rows = {row: d.tobytes() for row, d in enumerate(arrays['digests']) if d.tobytes() in wanted}
            embedding = arrays['embedding'][list(rows)]
            regions = arrays['regions'][list(rows)] if 'regions' in arrays.files else [None] * len(rows)
        return {digest: Vector(e, r) for digest, e, r in zip(rows.values(), embedding, regions)}
