"""Colour names -> RGB; surface names -> colour ramps that turn grey texture tiles into ground, water or canopy."""

from __future__ import annotations

import numpy as np

Colour = tuple[int, ...]  # red, green, blue; 8 bits each

# Every colour that a caption may name, as 8-bit RGB.
COLOURS: dict[str, Colour] = {
    'white': (238, 238, 234),
    'grey': (142, 145, 150),
    'black': (40, 42, 47),
    'red': (184, 48, 42),
    'blue': (48, 98, 182),
    'green': (38, 130, 62),
    'yellow': (236, 198, 48),
    'orange': (226, 120, 44),
    'brown': (122, 80, 50),
}

# Stops from dark to light of each surface; `texture` interpolates between them.
SURFACES: dict[str, tuple[Colour, ...]] = {
    'grass': ((62, 92, 44), (92, 124, 60), (112, 140, 72), (142, 156, 92)),
    'soil': ((106, 76, 52), (146, 106, 74), (168, 128, 94), (192, 156, 120)),
    'concrete': ((146, 146, 142), (172, 171, 166), (184, 183, 178), (200, 199, 194)),
    'sand': ((196, 166, 108), (222, 194, 136), (234, 210, 156), (244, 226, 184)),
    'asphalt': ((74, 76, 80), (90, 92, 96), (98, 100, 104), (114, 116, 118)),
    'canopy': ((14, 30, 16), (34, 62, 30), (58, 92, 42), (104, 134, 66)),
    'autumn': ((48, 24, 10), (136, 74, 24), (190, 116, 40), (226, 168, 74)),
    'blue water': ((22, 64, 118), (34, 84, 148), (44, 98, 164), (82, 134, 192)),
    'green water': ((26, 66, 58), (40, 88, 74), (50, 102, 84), (88, 136, 112)),
    'brown water': ((98, 82, 58), (122, 102, 72), (134, 114, 82), (160, 142, 108)),
    'dune yellow': ((182, 140, 80), (216, 178, 112), (232, 198, 136), (246, 222, 170)),
    'dune orange': ((150, 84, 42), (194, 118, 64), (214, 142, 86), (234, 176, 122)),
    'dry grass': ((104, 112, 62), (136, 140, 84), (156, 156, 100), (176, 172, 120)),
    'pale soil': ((136, 106, 80), (176, 142, 112), (190, 160, 130), (206, 180, 150)),
    'pale sand': ((206, 180, 130), (230, 208, 160), (240, 222, 178), (248, 234, 200)),
    'field green': ((48, 92, 34), (72, 122, 46), (88, 140, 56), (120, 164, 80)),
    'field yellow': ((184, 152, 50), (212, 182, 72), (226, 198, 88), (240, 218, 126)),
    'field brown': ((92, 62, 40), (120, 84, 56), (136, 98, 66), (164, 126, 90)),
}

# The nearest nameable colour of each ground, so that nothing of that colour is drawn on it.
GROUND_COLOUR = {'grass': 'green', 'soil': 'brown', 'concrete': 'grey', 'sand': 'yellow', 'asphalt': 'black'}


def shade(colour: Colour, factor: float) -> Colour:
    """Multiply an RGB colour; above 1 it is mixed with white instead, so that the hue is kept."""
    if factor <= 1:
        return tuple(int(v * factor) for v in colour)
    return tuple(int(v + (255 - v) * min(factor - 1, 1)) for v in colour)


def jitter(colour: Colour, rng: np.random.Generator, amount: int = 7) -> Colour:
    """The colour plus a uniform offset of at most ``amount`` levels in each channel."""
    return tuple(int(v) for v in np.clip(np.add(colour, rng.integers(-amount, amount + 1, 3)), 0, 255))


def ramp(stops: tuple[Colour, ...]) -> np.ndarray:
    """Colour stops -> lookup table (256, 1, 3) uint8."""
    at = np.linspace(0, 255, len(stops))
    return np.stack([np.interp(np.arange(256), at, channel) for channel in zip(*stops)], -1)[:, None].astype(np.uint8)
