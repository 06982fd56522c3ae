"""Object semantics: pull the soft assignment of images to object prototypes towards priors counted in captions."""

from __future__ import annotations

import torch
from torch import Tensor


def object_priors(counts: Tensor, frequency: Tensor, tempering: float) -> tuple[Tensor, Tensor]:
    """Prior p(object | image) from how often the image's captions name each object.

    ``p(o | i) ~ counts[i, o] * frequency[o] ** -tempering``: frequent objects ("tree", "building") would fill every
    prior, so the long tail is lifted; 0 leaves counts as they are, 1 divides by the frequency.

    Args:
        counts: (B, O), share of the image's captions that name the object.
        frequency: (O,), share of training images whose captions name the object, in (0, 1].
        tempering: exponent.

    Returns:
        priors: (B, O), rows sum to 1, or to 0 where no object is named.
        named: (B,) bool, whether any object is named.

    Example:
        >>> counts = torch.tensor([[1.0, 0.5], [0.0, 0.0]])
        >>> object_priors(counts, frequency=torch.tensor([0.5, 0.125]), tempering=1.0)  # 1 / 0.5 to 0.5 / 0.125
        (tensor([[0.3333, 0.6667],
                [0.0000, 0.0000]]), tensor([ True, False]))
    """
    weights = counts * frequency.pow(-tempering)
    total = weights.sum(dim=1, keepdim=True)
    named = total.squeeze(1) > 0
    return weights / total.clamp(min=1e-12), named


def prior_clustering(
    image_embed: Tensor, prototypes: Tensor, priors: Tensor, named: Tensor, temperature: float
) -> Tensor:
    """Mean over images with a prior of KL(prior || softmax(v . prototype / temperature)).

    Args:
        image_embed: (B, D) unit vectors.
        prototypes: (O, D) unit vectors.
        priors: (B, O), rows sum to 1.
        named: (B,) bool, rows that count.

    Returns:
        scalar, at least 0; 0 where no row counts.

    Example:
        >>> image, prior = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.5, 0.5]])
        >>> temperature = 0.910239  # 1 / log(3): the assignment is (3 / 4, 1 / 4), the divergence log(4 / 3) / 2
        >>> prior_clustering(image, torch.eye(2), prior, torch.tensor([True]), temperature)
        tensor(0.1438)
    """
    with torch.autocast(image_embed.device.type, enabled=False):
        log_assignment = (image_embed.float() @ prototypes.float().mT / temperature).log_softmax(dim=1)
    entropy_terms = priors * priors.clamp(min=1e-12).log()
    divergence = (entropy_terms - priors * log_assignment).sum(dim=1)
    return divergence[named].sum() / named.sum().clamp(min=1)
