"""Tower -> how deep in it each parameter sits."""

from __future__ import annotations

from typing import NamedTuple, Sequence

from torch import nn

from ..errors import ConfigError
from ..models.backbones.freezing import FreezableTower, Part, parameters_of

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

    Blocks are those that a tower of this package states (``blocks``); the stages of a ResNet and of a Swin of
    OpenMMLab; what ``get_layer_depth`` says of the other backbones of mmpretrain that have it (ViT, BEiT, ConvNeXt,
    ...).

    Raises:
        ConfigError: the tower is built otherwise.
    """
    blocks, after = _order(tower)
    if not blocks:
        return _own_levels(tower)
    level_of = {p: level for level, block in enumerate(blocks, start=1) for p in block.parameters()}
    level_of.update(dict.fromkeys(parameters_of(after), len(blocks) + 1))
    return TowerLevels({name: level_of.get(p, 0) for name, p in tower.named_parameters()}, len(blocks))


def _order(tower: nn.Module) -> tuple[Sequence[nn.Module], list[Part]]:
    """The blocks, first to last, and what follows them; no blocks for a tower that states none."""
    if isinstance(tower, FreezableTower):
        blocks = tower.blocks()
        return blocks, tower.after_blocks() if blocks else []
    if hasattr(tower, 'res_layers'):  # ResNet of any OpenMMLab package, and what derives from it
        return [getattr(tower, name) for name in tower.res_layers], []
    roots = {name.split('.')[0].rstrip('0123456789') for name, _ in tower.named_parameters()}  # norm2.weight: norm
    if roots - _SWIN_OPTIONAL == _SWIN:
        return tower.stages, [child for name, child in tower.named_children() if name.startswith('norm')]
    return [], []


def _own_levels(tower: nn.Module) -> TowerLevels:
    """What the tower itself says, in mmpretrain's way: (0 to L + 1, L + 2)."""
    if not hasattr(tower, 'get_layer_depth'):
        name = getattr(tower, 'label', type(tower).__name__)
        raise ConfigError(
            f'layer_decay: the blocks of the tower {name} cannot be told apart; set layer_decay=1.0, or freeze '
            'this tower'
        )
    depths = {name: tower.get_layer_depth(name) for name, _ in tower.named_parameters()}
    return TowerLevels(
        {name: depth for name, (depth, _) in depths.items()},
        max((count for _, count in depths.values()), default=2) - 2,
    )
