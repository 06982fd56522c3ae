"""What a model makes of an image -> panels with titles, units and scales, ready to be drawn."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .heatmap_attention import Attention
from .heatmap_model import Perception
from .heatmap_overlay import Scale, scale_of


class Panel(NamedTuple):
    """One map over the image.

    Attributes:
        title: what the map is.
        heat: (h, w), in ``unit``.
        scale: values -> colours.
        unit: of the values, for the colour bar.
    """

    title: str
    heat: np.ndarray
    scale: Scale
    unit: str


def attention_panels(attention: Attention) -> list[Panel]:
    """Spatial attention (where there is any), response, each scale with its weight, and the scales mixed.

    The maps of saliency are in percent of the whole map, all on one scale, so that the same colour is the same share.
    """
    panels = []
    if attention.spatial is not None:
        panels.append(Panel('Spatial attention', attention.spatial, Scale(0.0, 1.0), 'weight'))
    response = Panel(
        'Response after channel attention',
        attention.response,
        scale_of(attention.response),
        'root mean square over channels',
    )
    panels.append(response)
    shares = 100 * attention.scale_saliency
    mixed = 100 * attention.saliency
    scale, unit = scale_of(np.stack([*shares, mixed])), '% of the map in a cell'
    for edge, weight, share in zip(attention.scales, attention.scale_weights, shares):
        panels.append(Panel(f'Saliency by {edge} x {edge} cells, weight {weight:.3f}', share, scale, unit))
    return [*panels, Panel('Saliency, scales mixed', mixed, scale, unit)]


def relevance_panels(perception: Perception) -> list[Panel]:
    """Of the image's own embedding, then of each text."""
    own = Panel('Image embedding', perception.relevance, scale_of(perception.relevance), '1 - cosine when hidden')
    texts = [
        Panel(
            f'\u201c{found.text}\u201d, cosine {found.cosine:.3f}',
            found.relevance,
            scale_of(found.relevance, signed=True),
            'fall of the cosine when hidden',
        )
        for found in perception.texts
    ]
    return [own, *texts]
