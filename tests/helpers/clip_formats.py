"""Tiny CLIP models with random weights, and the file formats that real ones are published in."""

from __future__ import annotations

import copy
import warnings

import torch
from mmengine.logging import MessageHub
from open_clip.model import CLIP, convert_weights_to_fp16

EOT, PAD, CONTEXT = 99, 0, 16
TEXT = dict(context_length=CONTEXT, vocab_size=EOT + 1, width=64, heads=1, layers=3)
VIT = dict(embed_dim=32, vision_cfg=dict(image_size=32, layers=3, width=64, patch_size=8), text_cfg=TEXT)
RESNET = dict(embed_dim=32, vision_cfg=dict(image_size=64, layers=[1, 1, 1, 1], width=8), text_cfg=TEXT)


def with_quick_gelu(config: dict) -> dict:
    return dict(copy.deepcopy(config), quick_gelu=True)


def tiny_clip(config: dict, seed: int = 0) -> CLIP:
    """An open_clip model in eval mode, every weight of it random (open_clip starts some at zero)."""
    torch.manual_seed(seed)
    model = CLIP(**copy.deepcopy(config)).eval()
    for name, param in model.named_parameters():
        if name.endswith(('bias', 'bn3.weight')):
            torch.nn.init.normal_(param, std=0.1)
    return model


def tokens(rows: int = 4, seed: int = 0) -> torch.Tensor:
    """(rows, CONTEXT) int64: start, 1 to 8 words, end of text, padding."""
    generator = torch.Generator().manual_seed(seed)
    result = torch.full((rows, CONTEXT), PAD)
    for row in range(rows):
        words = 1 + (3 * row) % 8
        result[row, 0] = EOT - 1
        result[row, 1 : 1 + words] = torch.randint(1, EOT - 1, (words,), generator=generator)
        result[row, 1 + words] = EOT
    return result


def images(config: dict, rows: int = 2, seed: int = 0) -> torch.Tensor:
    side = config['vision_cfg']['image_size']
    return torch.randn(rows, 3, side, side, generator=torch.Generator().manual_seed(seed))


def openai_model(config: dict, seed: int = 0) -> CLIP:
    """A model as OpenAI published them: QuickGELU, weights in float16 but for the norms, three extra buffers."""
    model = CLIP(**with_quick_gelu(config), cast_dtype=torch.float16).eval()
    model.load_state_dict(tiny_clip(config, seed).state_dict())
    convert_weights_to_fp16(model)
    sizes = dict(input_resolution=config['vision_cfg']['image_size'], context_length=CONTEXT, vocab_size=EOT + 1)
    for key, value in sizes.items():
        if hasattr(model, key):
            delattr(model, key)
        model.register_buffer(key, torch.tensor(value))
    return model


def save_jit(config: dict, path) -> None:
    """OpenAI's TorchScript archive."""
    model = openai_model(config)
    example = (images(config, rows=1).half(), tokens(rows=1))
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        torch.jit.trace(model, example, check_trace=False).save(str(path))


def save_format(kind: str, config: dict, path) -> str:
    """Write ``tiny_clip(config)`` in a format and return the path as a string."""
    state = {key: value.clone() for key, value in tiny_clip(config).state_dict().items()}
    if kind == 'jit':
        save_jit(config, path)
    elif kind == 'openai_state_dict':
        torch.save(openai_model(config).state_dict(), path)
    elif kind == 'safetensors':
        from safetensors.torch import save_file

        path = path.with_suffix('.safetensors')
        save_file(state, str(path))
    elif kind == 'training':
        weights = {f'module.{key}': value for key, value in state.items()}
        optimizer = dict(state={0: dict(step=torch.tensor(1.0))}, param_groups=[])
        torch.save(dict(epoch=3, name='run', state_dict=weights, optimizer=optimizer), path)
    elif kind == 'retriever':
        torch.save(dict(meta=dict(epoch=1), state_dict=retriever_state(state), message_hub=log_history()), path)
    elif kind == 'custom_text':
        torch.save({k if k.startswith(('visual.', 'logit')) else f'text.{k}': v for k, v in state.items()}, path)
    elif kind == 'legacy':
        torch.save(state, path, _use_new_zipfile_serialization=False)
    else:
        assert kind == 'plain'
        torch.save(state, path)
    return str(path)


def retriever_state(state: dict) -> dict:
    """The weights as a whole retriever of this plugin names them, with a neck beside them."""
    result = {'neck.gate': torch.zeros(1), 'head.logit_scale': torch.zeros(())}
    for key, value in state.items():
        if key.startswith('visual.'):
            result[f'image_tower.{key}'] = value
        elif not key.startswith('logit'):
            result[f'text_tower.text.{key}'] = value
    return result


def log_history() -> dict:
    """What mmengine's Runner saves of its log: objects that the restricted reader refuses by default."""
    hub = MessageHub.get_instance('clip_formats')
    hub.update_scalar('train/loss', 0.5)
    hub.update_info('epoch', 1)
    return hub.state_dict()


FORMATS = ('plain', 'legacy', 'safetensors', 'training', 'retriever', 'custom_text')
