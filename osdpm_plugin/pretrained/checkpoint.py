"""A checkpoint file -> its content, without running code that the file carries. The same on both OpenMMLab stacks.

Pickles are read with ``weights_only=True``, never without; beyond tensors and plain values that mode admits what
mmengine's Runner saves (log history, schedules, numbers of NumPy) and nothing more.
"""

from __future__ import annotations

import errno
import os.path as osp
import re
import warnings
import zipfile
from pickle import UnpicklingError
from typing import IO, Any, Callable, Union

import numpy as np
import torch
from mmengine.config import ConfigDict
from mmengine.logging import HistoryBuffer
from mmengine.optim.scheduler.param_scheduler import OneCycleParamScheduler

from ..errors import CheckpointError

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


def read_checkpoint(file: Union[str, IO[bytes]], map_location: MapLocation = None, *, published: bool = False) -> Any:
    """Read a file of `torch.save` or of safetensors; it may hold what a Runner saves and nothing more.

    Args:
        file: path, or file object open for reading.
        map_location: as in `torch.load`; safetensors go to the CPU.
        published: the path is that of weights that others publish: of a TorchScript archive the tensors are taken
            (torch compiles its code, which is not called: take such archives from publishers that you trust), and
            tensors stay on the disk until they are used.

    Raises:
        CheckpointError: the file is missing, unreadable, damaged, no checkpoint, or holds an object not allowed.
    """
    name = file if isinstance(file, str) else str(getattr(file, 'name', 'the checkpoint'))
    if isinstance(file, str) and not osp.isfile(file):
        raise CheckpointError(f'checkpoint {name} does not exist; check the path')
    try:
        if name.endswith('.safetensors'):
            from safetensors.torch import load_file

            return load_file(name, device='cpu')
        if published and _is_torchscript(name):
            with warnings.catch_warnings():
                warnings.simplefilter('ignore')
                return dict(torch.jit.load(name, map_location='cpu').state_dict())
        with torch.serialization.safe_globals(safe_globals()):
            mmap = published and zipfile.is_zipfile(name)
            return torch.load(file, map_location=map_location, weights_only=True, mmap=mmap)
    except Exception as error:  # what is damaged fails in as many ways as a program
        if isinstance(error, RuntimeError) and DEVICE.search(str(error)):
            raise  # the message of torch says it
        raise CheckpointError(f'checkpoint {name} {_reason(name, error)}') from error


def _is_torchscript(path: str) -> bool:
    """Whether a file is an archive written by ``torch.jit.save``."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
    return any(name.endswith('/constants.pkl') for name in names) and any('/code/' in name for name in names)


def _reason(name: str, error: Exception) -> str:
    """Why a file was not read, and what to do."""
    text = ' '.join(str(error).split())
    if isinstance(error, OSError) and error.errno != errno.EINVAL:  # EINVAL: a seek to where a cut file ends no more
        return f'cannot be read ({error.strerror or error}); check its permissions and the disk'
    refused = REFUSED.search(text) if isinstance(error, UnpicklingError) else None
    if refused is not None:
        return (
            f'was refused since it holds {refused[1] or refused[2]}, which could run code; ask for the bare state dict '
            'or a .safetensors file, or, if you trust its source, allow that with torch.serialization.add_safe_globals'
        )
    if 'TorchScript' in text:
        return 'is a TorchScript archive, not a checkpoint; save its state_dict() with torch.save and name that file'
    if 'allocate memory' in text:
        return 'asks for more memory than is free, or is damaged; free memory, or save it again'
    head = _head(name)
    if head.startswith(b'version https://git-lfs'):
        return 'is a Git LFS pointer, not the file itself; fetch that with `git lfs pull`'
    if head.startswith(b'<'):
        return 'is a web page, not the download itself; fetch the file again'
    size = f' ({osp.getsize(name)} bytes)' if osp.isfile(name) else ''
    return f'is damaged or was not made by torch.save{size}; fetch or save it again, or take an earlier one'


def _head(name: str) -> bytes:
    """How a file begins; nothing for what is no file."""
    if not osp.isfile(name):
        return b''
    with open(name, 'rb') as file:
        return file.read(64).lstrip()
