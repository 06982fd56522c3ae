"""A large batch -> its embeddings, whose backward pass takes the memory of a small one."""

from __future__ import annotations

from typing import Any, Callable, Optional

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint

from ...errors import ConfigError
from ...utils.checks import check_int
from ..rows import take_rows


def in_chunks(encode: Callable[[Any], Tensor], inputs: Any, chunk: int) -> Tensor:
    """``encode(inputs)``, in whose backward pass the activations of one chunk of rows are alive at a time.

    Gao et al. 2021, Scaling Deep Contrastive Learning Batch Size under Memory Limited Setup (GradCache): a contrastive
    loss needs the embeddings of the whole batch, but the towers need the activations of few rows once the gradient of
    the embeddings is known. So all rows are encoded without activations, the loss is differentiated down to the
    embeddings, and chunk after chunk is encoded once more, with activations, and differentiated. That costs one more
    forward pass. Interpretation: the second pass hangs in autograd, as recomputation of each chunk, where the
    released code calls backward on each chunk. The arithmetic is the same, and the whole stays one backward pass: DDP
    waits for the last chunk and synchronises once, and loss scaling, accumulation and clipping need to know of nothing.

    Both passes of a chunk draw the same random numbers (dropout) and run under the same autocast. What ``encode`` draws
    is another sequence than without chunks. Gradients equal those without chunks but for rounding, as long as rows do
    not depend on each other, see `refuse_batch_norm`.

    Args:
        encode: rows -> (rows, D).
        inputs: a tensor, or (named) tuples of tensors and Nones, with N rows each.
        chunk: rows of a chunk, at least 1; the last may have fewer.

    Returns:
        (N, D).
    """
    count = len(_first_tensor(inputs))
    starts = range(0, max(count, 1), chunk)
    return torch.cat([checkpoint(encode, take_rows(inputs, slice(i, i + chunk)), use_reentrant=False) for i in starts])


def check_grad_cache(chunk: Optional[int], *, indexable: bool, reads_regions: bool) -> None:
    """Refuse a ``grad_cache_chunk`` of a retriever that it cannot serve.

    Raises:
        ConfigError: not a whole number of at least 1, or what the loss is computed from is more than embeddings.
    """
    if chunk is None:
        return
    check_int('ImageTextRetriever', 'grad_cache_chunk', chunk, hint='None is for no gradient cache')
    if reads_regions or not indexable:
        raise ConfigError(
            f'grad_cache_chunk={chunk} caches the gradient of embeddings, and this model compares words or regions; '
            'remove grad_cache_chunk, and save memory by grad_checkpointing=True or with_cp=True in the towers'
        )


def refuse_batch_norm(model: nn.Module) -> None:
    """Batch normalisation in training mode would take its statistics from a chunk, and count each chunk twice.

    Raises:
        ConfigError: the model has such a layer.
    """
    names = [name for name, module in model.named_modules() if isinstance(module, _BatchNorm) and module.training]
    if names:
        raise ConfigError(
            f'grad_cache_chunk: batch normalisation ({names[0]}, one of {len(names)}) would take the statistics of a '
            'chunk for those of the batch; freeze them (norm_eval=True), choose another norm_cfg, or remove '
            'grad_cache_chunk'
        )


def _first_tensor(inputs: Any) -> Tensor:
    if isinstance(inputs, Tensor):
        return inputs
    return _first_tensor(next(part for part in inputs if part is not None))
