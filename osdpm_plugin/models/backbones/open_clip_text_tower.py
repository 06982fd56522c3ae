"""The text half of any open_clip model that brings its own transformer."""

from __future__ import annotations

from typing import Optional, Union

import torch
from open_clip.model import CLIPTextCfg, _build_text_tower
from torch import Tensor, nn

from ...errors import ConfigError
from ...pretrained.clip_architecture import ClipArchitecture, resolve_architecture
from ...pretrained.clip_pretrained import check_pretrained, load_half
from ...registry import MODELS
from ...structures import PartialTexts, TextFeatures
from .freezing import FreezableTower, Part
from .open_clip_vision import run_blocks


@MODELS.register_module()
class OpenCLIPTextTower(FreezableTower):
    """Tokens -> word features and the vector of the joint space, from open_clip's text half.

    ::

        tokens (M,T) ─> embedding + positions ─> causal blocks ─> ln_final ─┬─ all tokens ──────────────> words  (M,T,C)
                                                                            └─ end of text > projection > pooled (M,D)

    ``pooled`` equals ``open_clip.create_model(...).encode_text(tokens)``, not normalised. With causal attention what
    follows the end of a caption cannot reach it, so tokens may be shorter than the context length (T = 32 in the place
    of 77 takes half the time) and give the same result for every caption that fits. Architectures that attend to the
    whole context (SigLIP) need all of it and say so.

    Args:
        model: an open_clip architecture, or a dict with an open_clip model config (``embed_dim`` and ``text_cfg``).
        pretrained: an open_clip tag or the path of a file; see `OpenCLIPImageTower`.
        quick_gelu: overrules the activation of ``model``; see `OpenCLIPImageTower`.
        frozen: train nothing: eval mode always, no gradients.
        trainable_blocks: train only the last n blocks, the final norm and the projection.
        grad_checkpointing: recompute activations in the backward pass to save memory.
        precision: 'fp32', or 'bf16' / 'fp16' to run this tower under autocast; outputs stay float32.

    Attributes:
        embed_dim: D.
        width: C.
        context_length: greatest T.

    Raises:
        ConfigError: an option does not fit the architecture, or its text half is a transformers model or CoCa's.
        CheckpointError: ``pretrained`` is no tag of ``model``, or its weights want the other activation.
    """

    def __init__(
        self,
        *,
        model: Union[str, dict],
        pretrained: Optional[str] = None,
        quick_gelu: Optional[bool] = None,
        frozen: bool = False,
        trainable_blocks: Optional[int] = None,
        grad_checkpointing: bool = False,
        precision: str = 'fp32',
        init_cfg: Union[dict, list, None] = None,
    ) -> None:
        super().__init__(frozen=frozen, precision=precision, init_cfg=init_cfg)
        self.architecture = architecture = resolve_architecture(model, half='text_cfg', quick_gelu=quick_gelu)
        self.pretrained = pretrained
        if pretrained is not None:
            check_pretrained(architecture, pretrained, uses_gelu=True)
        self.text = _build(architecture)
        self.width: int = self.text.width
        self.embed_dim: int = self.width if self.text.text_projection is None else architecture.embed_dim
        self.context_length: int = self.text.context_length
        self.set_trainable(keep=trainable_blocks, keep_name='trainable_blocks', grad_checkpointing=grad_checkpointing)
        if grad_checkpointing:
            self.text.set_grad_checkpointing(True)

    def load_pretrained(self) -> None:
        """Load the text half of ``pretrained``.

        Raises:
            CheckpointError: the weights are missing or do not fit.
        """
        if self.pretrained is not None:
            load_half(self.text, 'text', self.architecture, self.pretrained, uses_gelu=True)

    def blocks(self) -> list[nn.Module]:
        """The transformer's layers."""
        return list(self.text.transformer.resblocks)

    def after_blocks(self) -> list[Part]:
        """Final norm and projection."""
        return [self.text.ln_final, self.text.text_projection]

    @property
    def takes_short_texts(self) -> bool:
        """Whether T may be less than ``context_length``."""
        return self.text.attn_mask is not None and self.text.pool_type in ('argmax', 'eos')

    def forward(self, tokens: Tensor) -> TextFeatures:
        """Encode captions.

        Args:
            tokens: (M, T) int64, each row with its end-of-text token; T <= ``context_length``.

        Returns:
            words (M, T', C) after the final norm, mask (M, T') true up to and including the end of text, and
            pooled (M, D), not normalised. T' is the length of the longest caption where the architecture takes short
            texts (causal attention: what follows the end of text has no effect), T elsewhere.

        Raises:
            ConfigError: T does not fit this architecture.
        """
        return self.trained_part(self.frozen_part(tokens))

    def frozen_part(self, tokens: Tensor) -> PartialTexts:
        """Tokens (M, T) -> their features before the first block that is trained. See `cutting`."""
        text, length = self.text, self._check_length(tokens)
        tokens = tokens[:, :length]
        with self.running(tokens.device):
            dtype = text.transformer.get_cast_dtype()
            x = text.token_embedding(tokens).to(dtype) + text.positional_embedding[:length].to(dtype)  # (M, T, C)
            x = run_blocks(text.transformer, x, stop=self.cut or 0, attn_mask=self._attention_mask(length))
        return PartialTexts(words=x, mask=self._mask(tokens))

    def trained_part(self, partial: PartialTexts) -> TextFeatures:
        """What `frozen_part` returned -> what the whole tower returns."""
        text, (x, mask) = self.text, partial
        with self.running(x.device):
            attn_mask = self._attention_mask(x.shape[1])
            words = text.ln_final(run_blocks(text.transformer, x, start=self.cut or 0, attn_mask=attn_mask))
            pooled = words[torch.arange(len(words), device=words.device), self._pooled_column(mask)]
            if isinstance(text.text_projection, nn.Linear):
                pooled = text.text_projection(pooled)
            elif text.text_projection is not None:
                pooled = pooled @ text.text_projection
        return TextFeatures(words=self.as_output(words), mask=mask, pooled=self.as_output(pooled))

    def columns(self, tokens: Tensor) -> Tensor:
        """(M,) int64, how many tokens of each caption `trained_part` needs."""
        if self.takes_short_texts:
            return self._end_of_text(tokens) + 1
        return torch.full((len(tokens),), tokens.shape[1], device=tokens.device)

    def _check_length(self, tokens: Tensor) -> int:
        """How many columns of tokens (M, T) to read."""
        length = tokens.shape[1]
        if length > self.context_length or (length < self.context_length and not self.takes_short_texts):
            limit = 'at most' if self.takes_short_texts else 'exactly'
            raise ConfigError(
                f'this text tower takes {limit} {self.context_length} tokens, got {length}; '
                f'set context_length={self.context_length} in the tokenizer'
            )
        return int(self.columns(tokens).max()) if len(tokens) else length

    def _attention_mask(self, length: int) -> Optional[Tensor]:
        mask = self.text.attn_mask
        return None if mask is None else mask[:length, :length]

    def _end_of_text(self, tokens: Tensor) -> Tensor:
        """(M,) position of the end-of-text token, for architectures that pool from it."""
        if self.text.pool_type == 'argmax':
            return tokens.argmax(dim=-1)  # it has the highest id
        return (tokens == self.text.eos_id).int().argmax(dim=-1)

    def _pooled_column(self, mask: Tensor) -> Tensor:
        """(M,) position that open_clip pools from."""
        if self.text.pool_type in ('argmax', 'eos'):
            return mask.sum(dim=1) - 1
        last = mask.shape[1] - 1 if self.text.pool_type == 'last' else 0
        return torch.full((len(mask),), last, device=mask.device)

    def _mask(self, tokens: Tensor) -> Tensor:
        """(M, T) bool, true up to and including the end of text."""
        position = torch.arange(tokens.shape[1], device=tokens.device)
        if self.text.pool_type in ('argmax', 'eos'):
            return position <= self._end_of_text(tokens)[:, None]
        # No known end-of-text id: a row ends in a run of one token, either padding or end of text repeated (SigLIP).
        last = tokens[:, -1:]
        start = torch.where(tokens != last, position + 1, 0).amax(dim=1, keepdim=True)
        return (position < start) | ((position == start) & (last != self.text.pad_id))


def _build(architecture: ClipArchitecture) -> nn.Module:
    """Build open_clip's text half alone, with random weights."""
    if architecture.text_cfg.get('hf_model_name'):
        raise ConfigError(
            f'the text half of the open_clip model {architecture.label} is the transformers model '
            f'{architecture.text_cfg["hf_model_name"]}; use HFTextTower(name_or_path=...) in its place'
        )
    if architecture.text_cfg.get('embed_cls'):
        raise ConfigError(
            f'the text half of the open_clip model {architecture.label} appends a class token (CoCa), '
            'which this tower does not support; choose a CLIP architecture'
        )
    try:
        text = _build_text_tower(architecture.embed_dim, CLIPTextCfg(**architecture.text_cfg), architecture.quick_gelu)
    except (TypeError, AssertionError, RuntimeError) as error:
        raise ConfigError(
            f'open_clip cannot build the text half of the model {architecture.label} from text_cfg '
            f'{architecture.text_cfg}: {error}'
        ) from error
    if text.pool_type == 'none':
        raise ConfigError('text_cfg with pool_type="none" has no global vector; set pool_type to "argmax"')
    text.output_tokens = False
    return text
