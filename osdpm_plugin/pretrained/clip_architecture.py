"""open_clip architectures: looking one up by name, and guessing which one a set of weights belongs to."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Optional, Union

import open_clip
from torch import Tensor

from ..errors import ConfigError

_KNOWN_KEYS = {
    *('embed_dim', 'vision_cfg', 'text_cfg', 'quick_gelu', 'custom_text', 'multimodal_cfg'),
    *('init_logit_scale', 'init_logit_bias', 'nonscalar_logit_scale'),
}


@dataclass(frozen=True)
class ClipArchitecture:
    """Both halves of an open_clip model, as far as they are configured.

    Attributes:
        name: open_clip's name, or None for an architecture given as a dict.
        embed_dim: width D of the joint space.
        vision_cfg: open_clip's keyword arguments of the image half.
        text_cfg: open_clip's keyword arguments of the text half.
        quick_gelu: the activation is x * sigmoid(1.702 x) instead of GELU.
        native_quick_gelu: what open_clip's own config of ``name`` says, whatever the user asked for.
    """

    name: Optional[str]
    embed_dim: int
    vision_cfg: dict
    text_cfg: dict
    quick_gelu: bool
    native_quick_gelu: bool

    @property
    def label(self) -> str:
        """How messages call it."""
        return repr(self.name) if self.name else 'given as a dict'


def resolve_architecture(model: Union[str, dict], *, half: str, quick_gelu: Optional[bool] = None) -> ClipArchitecture:
    """Look up an architecture.

    Args:
        model: a name that ``open_clip.list_models()`` has ('ViT-B/32' is read as 'ViT-B-32'), or an open_clip model
            config: dict(embed_dim=..., vision_cfg=dict(...), text_cfg=dict(...), quick_gelu=False).
        half: 'vision_cfg' or 'text_cfg', the part that must be there.
        quick_gelu: overrules the activation of the architecture when not None.

    Raises:
        ConfigError: unknown name or key, or a part is missing.
    """
    name = None
    if isinstance(model, str):
        name = model.replace('/', '-') if ':' not in model else model
        config = open_clip.get_model_config(name) if ':' not in name else None
        if config is None:
            close = difflib.get_close_matches(name, open_clip.list_models(), n=3, cutoff=0.4)
            hint = f'; did you mean {" or ".join(map(repr, close))}?' if close else ''
            if ':' in model:
                hint = '; give model_cfg of its open_clip_config.json as a dict and its weight file as pretrained'
            raise ConfigError(f'model={model!r} is not an architecture of open_clip {open_clip.__version__}{hint}')
    elif isinstance(model, Mapping):
        config = json.loads(json.dumps(model, default=str))  # plain dicts and lists in the place of mmengine's
        unknown = sorted(set(config) - _KNOWN_KEYS)
        if unknown:
            raise ConfigError(f'model has unknown keys {unknown}; an open_clip model config has {sorted(_KNOWN_KEYS)}')
    else:
        raise ConfigError(f'model={model!r} must be the name of an open_clip architecture or a dict with its config')
    missing = [key for key in ('embed_dim', half) if not config.get(key)]
    if missing:
        raise ConfigError(f'model={model!r} lacks {" and ".join(missing)}, which this tower is built from')
    native = bool(config.get('quick_gelu', False))
    return ClipArchitecture(
        name=name,
        embed_dim=config['embed_dim'],
        vision_cfg=config.get('vision_cfg') or {},
        text_cfg=config.get('text_cfg') or {},
        quick_gelu=native if quick_gelu is None else bool(quick_gelu),
        native_quick_gelu=native,
    )


def sibling_with(name: Optional[str], *, quick_gelu: bool) -> str:
    """What to write to get the same architecture with the other activation: ``model='ViT-B-32-quickgelu'``."""
    if name:
        sibling = f'{name}-quickgelu' if quick_gelu else name.replace('-quickgelu', '')
        config = open_clip.get_model_config(sibling)
        if config is not None and bool(config.get('quick_gelu', False)) == quick_gelu:
            return f'model={sibling!r}'
    return f'quick_gelu={quick_gelu}'


def weight_facts(state: dict[str, Tensor]) -> dict[str, dict]:
    """What the shapes of a state dict say about its architecture.

    Args:
        state: tensors named ``visual.*`` and ``text.*``.

    Returns:
        For each half that is there and not from another library ('image', 'text'), a dict of facts.
    """

    def size(key: str, axis: int = 0) -> Optional[int]:
        return state[key].shape[axis] if key in state else None

    facts: dict[str, dict] = {}
    if 'visual.class_embedding' in state and 'visual.conv1.weight' in state:
        facts['image'] = dict(
            width=size('visual.conv1.weight'),
            layers=_count(state, 'visual.transformer.'),
            patch_size=size('visual.conv1.weight', -1),
            positions=size('visual.positional_embedding'),
            embed_dim=size('visual.proj', 1),
        )
    elif 'visual.layer1.0.conv1.weight' in state:
        blocks = [{key.split('.')[2] for key in state if key.startswith(f'visual.layer{i}.')} for i in range(1, 5)]
        facts['image'] = dict(
            width=size('visual.layer1.0.conv1.weight'),
            layers=tuple(map(len, blocks)),
            positions=size('visual.attnpool.positional_embedding'),
            embed_dim=size('visual.attnpool.c_proj.weight'),
        )
    if 'text.token_embedding.weight' in state:
        facts['text'] = dict(
            width=size('text.token_embedding.weight', 1),
            layers=_count(state, 'text.transformer.'),
            vocab_size=size('text.token_embedding.weight'),
            context_length=size('text.positional_embedding'),
            embed_dim=size('text.text_projection', 1),
        )
    return {half: {key: value for key, value in found.items() if value is not None} for half, found in facts.items()}


def matching_models(state: dict[str, Tensor], *, quick_gelu: Optional[bool] = None) -> list[str]:
    """Names of open_clip architectures that the shapes fit, most likely first; empty when none does.

    Args:
        quick_gelu: activation of the weights, or None when unknown.
    """
    facts = weight_facts(state)
    if not facts:
        return []
    names = []
    for name in open_clip.list_models():
        config = open_clip.get_model_config(name)
        if quick_gelu is not None and bool(config.get('quick_gelu', False)) != quick_gelu:
            continue
        configured = _config_facts(config)
        if all(
            half in configured and all(configured[half].get(key) == value for key, value in found.items())
            for half, found in facts.items()
        ):
            names.append(name)
    return sorted(names, key=len)


def _config_facts(config: dict) -> dict[str, dict]:
    """The facts of `weight_facts`, from an open_clip model config; a half of another library is left out."""
    facts = {}
    vision, text = open_clip.CLIPVisionCfg(**config['vision_cfg']), open_clip.CLIPTextCfg(**config['text_cfg'])
    if not vision.timm_model_name:
        size = vision.image_size if isinstance(vision.image_size, int) else vision.image_size[0]
        common = dict(width=vision.width, embed_dim=config['embed_dim'])
        if isinstance(vision.layers, (list, tuple)):
            facts['image'] = dict(common, layers=tuple(vision.layers), positions=(size // 32) ** 2 + 1)
        else:
            facts['image'] = dict(
                common,
                layers=vision.layers,
                patch_size=vision.patch_size,
                positions=(size // vision.patch_size) ** 2 + 1,
            )
    if not text.hf_model_name:
        facts['text'] = dict(
            width=text.width,
            layers=text.layers,
            vocab_size=text.vocab_size,
            context_length=text.context_length + bool(text.embed_cls),
            embed_dim=config['embed_dim'],
        )
    return facts


def _count(state: dict[str, Tensor], prefix: str) -> int:
    """Number of transformer blocks under a prefix."""
    return len(
        {key.split('resblocks.')[1].split('.')[0] for key in state if key.startswith(prefix) and 'resblocks.' in key}
    )
