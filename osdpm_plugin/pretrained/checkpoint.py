"""A checkpoint file -> its content, without running code that the file carries. The same on both OpenMMLab stacks.

Pickles are read with ``weights_only=True``, never without; beyond tensors and plain values that mode admits what
mmengine's Runner saves (log history, schedules, numbers of NumPy) and nothing more.
"""

from __future__ import annotations

import errno
import io
import os
import os.path as osp
import re
import warnings
import zipfile
from pickle import UnpicklingError
from typing import IO, Any, Callable, Optional, Union

import numpy as np
import torch
from mmengine.config import ConfigDict
from mmengine.logging import HistoryBuffer
from mmengine.optim.scheduler.param_scheduler import OneCycleParamScheduler

from ..errors import CheckpointError
from ..utils.files import noted_name

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
# How files begin that are given for a checkpoint by mistake.
KINDS = {
    b'\x89PNG': 'a PNG image',
    b'\xff\xd8\xff': 'a JPEG image',
    b'II*\x00': 'a TIFF image',
    b'MM\x00*': 'a TIFF image',
    b'GIF8': 'a GIF image',
    b'\x0cjP  ': 'a JPEG 2000 image',
    b'%PDF': 'a PDF document',
    b'\x89HDF': 'an HDF5 file',
    b'\x93NUMPY': 'a NumPy array',
    b'GGUF': 'a GGUF file',
    b'\x1f\x8b': 'a gzip archive',
    b'\xfd7zXZ': 'an xz archive',
    b'7z\xbc\xaf': 'a 7-Zip archive',
    b'Rar!': 'a RAR archive',
}
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
    if isinstance(file, str):
        file = checkpoint_file(file)
    name = file if isinstance(file, str) else str(getattr(file, 'name', 'the checkpoint'))
    try:
        kind = _other_kind(name)
        if kind is not None:
            raise CheckpointError(f'checkpoint {name} {kind}')
        if _is_safetensors(name):
            from safetensors.torch import load_file

            return load_file(name, device='cpu')
        if published and _is_torchscript(name):
            with warnings.catch_warnings():
                warnings.simplefilter('ignore')
                return dict(torch.jit.load(name, map_location='cpu').state_dict())
        mmap = published and zipfile.is_zipfile(name)
        if isinstance(file, str) and name.endswith('.safetensors'):  # which torch.load goes by
            with open(name, 'rb') as opened:
                file, mmap = io.BytesIO(opened.read()), False
        with torch.serialization.safe_globals(safe_globals()):
            return torch.load(file, map_location=map_location, weights_only=True, mmap=mmap)
    except CheckpointError:
        raise
    except Exception as error:  # what is damaged fails in as many ways as a program
        if isinstance(error, RuntimeError) and DEVICE.search(str(error)):
            raise  # the message of torch says it
        raise CheckpointError(f'checkpoint {name} {_reason(name, error)}') from error


def checkpoint_file(path: str) -> str:
    """A path as users give it -> the checkpoint file; ``last_checkpoint`` stands for what it names in its own folder.

    A folder is refused: whether its best or its newest checkpoint is meant differs between a test and a training that
    goes on, and results should name the file that they are of.

    Raises:
        CheckpointError: there is no such file, or it is a folder; the sentence has the checkpoints in it.
    """
    path = osp.expanduser(path)
    if osp.isdir(path):
        found = sorted(name for name in os.listdir(path) if name.endswith(('.pth', '.pt', '.ckpt', '.safetensors')))
        found.sort(key=lambda name: not name.startswith('best_'))
        remedy = (
            f'name one of its checkpoints: {", ".join(found[:5])}'
            if found
            else 'it holds no checkpoint, give the path of one'
        )
        raise CheckpointError(f'checkpoint {path} is a folder; {remedy}')
    if not osp.isfile(path):
        raise CheckpointError(f'checkpoint {path} does not exist; check the path')
    if osp.basename(path) != 'last_checkpoint':
        return path
    with open(path, encoding='utf-8', errors='replace') as file:
        named = noted_name(file.read(4096))
    target = osp.join(osp.dirname(path), named)
    if not named or not osp.isfile(target):
        raise CheckpointError(f'{path} names {named or "nothing"}, which is not in its folder; name another checkpoint')
    return target


def _is_safetensors(path: str) -> bool:
    """Whether a file begins as safetensors do: the length of a JSON object (eight bytes), and that object."""
    if not osp.isfile(path):
        return False
    with open(path, 'rb') as file:
        begin = file.read(9)
    return begin[8:] == b'{' and int.from_bytes(begin[:8], 'little') <= osp.getsize(path) - 8


def _other_kind(path: str) -> Optional[str]:
    """What a file is that is no checkpoint, told by its first bytes, and what to do; None for what may be one."""
    size = osp.getsize(path) if osp.isfile(path) else 0
    if not size or _is_safetensors(path):
        return None
    head = _head(path)
    for begin, what in KINDS.items():
        if head.startswith(begin):
            return f'is {what}, not a checkpoint; check the path'
    if head.startswith(b'{'):
        with open(path, encoding='utf-8', errors='replace') as file:
            text = file.read()
        parts = re.findall(r'"([^"]+\.(?:safetensors|bin))"', text)
        if '"weight_map"' in text and parts:
            return (
                f'is the index of weights in {len(set(parts))} files ({parts[0]}, ...), not the weights; name a file '
                'that holds all of them'
            )
        return 'is JSON, not a checkpoint; name the file of the weights'
    if not head:
        return f'is damaged: it begins with nothing but zeros ({size} bytes); fetch or save it again'
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
        if not any(name.endswith('data.pkl') for name in names):
            return f'is a ZIP archive of other files ({", ".join(names[:3])}), not a checkpoint; unpack it'
    elif not head.startswith((b'\x80', b'PK')):  # neither a pickle nor the beginning of an archive
        return _damage(path)
    return None


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
    if isinstance(error, OSError) and error.errno != errno.EINVAL:  # EINVAL: a seek beyond the end of a cut file
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
    return _damage(name)


def _damage(name: str) -> str:
    """What to do about a file that is neither whole nor readable."""
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
        return file.read(64).lstrip(b' \t\r\n\x00\xef\xbb\xbf')
