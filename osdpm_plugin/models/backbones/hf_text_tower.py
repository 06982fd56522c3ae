"""Any encoder of `transformers` as a text tower."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Optional, Union

import torch
from torch import Tensor, nn

from ...errors import ConfigError
from ...pretrained.hugging_face import load_encoder, random_encoder
from ...registry import MODELS
from ...structures import PartialTexts, TextFeatures
from ...utils.checks import check_one_of
from ..pooling import masked_mean
from .freezing import FreezableTower, Part


@MODELS.register_module()
class HFTextTower(FreezableTower):
    """Tokens -> word features and their mean, from an encoder of `transformers` (BERT, RoBERTa, MPNet, MiniLM, ...).

    Columns that hold padding in every row are cut off before the forward pass: a batch of captions of at most 20
    tokens costs 20 columns, however far the tokenizer padded it. ``words`` and ``mask`` come back at the cut length
    T' <= T; ``pooled`` is the same with or without the cut.

    Args:
        name_or_path: a folder with ``config.json`` and weights, or a name on the Hugging Face hub.
        config: in the place of ``name_or_path``, the architecture as a dict, with random weights:
            ``dict(model_type='bert', hidden_size=32, ...)``.
        pretrained: False builds the architecture of ``name_or_path`` with random weights.
        pooling: 'mean' over the caption's tokens, or 'cls', the first token.
        padding_idx: id of the padding token; None takes the model's own.
        frozen: train nothing: eval mode always, no gradients.
        trainable_layers: train only the last n layers (and a final norm, where there is one).
        grad_checkpointing: recompute activations in the backward pass to save memory.
        precision: 'fp32', or 'bf16' / 'fp16' to run this tower under autocast; outputs stay float32.

    Attributes:
        embed_dim, width: C, the model's hidden size.
        context_length: greatest T, or None when the model has no limit.

    Raises:
        ConfigError: an option does not fit the model.
        CheckpointError: the folder or the hub has no such model, or its weights are incomplete.
    """

    def __init__(
        self,
        *,
        name_or_path: Optional[str] = None,
        config: Optional[dict] = None,
        pretrained: bool = True,
        pooling: str = 'mean',
        padding_idx: Optional[int] = None,
        frozen: bool = False,
        trainable_layers: Optional[int] = None,
        grad_checkpointing: bool = False,
        precision: str = 'fp32',
        init_cfg: Union[dict, list, None] = None,
    ) -> None:
        super().__init__(frozen=frozen, precision=precision, init_cfg=init_cfg)
        if (name_or_path is None) == (config is None):
            raise ConfigError('HFTextTower takes either name_or_path or config')
        self.pooling = check_one_of('HFTextTower', 'pooling', pooling, ('mean', 'cls'))
        self.encoder = random_encoder(config) if name_or_path is None else load_encoder(name_or_path, pretrained)
        if getattr(self.encoder, 'pooler', None) is not None:
            self.encoder.pooler = None  # its weights would never get a gradient
        settings = self.encoder.config
        if settings.is_encoder_decoder or not getattr(settings, 'hidden_size', None):
            raise ConfigError(
                f'HFTextTower takes encoders such as BERT; {type(self.encoder).__name__} of '
                f'{name_or_path or config} is none'
            )
        self.width: int = settings.hidden_size
        self.embed_dim: int = self.width
        self.padding_idx = padding_idx if padding_idx is not None else getattr(settings, 'pad_token_id', None)
        if self.padding_idx is None:
            raise ConfigError(f'{name_or_path or config} does not say which token is padding; give padding_idx')
        self.context_length: Optional[int] = _context_length(self.encoder)
        self.set_trainable(keep=trainable_layers, keep_name='trainable_layers', grad_checkpointing=grad_checkpointing)
        if grad_checkpointing:
            self.encoder.gradient_checkpointing_enable(gradient_checkpointing_kwargs=dict(use_reentrant=False))

    def forward(self, tokens: Tensor) -> TextFeatures:
        """Encode captions.

        Args:
            tokens: (M, T) int64, padded with ``padding_idx``.

        Returns:
            words (M, T', C), mask (M, T') true on tokens that are not padding, pooled (M, C); T' is the length of
            the longest caption. A row of nothing but padding has pooled zeros.

        Raises:
            ConfigError: a caption is longer than the model allows.
        """
        tokens, mask = self._cut_padding(tokens)
        with self.running(tokens.device):
            words = self._encode(tokens, mask)
        return self._features(words, mask)

    @property
    def cut(self) -> Optional[int]:
        """See `FreezableTower`; None for an encoder whose embeddings do not go straight into its layers."""
        straight = hasattr(self.encoder, 'embeddings') and not hasattr(self.encoder, 'embeddings_project')
        return super().cut if straight else None

    def frozen_part(self, tokens: Tensor) -> PartialTexts:
        """Tokens (M, T) -> their features before the first layer that is trained. See `cutting`."""
        tokens, mask = self._cut_padding(tokens)
        seen: list[Tensor] = []
        cut = self.cut or 0
        last = self.blocks()[cut - 1] if cut else self.encoder.embeddings
        hook = last.register_forward_hook(lambda _, args, out: seen.append(out[0] if isinstance(out, tuple) else out))
        try:
            with self.running(tokens.device), layers_alone(self._layers(), slice(cut)):
                self._encode(tokens, mask)
        finally:
            hook.remove()
        return PartialTexts(words=seen[0], mask=mask)

    def trained_part(self, partial: PartialTexts) -> TextFeatures:
        """What `frozen_part` returned -> what the whole tower returns.

        The encoder runs without its first layers, and what its embeddings return is replaced: masks and biases of
        attention are thus made as the library makes them.
        """
        x, mask = partial
        tokens = torch.full_like(mask, self.padding_idx, dtype=torch.long)
        hook = self.encoder.embeddings.register_forward_hook(lambda _, args, out: x)
        try:
            with self.running(x.device), layers_alone(self._layers(), slice(self.cut or 0, None)):
                words = self._encode(tokens, mask)
        finally:
            hook.remove()
        return self._features(words, mask)

    def columns(self, tokens: Tensor) -> Tensor:
        """(M,) int64, how many tokens of each caption `trained_part` needs."""
        return (tokens != self.padding_idx).sum(dim=1).clamp(min=1)

    def _cut_padding(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """The columns (M, T') that are not padding in every row, and where they are not."""
        mask = tokens != self.padding_idx
        used = mask.any(dim=0).nonzero()
        length = int(used[-1]) + 1 if len(used) else 1
        if self.context_length is not None and length > self.context_length:
            raise ConfigError(
                f'{type(self.encoder).__name__} takes at most {self.context_length} tokens, got {length};'
                f' set context_length={self.context_length} in the tokenizer'
            )
        return tokens[:, :length], mask[:, :length]

    def _encode(self, tokens: Tensor, mask: Tensor) -> Tensor:
        attended = mask.clone()
        attended[:, 0] |= ~mask.any(dim=1)  # attention over nothing is NaN
        return self.encoder(input_ids=tokens, attention_mask=attended.long(), return_dict=True).last_hidden_state

    def _features(self, words: Tensor, mask: Tensor) -> TextFeatures:
        words = self.as_output(words)
        first = words[:, 0] * mask.any(dim=1, keepdim=True)  # (M, C)
        pooled = first if self.pooling == 'cls' else masked_mean(words, mask)
        return TextFeatures(words=words, mask=mask, pooled=pooled)

    def _layers(self) -> Optional[nn.ModuleList]:
        """The encoder's list of layers; None for a model whose layers share their weights (ALBERT)."""
        count = getattr(self.encoder.config, 'num_hidden_layers', None)
        lists = (module for module in self.encoder.modules() if isinstance(module, nn.ModuleList))
        return next((layers for layers in lists if len(layers) == count), None)

    def blocks(self) -> list[nn.Module]:
        """The encoder's layers; [] for a model whose layers share their weights (ALBERT)."""
        return list(self._layers() or [])

    def after_blocks(self) -> list[Part]:
        """The final norm, where there is one."""
        return [child for name, child in self.encoder.named_children() if 'norm' in name.lower()]


@contextlib.contextmanager
def layers_alone(layers: Optional[nn.ModuleList], kept: slice) -> Iterator[None]:
    """The context in which a list of layers has some of its layers only."""
    assert layers is not None
    whole = layers._modules
    layers._modules = {str(place): layer for place, layer in enumerate(list(whole.values())[kept])}
    try:
        yield
    finally:
        layers._modules = whole


def _context_length(encoder: nn.Module) -> Optional[int]:
    """Number of learned positions that tokens can take; models after RoBERTa number them from padding_idx + 1."""
    positions = getattr(encoder.config, 'max_position_embeddings', None)
    table = getattr(getattr(encoder, 'embeddings', None), 'position_embeddings', None)
    if positions is None or table is None:
        return positions
    offset = 0 if getattr(table, 'padding_idx', None) is None else table.padding_idx + 1
    return positions - offset
