"""A path or an address given to mmengine -> the checkpoint, by `read_checkpoint`, on both OpenMMLab stacks.

What the frameworks do on their own, with torch >= 2.6:

- mmengine 0.10.7 refuses the checkpoints that its own Runner writes, since they hold a message hub of `HistoryBuffer`;
- onedl-mmengine falls back to an unrestricted unpickler for each file that the restricted one refuses, and allows
  ``builtins.getattr`` in the restricted one, from which any function can be reached;
- ``torch.hub``, behind ``http://``, ``torchvision://`` and ``mmcls://``, unpickles without restriction.

Everything that loads through mmengine goes through `register_safe_loading`: ``load_from``, ``resume``,
``init_cfg=dict(type='Pretrained', checkpoint=...)``.
"""

from __future__ import annotations

import os
import os.path as osp
from typing import Any, Optional
from urllib.parse import urlparse

import torch
from mmengine.runner import CheckpointLoader
from mmengine.runner import checkpoint as mmengine_checkpoint

from ..errors import CheckpointError
from ..pretrained.checkpoint import MapLocation, read_checkpoint
from ..pretrained.fit import wrapped_weights

__all__ = ['load_from_local', 'register_safe_loading']


def load_from_local(filename: str, map_location: MapLocation = 'cpu') -> Any:
    """Load a checkpoint file.

    Args:
        filename: path; a leading ``~`` is expanded.

    Returns:
        dict: as saved. That of a Runner has ``state_dict``, ``meta``, ``message_hub``, ``optimizer``,
        ``param_schedulers``. Weights that are saved under another usual name, such as ``model``, have ``state_dict``
        too, without which mmengine would load nothing of them and say so in a warning alone.

    Raises:
        CheckpointError: the file is missing, unreadable, damaged, no checkpoint, or holds an object not allowed.
    """
    content = read_checkpoint(osp.expanduser(filename), map_location)
    weights = wrapped_weights(content)
    if weights is not content and 'state_dict' not in content:  # the one name that mmengine looks for
        return dict(content, state_dict=weights)
    return content


def load_url(url: str, model_dir: Optional[str] = None, map_location: MapLocation = None, progress: bool = True) -> Any:
    """Download a checkpoint once into ``model_dir`` (default: the cache of `torch.hub`) and load it.

    Raises:
        CheckpointError: it cannot be fetched, or not be loaded.
    """
    folder = model_dir or osp.join(torch.hub.get_dir(), 'checkpoints')
    path = osp.join(folder, osp.basename(urlparse(url).path))
    if not osp.exists(path):
        try:
            os.makedirs(folder, exist_ok=True)
            torch.hub.download_url_to_file(url, path, progress=progress)
        except OSError as error:  # URLError and HTTPError among them
            raise CheckpointError(
                f'{url} cannot be fetched ({error}); check the network, or place the file at {path}'
            ) from error
    return load_from_local(path, map_location)


def register_safe_loading() -> None:
    """Put safe loading behind every scheme of mmengine's `CheckpointLoader`, on both stacks."""
    CheckpointLoader.register_scheme(prefixes='', loader=load_from_local, force=True)
    # The loaders of http://, torchvision://, openmmlab:// and mmcls:// call this global of their module, ...
    mmengine_checkpoint.load_url = load_url
    # ... and those of s3:// and pavi:// this one, which only the fork has: torch.load is restricted by default.
    if hasattr(mmengine_checkpoint, '_safe_torch_load'):
        mmengine_checkpoint._safe_torch_load = read_checkpoint


register_safe_loading()
