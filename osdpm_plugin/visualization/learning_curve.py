"""Rsum by variant, share of captions and seed -> a learning curve: one line a variant, means with the seeds' spread."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator

from .page import GREY, INK, RULE, blank, font_of

WIDTH, HEIGHT = 1000, 700  # pixels
SMALL, BODY, TITLE = 16, 19, 24  # font sizes
STYLES = (('#59636e', 'o', ':'), ('#b3541e', 's', '--'), ('#2d7d46', '^', '-.'), ('#0b5fa5', 'D', '-'))


def draw_learning_curve(curves: Mapping[str, Mapping[int, Sequence[float]]], *, title: str) -> Figure:
    """Means over seeds, and bars of one standard deviation (ddof 1) where there are several: `WIDTH` x `HEIGHT` pixels.

    Args:
        curves: variant, in the order of the legend -> percent of images with captions -> Rsum of each seed.
        title: above the axes.
    """
    figure = blank(WIDTH, HEIGHT)
    axes = figure.add_axes((0.1, 0.24, 0.86, 0.67))  # the legend is below the axes, where it hides no curve
    percents = sorted({percent for curve in curves.values() for percent in curve})
    for number, (label, curve) in enumerate(curves.items()):
        colour, marker, dashes = STYLES[number % len(STYLES)]
        # lines side by side, so that bars of equal shares do not hide each other
        places = [percent * 1.015 ** (number - (len(curves) - 1) / 2) for percent in curve]
        means = [float(np.mean(values)) for values in curve.values()]
        spread = [float(np.std(values, ddof=1)) if len(values) > 1 else 0.0 for values in curve.values()]
        look: dict[str, Any] = dict(
            color=colour, marker=marker, linestyle=dashes, linewidth=2.2, markersize=8, capsize=4
        )
        axes.errorbar(places, means, yerr=spread, label=label, **look)
    axes.set_xscale('log')
    axes.xaxis.set_major_locator(FixedLocator(percents))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter('{x:.0f} %')
    axes.set_title(title, fontproperties=font_of(TITLE, True), color=INK, loc='left')
    axes.set_xlabel('training images with captions', fontproperties=font_of(BODY), color=INK)
    axes.set_ylabel('Rsum', fontproperties=font_of(BODY), color=INK)
    axes.grid(color=RULE, linewidth=0.8)
    for tick in (*axes.get_xticklabels(), *axes.get_yticklabels()):
        tick.set(fontproperties=font_of(SMALL), color=GREY)
    axes.legend(prop=font_of(SMALL), loc='upper center', bbox_to_anchor=(0.5, -0.15), ncols=2, frameon=False)
    return figure
