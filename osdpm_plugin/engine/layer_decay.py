"""Layer-wise learning rates: the nearer to the input of a tower, the smaller the step."""

from __future__ import annotations

from typing import Any, Optional

from mmengine.logging import print_log
from mmengine.optim import DefaultOptimWrapperConstructor
from torch import nn

from ..errors import ConfigError
from ..models.retrievers import TOWERS
from ..registry import OPTIM_WRAPPER_CONSTRUCTORS
from ..utils.checks import check_number
from .tower_levels import tower_levels

_KNOWN_KEYS = {
    *('layer_decay', 'tower_lr_mult', 'custom_keys', 'norm_decay_mult', 'bias_decay_mult', 'bias_lr_mult'),
    *('flat_decay_mult', 'dwconv_decay_mult', 'dcn_offset_lr_mult', 'bypass_duplicate'),
}


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class LayerDecayConstructor(DefaultOptimWrapperConstructor):
    """Learning rates of a retriever's towers that fall from their output to their input.

    Two keys of ``paramwise_cfg``:

    - ``layer_decay``, r in (0, 1], 1 if not given: a parameter of block i of the L blocks of a tower gets
      lr * tower_lr_mult * r ** (L + 1 - i); embeddings and stem count as i = 0, what follows the blocks as i = L + 1
      (`tower_levels`).
    - ``tower_lr_mult``, positive, 1 if not given: necks and head get the full lr, towers this share of it.

    mmengine's other keys go on working. Departure: all multipliers of a parameter multiply. In mmengine a parameter
    that matches one of ``custom_keys`` is freed from ``norm_decay_mult``, ``bias_decay_mult`` and the rest, so that
    ``custom_keys=dict(image_tower=dict(lr_mult=0.1))`` brings back the weight decay of all norms of the tower; here a
    custom key changes what it names and nothing else. As in mmengine the longest key that matches counts, alone, and
    what it has beside ``lr_mult`` and ``decay_mult`` is given to the optimizer.

    Parameters of equal settings share a group, which keeps the optimizer's kernels few. Each trainable parameter is in
    one group.

    The scheme is that of Clark et al. 2020 (ELECTRA) and Bao et al. 2022 (BEiT); Dong et al. 2022 (arXiv 2212.06138)
    show what it does for CLIP.

    Args:
        optim_wrapper_cfg: config of the wrapper with its ``optimizer``, which must state ``lr``.
        paramwise_cfg: the keys above.

    Raises:
        ConfigError: an unknown key, a value out of range, no ``lr``, or a model without towers (on use).
    """

    def __init__(self, *, optim_wrapper_cfg: dict, paramwise_cfg: Optional[dict] = None) -> None:
        super().__init__(optim_wrapper_cfg, paramwise_cfg)
        unknown = sorted(set(self.paramwise_cfg) - _KNOWN_KEYS)
        if unknown:
            raise ConfigError(f'paramwise_cfg has unknown keys {unknown}; known are {sorted(_KNOWN_KEYS)}')
        if self.base_lr is None:
            raise ConfigError('LayerDecayConstructor scales the learning rate; set lr in optim_wrapper.optimizer')
        self.full_lr: float = self.base_lr
        owner, hint = 'paramwise_cfg', 'to train nothing of a tower, freeze it'
        decay, share = (self.paramwise_cfg.get(key, 1.0) for key in ('layer_decay', 'tower_lr_mult'))
        self.layer_decay = check_number(owner, 'layer_decay', decay, above=0, most=1, hint=hint)
        self.tower_lr_mult = check_number(owner, 'tower_lr_mult', share, above=0, hint=hint)
        self.custom_keys = dict(self.paramwise_cfg.get('custom_keys', {}))

    def add_params(
        self, params: list[dict], module: nn.Module, prefix: str = '', is_dcn_module: Optional[bool] = None
    ) -> None:
        """Append the groups of a model, in place as mmengine has it.

        Args:
            params: groups, appended to.
            prefix: of the names that ``custom_keys`` match.

        Raises:
            ConfigError: the model has no towers, or `tower_levels` does not know one of them.
        """
        lr_mults = self._tower_lr_mults(module)
        names = {p: name for name, p in module.named_parameters(prefix=prefix)}
        groups: dict[str, dict] = {}
        for param, settings in self._settings_without_custom_keys(module, prefix, is_dcn_module).items():
            custom = self._custom_settings(names[param])
            extra = {key: value for key, value in custom.items() if key not in ('lr_mult', 'decay_mult')}
            lr = settings.get('lr', self.full_lr) * lr_mults.get(param, 1.0) * custom.get('lr_mult', 1.0)
            group = dict(settings, lr=lr)
            if self.base_wd is not None:
                group['weight_decay'] = settings.get('weight_decay', self.base_wd) * custom.get('decay_mult', 1.0)
            group.update(extra)
            groups.setdefault(repr(sorted(group.items())), dict(group, params=[]))['params'].append(param)
        params.extend(groups.values())

    def _settings_without_custom_keys(
        self, module: nn.Module, prefix: str, is_dcn_module: Optional[bool]
    ) -> dict[nn.Parameter, dict]:
        """Trainable parameter -> the lr and weight_decay that mmengine's rules for norms, biases and the rest give."""
        rules = {key: value for key, value in self.paramwise_cfg.items() if key.endswith('mult')}
        rules.pop('tower_lr_mult', None)
        plain = DefaultOptimWrapperConstructor(dict(self.optim_wrapper_cfg, optimizer=self.optimizer_cfg), rules)
        single: list[dict] = []
        plain.add_params(single, module, prefix, is_dcn_module)
        return {group['params'][0]: {k: v for k, v in group.items() if k != 'params'} for group in single}

    def _custom_settings(self, name: str) -> dict[str, Any]:
        """What the longest custom key in a parameter's name says; of equally long ones the first of the alphabet."""
        matching = sorted((key for key in self.custom_keys if key in name), key=lambda key: (-len(key), key))
        return self.custom_keys[matching[0]] if matching else {}

    def _tower_lr_mults(self, model: nn.Module) -> dict[nn.Parameter, float]:
        """Trainable parameter of a tower -> share of the learning rate."""
        towers = {name: getattr(model, name) for name in TOWERS if hasattr(model, name)}
        if not towers:
            raise ConfigError(
                f'LayerDecayConstructor takes a model with image_tower and text_tower, and {type(model).__name__} has '
                'neither; remove constructor and its keys from optim_wrapper'
            )
        mults: dict[nn.Parameter, float] = {}
        for name, tower in towers.items():
            trained = {key: p for key, p in tower.named_parameters() if p.requires_grad}
            shares = self._shares(tower, list(trained))
            mults.update((p, shares[key]) for key, p in trained.items())
            if shares:
                lowest, highest = min(shares.values()), max(shares.values())
                print_log(
                    f'{name}: depth multiplies the learning rate by {lowest:.3g} to {highest:.3g}', logger='current'
                )
        return mults

    def _shares(self, tower: nn.Module, trained: list[str]) -> dict[str, float]:
        """Name of a trained parameter of a tower -> share of the learning rate."""
        if self.layer_decay == 1.0 or not trained:  # any tower will do
            return dict.fromkeys(trained, self.tower_lr_mult)
        levels = tower_levels(tower)
        last = levels.num_blocks + 1
        return {name: self.tower_lr_mult * self.layer_decay ** (last - levels.of[name]) for name in trained}
