"""A file of CLIP weights -> the half that a tower needs, verified.

Formats, told apart by their content:
- open_clip's state dict (.pt, .bin, .safetensors): also RemoteCLIP's and GeoRSCLIP's files;
- a training checkpoint: ``{'state_dict': {'module.visual....': ...}, 'optimizer': ...}``;
- OpenAI's TorchScript archive, or its state dict (both carry ``input_resolution``, ``context_length``, ``vocab_size``);
- an mmengine checkpoint of a whole retriever: ``{'state_dict': {'image_tower.visual....': ...}, 'message_hub': ...}``;
- one half alone, with or without its prefix.

Safety: pickles are read with ``weights_only=True``, never without. mmengine's log history, which that mode refuses, is
read as inert stand-ins. A TorchScript archive is opened with ``torch.jit.load`` to take its tensors; nothing of it is
run, yet take such archives from publishers that you trust.
"""

from __future__ import annotations

import os
import warnings
import zipfile
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ..errors import CheckpointError

_OPENAI_KEYS = ('input_resolution', 'context_length', 'vocab_size')
_TEXT_ROOTS = ('transformer.', 'token_embedding.', 'positional_embedding', 'ln_final.', 'text_projection', 'cls_emb')
_SHOWN = 3  # offending keys named in a message


class ClipWeights(NamedTuple):
    """Weights as read from a file.

    Attributes:
        path: the file.
        state: tensors named ``visual.*`` and ``text.*``; everything else of the file is left out.
        openai: the file has OpenAI's format, so its weights want QuickGELU.
    """

    path: str
    state: dict[str, Tensor]
    openai: bool

    def half(self, name: str) -> dict[str, Tensor]:
        """The tensors of ``name`` ('visual' or 'text') without their prefix; empty when the file has none."""
        return {key[len(name) + 1 :]: value for key, value in self.state.items() if key.startswith(f'{name}.')}


def read_clip_weights(path: str) -> ClipWeights:
    """Read a file of CLIP weights.

    Raises:
        CheckpointError: the file is missing, no checkpoint, unsafe to load, or holds no CLIP weights.
    """
    path = os.fspath(path)
    if not os.path.isfile(path):
        raise CheckpointError(f'checkpoint {path} is not a file')
    content = _read(path)
    if isinstance(content, dict) and isinstance(content.get('state_dict'), dict):
        content = content['state_dict']
    if not isinstance(content, dict) or not content or not all(isinstance(key, str) for key in content):
        raise CheckpointError(f'{path} holds no state dict but {_describe(content)}; give a file of weights by name')
    openai = any(key in content for key in _OPENAI_KEYS)
    state = _split(content)
    if not state:
        keys = sorted(content)[:_SHOWN]
        hint = (
            '; these are the keys of a transformers CLIPModel: take the open_clip file of the same model'
            if any(key.startswith(('vision_model.', 'text_model.')) for key in content)
            else ''
        )
        raise CheckpointError(
            f'{path} holds no CLIP weights (keys visual.* or token_embedding.weight): its keys are '
            f'{", ".join(keys)}, ...{hint}'
        )
    not_tensors = [key for key, value in state.items() if not isinstance(value, Tensor)]
    if not_tensors:
        raise CheckpointError(f'{path}: {len(not_tensors)} entries such as {not_tensors[0]} are not tensors')
    return ClipWeights(path, state, openai)


def load_strictly(module: nn.Module, half: dict[str, Tensor], *, path: str, what: str, remedy: str) -> None:
    """Copy weights into a module, all of them or none; float16 and bfloat16 are cast to the module's type.

    Args:
        module: receives the weights.
        half: its state dict.
        path: file that they came from, for messages.
        what: which half of which model this is, for messages.
        remedy: last part of the message.

    Raises:
        CheckpointError: a key is missing, unexpected or of another shape, or a value is not finite.
    """
    own = module.state_dict()
    problems = []
    shapes = [
        f'{key}: {tuple(half[key].shape)} in the file, {tuple(own[key].shape)} in the model'
        for key in own
        if key in half and half[key].shape != own[key].shape
    ]
    missing = [f'{key} {tuple(own[key].shape)}' for key in own if key not in half]
    unexpected = [f'{key} {tuple(half[key].shape)}' for key in half if key not in own]
    for name, found in (('of another shape', shapes), ('missing in the file', missing), ('unknown', unexpected)):
        if found:
            more = f' and {len(found) - _SHOWN} more' if len(found) > _SHOWN else ''
            problems.append(f'{len(found)} {name} ({"; ".join(found[:_SHOWN])}{more})')
    if problems:
        raise CheckpointError(f'{path} does not fit {what}: keys {", ".join(problems)}. {remedy}')
    for key, value in half.items():
        if value.is_floating_point() and not bool(torch.isfinite(value).all()):
            bad = int((~torch.isfinite(value)).sum())
            raise CheckpointError(
                f'{path}: {bad} of {value.numel()} values of {key} are NaN or infinite; '
                'the file is damaged or its training diverged: take another one'
            )
    module.load_state_dict({key: value.to(own[key].dtype) for key, value in half.items()}, strict=True)


