"""Tower -> how deep in it each parameter sits."""

from __future__ import annotations

from typing import NamedTuple, Optional, Sequence, Union

from open_clip.modified_resnet import ModifiedResNet
from open_clip.timm_model import TimmModel
from open_clip.transformer import VisionTransformer
from torch import nn

from ..errors import ConfigError
from ..models.backbones import HFTextTower, OpenCLIPImageTower, OpenCLIPTextTower

_Part = Union[nn.Module, nn.Parameter, None]
_SWIN = {'patch_embed', 'stages', 'norm'}  # what holds the parameters of a Swin of any OpenMMLab package
_SWIN_OPTIONAL = {'absolute_pos_embed'}


class TowerLevels(NamedTuple):
    """Depth of the parameters of a tower.

    Attributes:
        of: name of each parameter -> 0 for embeddings and stem, i for block i, ``num_blocks`` + 1 for what follows the
            blocks.
        num_blocks: L, blocks counted from 1.
    """

    of: dict[str, int]
    num_blocks: int


def tower_levels(tower: nn.Module) -> TowerLevels:
    """Find the blocks of a tower and number its parameters by them.

    Blocks are the transformer layers of an open_clip ViT, of its text half, of a timm ViT and of a `transformers`
    encoder; the four stages of a ModifiedResNet, a ResNet and a Swin of OpenMMLab; what ``get_layer_depth`` says of
    the other backbones of mmpretrain that have it (ViT, BEiT, ConvNeXt, ...).

    Args:
        tower: image or text tower of a retriever.

    Raises:
        ConfigError: the tower is built otherwise.
    """
    order = _order(tower)
    if order is None:
        return _own_levels(tower)
    blocks, after = order
    level_of = {id(p): level for level, block in enumerate(blocks, start=1) for p in block.parameters()}
    level_of.update((id(p), len(blocks) + 1) for part in after for p in _parameters(part))
    return TowerLevels({name: level_of.get(id(p), 0) for name, p in tower.named_parameters()}, len(blocks))


def _order(tower: nn.Module) -> Optional[tuple[Sequence[nn.Module], Sequence[_Part]]]:
    """The blocks, first to last, and what follows them; None for a tower that is none of these."""
    if isinstance(tower, OpenCLIPTextTower):
        return tower.text.transformer.resblocks, [tower.text.ln_final, tower.text.text_projection]
    if isinstance(tower, HFTextTower):
        return _encoder_order(tower.encoder)
    if isinstance(tower, OpenCLIPImageTower):
        return _visual_order(tower.visual)
    if hasattr(tower, 'res_layers'):  # ResNet of any OpenMMLab package, and what derives from it
        return [getattr(tower, name) for name in tower.res_layers], []
    if {_root(name) for name, _ in tower.named_parameters()} - _SWIN_OPTIONAL == _SWIN:
        return tower.stages, [child for name, child in tower.named_children() if name.startswith('norm')]
    return None


def _visual_order(visual: nn.Module) -> Optional[tuple[Sequence[nn.Module], Sequence[_Part]]]:
    """`_order` of open_clip's image halves."""
    if isinstance(visual, VisionTransformer):
        pools = [visual.attn_pool, getattr(visual, 'attn_pool_contrastive', None)]
        return visual.transformer.resblocks, [visual.ln_post, visual.proj, *pools]
    if isinstance(visual, ModifiedResNet):
        return [getattr(visual, f'layer{stage}') for stage in range(1, 5)], [visual.attnpool]
    if isinstance(visual, TimmModel) and isinstance(
        getattr(visual.trunk, 'blocks', None), (nn.Sequential, nn.ModuleList)
    ):
        children = dict(visual.trunk.named_children())
        following = list(children)[list(children).index('blocks') + 1 :]
        return visual.trunk.blocks, [*(children[name] for name in following), visual.head]
    return None


def _encoder_order(encoder: nn.Module) -> Optional[tuple[Sequence[nn.Module], Sequence[_Part]]]:
    """`_order` of a `transformers` encoder; None for those whose layers share their weights (ALBERT)."""
    count = getattr(encoder.config, 'num_hidden_layers', None)
    for module in encoder.modules():
        if isinstance(module, nn.ModuleList) and len(module) == count:
            return module, [child for name, child in encoder.named_children() if 'norm' in name.lower()]
    return None


def _own_levels(tower: nn.Module) -> TowerLevels:
    """What the tower itself says, in mmpretrain's way: (0 to L + 1, L + 2)."""
    if not hasattr(tower, 'get_layer_depth'):
        raise ConfigError(
            f'layer_decay: the blocks of the tower {_name(tower)} cannot be told apart; set layer_decay=1.0, or freeze '
            'this tower'
        )
    depths = {name: tower.get_layer_depth(name) for name, _ in tower.named_parameters()}
    return TowerLevels(
        {name: depth for name, (depth, _) in depths.items()},
        max((count for _, count in depths.values()), default=2) - 2,
    )


def _name(tower: nn.Module) -> str:
    """How messages call a tower: its class, and that of the library's model inside."""
    inner = getattr(tower, 'visual', None) or getattr(tower, 'encoder', None)
    if isinstance(inner, TimmModel):
        inner = inner.trunk
    return type(tower).__name__ if inner is None else f'{type(tower).__name__} ({type(inner).__name__})'


def _root(name: str) -> str:
    """'norm2.weight' -> 'norm'."""
    return name.split('.')[0].rstrip('0123456789')


def _parameters(part: _Part) -> list[nn.Parameter]:
    """The parameters of a module, a parameter or nothing."""
    if isinstance(part, nn.Parameter):
        return [part]
    return [] if part is None else list(part.parameters())
