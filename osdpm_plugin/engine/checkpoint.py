"""A checkpoint file -> its dict, without running code that the file carries. The same on both OpenMMLab stacks.

What the frameworks do on their own, with torch >= 2.6:

- mmengine 0.10.7 refuses the checkpoints that its own Runner writes, since they hold a message hub of `HistoryBuffer`;
- onedl-mmengine falls back to an unrestricted unpickler for each file that the restricted one refuses, and allows
  ``builtins.getattr`` in the restricted one, from which any function can be reached;
- ``torch.hub``, behind ``http://``, ``torchvision://`` and ``mmcls://``, unpickles without restriction.

`register_safe_loading` puts `torch_load` in all those places. Everything that loads through mmengine goes there:
``load_from``, ``resume``, ``init_cfg=dict(type='Pretrained', checkpoint=...)``.
"""

from __future__ import annotations

import errno
import os
import os.path as osp
import re
from pickle import UnpicklingError
from typing import IO, Any, Callable, Optional, Union
from urllib.parse import urlparse

import numpy as np
import torch
from mmengine.config import ConfigDict
from mmengine.logging import HistoryBuffer
from mmengine.optim.scheduler.param_scheduler import OneCycleParamScheduler
from mmengine.runner import CheckpointLoader
from mmengine.runner import checkpoint as mmengine_checkpoint

from ..errors import CheckpointError

__all__ = ['load_from_local', 'register_safe_loading', 'torch_load']

MapLocation = Union[str, torch.device, dict, Callable, None]

# The methods that a Runner checkpoint refers to, pickled as ``getattr(class, name)``.
METHODS = {
    HistoryBuffer: ('min', 'max', 'current', 'mean'),
    OneCycleParamScheduler: ('_annealing_cos', '_annealing_linear'),
}
# Types of NumPy arrays and scalars that metrics and meta information hold: numbers and booleans, no objects.
NUMBER_TYPES = tuple({type(np.dtype(code)) for code in '?bBhHiIlLqQefd'})
# torch.load's wording for a fault of the machine; whatever else goes wrong lies in the file.
DEVICE = re.compile('CUDA|HIP error|MPS backend|out of memory')
REFUSED = re.compile(r"GLOBAL ([\w.]+)|(?:but got|function) <\w[\w -]* '?([\w.]+)")


def method_of(owner: Any, name: Any) -> Callable:
    """Stand-in for ``getattr`` inside checkpoints: reaches the entries of `METHODS`, nothing else.

    Raises:
        UnpicklingError: for anything else.
    """
    if not isinstance(owner, type) or name not in METHODS.get(owner, ()):
        raise UnpicklingError('GLOBAL getattr')
    return getattr(owner, name)


def safe_globals() -> list:
    """What a Runner checkpoint holds beyond tensors and plain Python values, for `torch.serialization.safe_globals`."""
    core = np._core if hasattr(np, '_core') else np.core
    functions = (core.multiarray._reconstruct, core.multiarray.scalar)
    # NumPy 2 renamed `core`; a checkpoint carries the name of the NumPy that wrote it
    renamed = [
        (function, f'numpy.{folder}.multiarray.{function.__name__}')
        for function in functions
        for folder in ('core', '_core')
    ]
    return [
        HistoryBuffer,
        ConfigDict,
        OneCycleParamScheduler,
        (method_of, 'builtins.getattr'),
        bytes,
        np.ndarray,
        np.dtype,
        *NUMBER_TYPES,
        *renamed,
    ]


def torch_load(
    file: Union[str, IO[bytes]], map_location: MapLocation = None, weights_only: Optional[bool] = True
) -> Any:
    """`torch.load` that admits what a Runner checkpoint holds and nothing more.

    Args:
        file: path, or file object open for reading.
        map_location: as in `torch.load`.
        weights_only: ignored, always true; kept for callers that pass it.

    Raises:
        CheckpointError: the file is missing, unreadable, damaged, no checkpoint, or holds an object not allowed.
    """
    name = file if isinstance(file, str) else getattr(file, 'name', 'the checkpoint')
    damaged = (
        f'checkpoint {name} is damaged or was not made by torch.save; download or save it again, or take an earlier one'
    )
    try:
        with torch.serialization.safe_globals(safe_globals()):
            return torch.load(file, map_location=map_location, weights_only=True)
    except OSError as error:
        if error.errno == errno.EINVAL:  # a seek to where a cut file ends no more
            raise CheckpointError(damaged) from error
        raise CheckpointError(
            f'checkpoint {name} cannot be read ({error.strerror or error}); check its permissions and the disk'
        ) from error
    except UnpicklingError as error:
        refused = REFUSED.search(str(error))
        if refused is None:
            raise CheckpointError(damaged) from error
        raise CheckpointError(
            f'checkpoint {name} was refused since it holds {refused[1] or refused[2]}, which could run code; if you '
            'trust its source, allow that with torch.serialization.add_safe_globals, or save the weights alone'
        ) from error
    except RuntimeError as error:
        if 'TorchScript' in str(error):
            raise CheckpointError(
                f'{name} is a TorchScript archive, not a checkpoint; '
                'save its state_dict() with torch.save and name that file'
            ) from error
        if DEVICE.search(str(error)):
            raise  # the message of torch says it
        if 'allocate memory' in str(error):
            raise CheckpointError(
                f'checkpoint {name} asks for more memory than is free, or is damaged; free memory, or save it again'
            ) from error
        raise CheckpointError(damaged) from error
    except Exception as error:  # what is damaged fails in as many ways as a program
        raise CheckpointError(damaged) from error


def load_from_local(filename: str, map_location: MapLocation = 'cpu') -> Any:
    """Load a checkpoint file.

    Args:
        filename: path; a leading ``~`` is expanded.
        map_location: as in `torch.load`.

    Returns:
        dict: as saved. That of a Runner has ``state_dict``, ``meta``, ``message_hub``, ``optimizer``,
        ``param_schedulers``.

    Raises:
        CheckpointError: the file is missing, unreadable, damaged, no checkpoint, or holds an object not allowed.
    """
    path = osp.expanduser(filename)
    if not osp.isfile(path):
        raise CheckpointError(f'checkpoint {path} does not exist; check the path')
    return torch_load(path, map_location)


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
        mmengine_checkpoint._safe_torch_load = torch_load


register_safe_loading()
