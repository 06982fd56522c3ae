"""A file of CLIP weights -> the half that a tower needs, verified.

Formats, told apart by their content:
- open_clip's state dict (.pt, .bin, .safetensors): also RemoteCLIP's and GeoRSCLIP's files;
- a training checkpoint: ``{'state_dict': {'module.visual....': ...}, 'optimizer': ...}``, or with another usual name
  for the weights (``model``, ``model_state_dict``, ``state_dict_ema``, see `fit`) or for the model
  (``model.visual....``, ``clip_model.``, ``backbone.``);
- OpenAI's TorchScript archive, or its state dict (both carry ``input_resolution``, ``context_length``, ``vocab_size``);
- an mmengine checkpoint of a whole retriever: ``{'state_dict': {'image_tower.visual....': ...}, 'message_hub': ...}``;
- one half alone, with or without its prefix.

They are read by `checkpoint`, which runs nothing that they carry.
"""

from __future__ import annotations

import os
import re
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ..errors import CheckpointError
from .checkpoint import read_checkpoint
from .fit import misfit, named_weights

_OPENAI_KEYS = ('input_resolution', 'context_length', 'vocab_size')
_TEXT_ROOTS = ('transformer.', 'token_embedding.', 'positional_embedding', 'ln_final.', 'text_projection', 'cls_emb')
_PREFIX = re.compile(r'(?:(?:module|model|clip_model|clip|backbone|net)\.)+')  # of models around CLIP


class ClipWeights(NamedTuple):
    """Weights as read from a file.

    Attributes:
        state: tensors named ``visual.*`` and ``text.*``; everything else of the file is left out.
        openai: the file has OpenAI's format, so its weights want QuickGELU.
    """

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
    content = named_weights(read_checkpoint(path, 'cpu', published=True), path)
    openai = any(key in content for key in _OPENAI_KEYS)
    state = _split(content)
    if not state:
        hint = (
            '; these are the keys of a transformers CLIPModel: take the open_clip file of the same model'
            if any(key.startswith(('vision_model.', 'text_model.')) for key in content)
            else ''
        )
        raise CheckpointError(
            f'{path} holds no CLIP weights (keys visual.* or token_embedding.weight): its keys are '
            f'{", ".join(sorted(content)[:3])}, ...{hint}'
        )
    not_tensors = [key for key, value in state.items() if not isinstance(value, Tensor)]
    if not_tensors:
        raise CheckpointError(f'{path}: {len(not_tensors)} entries such as {not_tensors[0]} are not tensors')
    return ClipWeights(state, openai)


def load_strictly(module: nn.Module, half: dict[str, Tensor], *, path: str, what: str, remedy: str) -> None:
    """Copy weights into a module, all of them or none; float16 and bfloat16 are cast to the module's type.

    Raises:
        CheckpointError: a key is missing, unexpected or of another shape, or a value is not finite.
    """
    own, found = module.state_dict(), misfit(module, half)
    if found:
        raise CheckpointError(f'{path} does not fit {what}: {found}. {remedy}')
    for key, value in half.items():
        if value.is_floating_point() and not bool(torch.isfinite(value).all()):
            bad = int((~torch.isfinite(value)).sum())
            raise CheckpointError(
                f'{path}: {bad} of {value.numel()} values of {key} are NaN or infinite; '
                'the file is damaged or its training diverged: take another one'
            )
    module.load_state_dict({key: value.to(own[key].dtype) for key, value in half.items()}, strict=True)


def _below_prefix(keys: dict) -> dict:
    """The entries of CLIP where a model around it has put its own name before theirs; else all as they are."""
    if not _is_clip(keys):
        for prefix in sorted({found[0] for found in map(_PREFIX.match, keys) if found}, key=len):
            inner = {key[len(prefix) :]: value for key, value in keys.items() if key.startswith(prefix)}
            if _is_clip(inner):
                return inner
    return keys


def _is_clip(keys: dict) -> bool:
    """Whether these are the names of CLIP, of one of its halves, or of a retriever with its towers."""
    return (
        any(key.startswith(('visual.', 'text.', 'image_tower.', 'text_tower.')) for key in keys)
        or 'token_embedding.weight' in keys
        or {'class_embedding', 'conv1.weight'} <= keys.keys()
        or 'attnpool.c_proj.weight' in keys
    )


def _split(content: dict) -> dict[str, Tensor]:
    """Bring the keys of all formats to ``visual.*`` and ``text.*``."""
    keys = _below_prefix({re.sub(r'^(module\.)+|_orig_mod\.', '', key): value for key, value in content.items()})
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