def _split(content: dict) -> dict[str, Tensor]:
    """Bring the keys of all formats to ``visual.*`` and ``text.*``."""
    keys = {}
    for key, value in content.items():
        while key.startswith('module.'):
            key = key[len('module.') :]
        keys[key.replace('_orig_mod.', '')] = value
    towers = ('image_tower.', 'text_tower.')
    if any(key.startswith(towers) for key in keys):
        keys = {key.split('.', 1)[1]: value for key, value in keys.items() if key.startswith(towers)}
    if any(key.startswith(('visual.', 'text.')) for key in keys) or 'token_embedding.weight' in keys:
        state = {}
        for key, value in keys.items():
            if key.startswith(('visual.', 'text.')):
                state[key] = value
            elif key.startswith(_TEXT_ROOTS):
                state[f'text.{key}'] = value
    elif 'conv1.weight' in keys or any(key.startswith('trunk.') for key in keys):
        state = {f'visual.{key}': value for key, value in keys.items()}  # the image half alone
    else:
        state = {}
    state.pop('text.attn_mask', None)  # a buffer that old versions saved
    return state


def _read(path: str) -> Any:
    """The content of a file as a state dict or a dict that holds one."""
    try:
        if path.endswith('.safetensors'):
            from safetensors.torch import load_file

            return load_file(path, device='cpu')
        if _is_torchscript(path):
            with warnings.catch_warnings():
                warnings.simplefilter('ignore')
                return dict(torch.jit.load(path, map_location='cpu').state_dict())
        with torch.serialization.safe_globals(_inert_globals()):
            return torch.load(path, map_location='cpu', weights_only=True, mmap=zipfile.is_zipfile(path))
    except Exception as error:  # noqa: BLE001, the readers raise a dozen types for damaged files
        raise CheckpointError(
            f'{path} ({os.path.getsize(path)} bytes) cannot be read as a checkpoint: {_reason(path, error)}'
        ) from error


def _reason(path: str, error: Exception) -> str:
    """Why reading failed, as one clause."""
    with open(path, 'rb') as file:
        head = file.read(64).lstrip()
    if head.startswith(b'version https://git-lfs'):
        return 'it is a Git LFS pointer; fetch the file itself with `git lfs pull`'
    if head[:1] == b'<':
        return 'it is a web page, not the download itself; fetch the file again'
    text = ' '.join(str(error).split())
    if 'Unsupported' in text or 'weights_only' in text:
        found = [word for word in text.split() if word.count('.') and 'GLOBAL' in text[: text.find(word)][-8:]]
        culprit = f' ({found[0]})' if found else ''
        return (
            f'it holds Python objects besides weights{culprit}, and loading those can run code; '
            'ask its author for the bare state dict or a .safetensors file'
        )
    return f'it is incomplete or no checkpoint at all ({type(error).__name__}); fetch it again'


def _is_torchscript(path: str) -> bool:
    """The file is an archive written by ``torch.jit.save``."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
    return any(name.endswith('/constants.pkl') for name in names) and any('/code/' in name for name in names)


class _Inert:
    """Stands in for an object of a checkpoint that is not a weight: takes anything and does nothing."""

    def __new__(cls, *args: Any, **kwargs: Any) -> _Inert:
        return super().__new__(cls)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        pass


def _inert_globals() -> list[tuple]:
    """What mmengine's checkpoints hold besides tensors (log history), each mapped to the inert stand-in."""
    names = ['mmengine.logging.history_buffer.HistoryBuffer', 'builtins.getattr', 'numpy.ndarray', 'numpy.dtype']
    for core in ('numpy.core', 'numpy._core'):
        names += [f'{core}.multiarray._reconstruct', f'{core}.multiarray.scalar']
    kinds = ('Float64', 'Float32', 'Float16', 'Int64', 'Int32', 'UInt8', 'Bool')
    names += [f'numpy.dtypes.{kind}DType' for kind in kinds]
    return [(_Inert, name) for name in names]


def _describe(content: Any) -> str:
    """What was found in the place of a state dict."""
    if isinstance(content, dict):
        return f'a dict with the keys {list(content)[:_SHOWN]}'
    return f'an object of type {type(content).__name__}'
