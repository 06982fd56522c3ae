"""The image half of an open_clip model: built with random weights, and run block by block."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Optional, Union

from open_clip.model import CLIPVisionCfg, _build_vision_tower
from open_clip.timm_model import TimmModel
from open_clip.transformer import VisionTransformer
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from ...errors import ConfigError
from ...pretrained.clip_architecture import ClipArchitecture


def run_blocks(
    transformer: Any, x: Tensor, *, start: int = 0, stop: Optional[int] = None, attn_mask: Optional[Tensor] = None
) -> Tensor:
    """Some blocks of an open_clip transformer, as its own forward runs all: (B, T, C) -> (B, T, C)."""
    if not transformer.batch_first:
        x = x.transpose(0, 1).contiguous()  # (T, B, C)
    for block in list(transformer.resblocks)[start:stop]:
        if transformer.grad_checkpointing:
            x = checkpoint(block, x, None, None, attn_mask, use_reentrant=False)
        else:
            x = block(x, attn_mask=attn_mask)
    return x if transformer.batch_first else x.transpose(0, 1)


def vit_features(vit: Any, x: Tensor) -> tuple[tuple[Tensor, ...], Tensor]:
    """Tokens (B, 1 + hw, C) after the blocks of a ViT -> its map (B, C, h, w) and pooled vector (B, D)."""
    pooled, tokens = vit._pool(x)
    if vit.attn_pool is not None:
        tokens = x[:, 1:]
    elif vit.final_ln_after_pool:
        tokens = vit.ln_post(tokens)
    if vit.proj is not None:
        pooled = pooled @ vit.proj
    return (tokens.mT.unflatten(-1, vit.grid_size),), pooled  # (B, C, h, w)


def run_timm(visual: TimmModel, images: Tensor) -> tuple[tuple[Tensor, ...], Tensor]:
    """Images -> the map and the pooled vector of a timm trunk.

    Raises:
        ConfigError: its tokens are no map.
    """
    trunk: Any = visual.trunk
    x = trunk.forward_features(images)
    pooled = visual.head(trunk.forward_head(x))
    if x.ndim == 4:
        channels_last = getattr(trunk, 'output_fmt', None) == 'NHWC' or x.shape[1] != trunk.num_features
        return (x.permute(0, 3, 1, 2) if channels_last else x,), pooled
    grid = trunk.patch_embed.grid_size
    tokens = x[:, getattr(trunk, 'num_prefix_tokens', 0) :]
    if tokens.shape[1] != grid[0] * grid[1]:
        raise ConfigError(
            f'the timm trunk {type(trunk).__name__} returns {tokens.shape[1]} tokens, which is no '
            f'map of its {grid[0]} x {grid[1]} patches; choose another architecture'
        )
    return (tokens.mT.unflatten(-1, grid),), pooled  # (B, C, h, w)


def trunk_order(trunk: nn.Module) -> tuple[list[nn.Module], list[nn.Module]]:
    """The blocks that a timm trunk lists, and its modules after them."""
    children = dict(trunk.named_children())
    for name in ('blocks', 'stages', 'layers'):
        if isinstance(children.get(name), (nn.Sequential, nn.ModuleList)):
            return list(children[name]), list(children.values())[list(children).index(name) + 1 :]
    return [], []


def build_vision(architecture: ClipArchitecture, image_size: Union[int, Sequence[int], None]) -> nn.Module:
    """Build open_clip's image half alone, with random weights."""
    values = dict(architecture.vision_cfg, timm_model_pretrained=False)
    if image_size is not None:
        values['image_size'] = image_size
    for key in ('layers', 'image_size'):
        if isinstance(values.get(key), list):
            values[key] = tuple(values[key])
    try:
        config = CLIPVisionCfg(**values)
        if isinstance(config.layers, tuple) and not config.timm_model_name and not isinstance(config.image_size, int):
            height, width = config.image_size
            if height != width:
                raise ConfigError(
                    f'image_size={config.image_size}: the attention pool of a ModifiedResNet takes '
                    'square images only; give one number'
                )
            config.image_size = height
        visual = _build_vision_tower(architecture.embed_dim, config, architecture.quick_gelu)
    except (TypeError, AssertionError, RuntimeError) as error:
        raise ConfigError(
            f'open_clip cannot build the image half of the model {architecture.label} from vision_cfg '
            f'{architecture.vision_cfg}: {error}'
        ) from error
    if isinstance(visual, VisionTransformer):
        if config.patch_dropout > 0:
            raise ConfigError(
                f'vision_cfg.patch_dropout={config.patch_dropout} leaves holes in the feature map during '
                'training; set it to 0'
            )
        if visual.pool_type == 'none':
            raise ConfigError('vision_cfg with pool_type="none" has no global vector; set pool_type to "tok" or "avg"')
        visual.output_tokens = False
    elif isinstance(visual, TimmModel) and not hasattr(visual.trunk, 'forward_features'):
        raise ConfigError(
            f'the timm trunk {config.timm_model_name} has no forward_features and so no feature map; '
            'choose another architecture'
        )
    return visual


def pair(size: Union[int, Sequence[int]]) -> tuple[int, int]:
    """(H, W) of a side or a pair."""
    return (size, size) if isinstance(size, int) else (int(size[0]), int(size[1]))
