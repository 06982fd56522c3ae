"""A stand-in for a GPU: tensors that say they live on another device, compute on the CPU, and refuse to be mixed."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any
from unittest import mock

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._mode_utils import no_dispatch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

DEVICE = 'meta'  # the one device besides the CPU whose gradients the engine computes in the calling thread

_aten = torch.ops.aten
_MOVES = {_aten._to_copy.default, _aten.copy_.default}
# the argument that CUDA takes from the CPU too: indices of a tensor on the device, and the lengths of packed sequences
_MAY_BE_ON_CPU = {
    _aten.index.Tensor: 1,
    _aten.index_put.default: 1,
    _aten.index_put_.default: 1,
    _aten._unsafe_index.Tensor: 1,
    _aten._index_put_impl_.default: 1,
    _aten._pack_padded_sequence.default: 1,
    _aten._pack_padded_sequence_backward.default: 2,
}
_PACKS = _aten._pack_padded_sequence.default


class OtherDeviceTensor(torch.Tensor):
    """A tensor of the other device.

    Attributes:
        inner: the CPU tensor that holds its values.
    """

    inner: torch.Tensor

    @staticmethod
    def __new__(cls, inner: torch.Tensor) -> OtherDeviceTensor:
        self = torch.Tensor._make_wrapper_subclass(
            cls,
            inner.size(),
            strides=inner.stride(),
            storage_offset=inner.storage_offset(),
            dtype=inner.dtype,
            layout=inner.layout,
            device=DEVICE,
        )
        self.inner = inner
        return self

    def __repr__(self, *, tensor_contents: Any = None) -> str:
        return f'OtherDeviceTensor({self.inner})'

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: tuple = (), kwargs: Any = None) -> Any:
        return _run(func, args, kwargs or {})


class _OtherDevice(TorchDispatchMode):
    """Sees the operations without a tensor of the other device too: those that make one."""

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple = (), kwargs: Any = None) -> Any:
        return _run(func, args, kwargs or {})


class _AboveDispatch(TorchFunctionMode):
    """What never reaches `_OtherDevice`: ``torch.tensor`` moves what it makes by itself, ``tolist`` reads memory."""

    def __torch_function__(self, func: Any, types: Any, args: tuple = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func in (torch.tensor, torch.as_tensor) and kwargs.get('device') is not None:
            return func(*args, **{**kwargs, 'device': None}).to(kwargs['device'])
        if func is torch.Tensor.tolist:
            return func(args[0].cpu())
        return func(*args, **kwargs)


def _run(func: Any, args: tuple, kwargs: dict) -> Any:
    """An operation on the CPU; its result is on the device that was asked for, or on that of its arguments."""
    tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)]
    away = {id(t.inner): t for t in tensors if isinstance(t, OtherDeviceTensor)}
    if away and func not in _MOVES:
        _refuse_mixture(func, args, kwargs)
    if func is _aten.copy_.default:
        to_other = isinstance(args[0], OtherDeviceTensor)
    else:
        device = kwargs.get('device')
        to_other = bool(away) if device is None else torch.device(device).type == DEVICE
    if kwargs.get('device') is not None:
        kwargs = {**kwargs, 'device': torch.device('cpu')}
    if away and torch.Tag.inplace_view in func.tags:  # squeeze_ and the like change the shape that the shell states
        with no_dispatch():
            func(*args, **kwargs)
    args, kwargs = tree_map(lambda x: x.inner if isinstance(x, OtherDeviceTensor) else x, (args, kwargs))
    result = func(*args, **kwargs)
    if not to_other:
        return result
    if func is _PACKS:
        return OtherDeviceTensor(result[0]), result[1]  # the second, how many sequences each step has, stays on the CPU
    return tree_map(lambda x: _to_other(x, away), result)


def _to_other(value: Any, known: dict[int, OtherDeviceTensor]) -> Any:
    """A CPU tensor as one of the other device: the argument itself where an operation returns it (in place)."""
    if not isinstance(value, torch.Tensor):
        return value
    return known[id(value)] if id(value) in known else OtherDeviceTensor(value)


def _refuse_mixture(func: Any, args: tuple, kwargs: dict) -> None:
    """As CUDA: a CPU tensor may stand beside those of the device only if it is a scalar, or where CUDA takes one."""
    if func is _PACKS and isinstance(args[1], OtherDeviceTensor):
        raise RuntimeError('lengths of packed sequences must be on the CPU')
    allowed = _MAY_BE_ON_CPU.get(func)
    asked = [arg for place, arg in enumerate(args) if place != allowed]
    strangers = [
        leaf
        for leaf in tree_leaves((asked, kwargs))
        if isinstance(leaf, torch.Tensor) and not isinstance(leaf, OtherDeviceTensor) and leaf.ndim > 0
    ]
    if strangers:
        shapes = ', '.join(str(tuple(t.shape)) for t in strangers)
        raise RuntimeError(
            f'{func}: expected all tensors to be on the same device, but found some on the other device and some on '
            f'the CPU (of the shapes {shapes})'
        )


@contextlib.contextmanager
def other_device() -> Iterator[torch.device]:
    """While this is open, ``.to(device)`` and ``device=`` of the given device lead to the stand-in.

    Autocast of the device does nothing: the stand-in has one precision.
    """
    real = torch.autocast

    def autocast(device_type: str, *args: Any, **kwargs: Any) -> Any:
        return contextlib.nullcontext() if device_type == DEVICE else real(device_type, *args, **kwargs)

    with mock.patch.object(torch, 'autocast', autocast), _AboveDispatch(), _OtherDevice():
        yield torch.device(DEVICE)
