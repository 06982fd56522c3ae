"""Drawing commands in pixels -> a matplotlib `Figure` of exactly that size -> a PNG file.

Fonts: a character is drawn by the first installed font of `FAMILIES` that has it; if no font has it, a box is drawn
and `save_figure` logs a warning.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, Callable, Optional, cast

import numpy as np
from matplotlib import get_cachedir
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, fontManager, get_font
from matplotlib.patches import Rectangle
from matplotlib.transforms import IdentityTransform
from mmengine.logging import print_log

from ..errors import ConfigError
from ..utils.files import write_atomically

# DejaVu comes with matplotlib: Latin, Greek, Cyrillic, symbols. The others are used if they are installed.
FAMILIES = (
    *('DejaVu Sans', 'Noto Sans', 'Noto Sans CJK SC', 'Noto Sans CJK JP', 'Noto Sans SC', 'Source Han Sans SC'),
    *('WenQuanYi Micro Hei', 'WenQuanYi Zen Hei', 'Microsoft YaHei', 'PingFang SC', 'Hiragino Sans GB', 'SimHei'),
    *('Noto Sans Arabic', 'Noto Sans Hebrew', 'Noto Sans Devanagari', 'Noto Sans Thai', 'Noto Emoji'),
    *('Arial Unicode MS', 'Unifont'),
)
DPI = 128  # a power of two, so that pixels / DPI * DPI is exact in floating point
LINE_HEIGHT = 1.35  # of a line of text, in font sizes
MAX_HEIGHT = 32_000  # pixels; the renderer's limit is 2**16, that of image viewers is lower

INK, GREY, RULE, TILE = '#1f2328', '#59636e', '#d1d9e0', '#eff2f5'


class Page:
    """A page of fixed width that is filled from the top and cut to its height at the end.

    All measures are whole pixels from the top left corner. Commands are stored and carried out by `figure`.

    Args:
        width: pixels.
    """

    def __init__(self, width: int) -> None:
        self.width = width
        self._orders: list[Callable[[Figure, int], object]] = []

    def mark(self) -> int:
        """The number of commands so far, for `back_to`."""
        return len(self._orders)

    def back_to(self, mark: int) -> None:
        """Remove the commands since `mark` was called."""
        del self._orders[mark:]

    def rectangle(self, x: int, y: int, width: int, height: int, color: str) -> None:
        """Fill a rectangle; images and text lie above it."""
        look: Any = dict(facecolor=color, linewidth=0, antialiased=False, zorder=-1, transform=IdentityTransform())
        self._orders.append(
            lambda figure, bottom: figure.add_artist(Rectangle((x, bottom - y - height), width, height, **look))
        )

    def image(self, x: int, y: int, pixels: np.ndarray) -> None:
        """Place an image (h, w, 3) uint8 without scaling."""
        self._orders.append(lambda figure, bottom: figure.figimage(pixels, x, bottom - y - len(pixels), zorder=0))

    def text(self, x: int, y: int, text: str, *, size: int, color: str = INK, bold: bool = False) -> None:
        """Write one line; ``y`` is the top of the line, ``size`` the font size in pixels."""
        look: Any = dict(color=color, fontproperties=font_of(size, bold), parse_math=False)
        self._orders.append(
            lambda figure, bottom: figure.text(
                x, bottom - y - size, printable(text), transform=IdentityTransform(), **look
            )
        )

    def lines(self, x: int, y: int, lines: list[str], *, size: int, color: str = INK, bold: bool = False) -> int:
        """Write lines one below the other; returns their height."""
        for i, line in enumerate(lines):
            self.text(x, y + round(i * LINE_HEIGHT * size), line, size=size, color=color, bold=bold)
        return round(len(lines) * LINE_HEIGHT * size)

    def paragraph(
        self,
        x: int,
        y: int,
        text: str,
        *,
        width: int,
        size: int,
        color: str = INK,
        bold: bool = False,
        most: Optional[int] = None,
    ) -> int:
        """Write a text of any length in lines, see `wrap`; returns their height."""
        lines = wrap(text, width=width, size=size, bold=bold, most=most)
        return self.lines(x, y, lines, size=size, color=color, bold=bold)

    def figure(self, height: int) -> Figure:
        """The page as a figure of ``width`` x ``height`` pixels at `DPI`.

        Raises:
            ConfigError: it would be too high for an image file.
        """
        if height > MAX_HEIGHT:
            raise ConfigError(
                f'the picture would be {height} pixels high, more than {MAX_HEIGHT}; ask for fewer rows, queries or '
                'answers'
            )
        figure = blank(self.width, height)
        for draw in self._orders:
            draw(figure, height)
        return figure


def blank(width: int, height: int) -> Figure:
    """A white figure of ``width`` x ``height`` pixels at `DPI`, on an Agg canvas."""
    figure = Figure(figsize=(width / DPI, height / DPI), dpi=DPI, facecolor='white')
    FigureCanvasAgg(figure)
    return figure


def wrap(text: str, *, width: int, size: int, bold: bool = False, most: Optional[int] = None) -> list[str]:
    """Break a text into lines of at most ``width`` pixels, between words, or inside a word that is too long for a line.

    Each run of white space becomes one blank. A text of more than ``most`` lines is cut and ends in an ellipsis.
    """
    lines, line = [], ''
    for word in printable(text).split():
        joined = f'{line} {word}' if line else word
        if text_width(joined, size, bold) <= width:
            line = joined
            continue
        if line:
            lines.append(line)
        line = ''
        for letter in word:
            if line and text_width(line + letter, size, bold) > width:
                lines.append(line)
                line = ''
            line += letter
    if line:
        lines.append(line)
    if most is not None and len(lines) > most:
        last = lines[most - 1]
        while last and text_width(last + ' \u2026', size, bold) > width:
            last = (last.rpartition(' ')[0] if ' ' in last else last[:-1]).rstrip()
        lines = [*lines[: most - 1], last + ' \u2026']
    return lines


@lru_cache(maxsize=10_000)
def text_width(text: str, size: int, bold: bool = False) -> int:
    """Width in pixels of one line."""
    with quiet_about_glyphs():
        width, _, _ = _renderer().get_text_width_height_descent(text, font_of(size, bold), ismath=False)
    return int(np.ceil(width))


def font_of(size: int, bold: bool = False) -> FontProperties:
    """The font of ``size`` pixels with its fallbacks."""
    return FontProperties(family=list(_installed()), size=size * 72 / DPI, weight='bold' if bold else 'normal')


def printable(text: str) -> str:
    """Text on one line, without what the renderer refuses: line breaks, control characters, single surrogates."""
    text = ' '.join(str(text).encode('utf-8', 'replace').decode('utf-8').split())
    return ''.join(letter for letter in text if letter >= ' ' and letter != '\x7f')


def check_png(path: str) -> None:
    """Raise ConfigError unless ``path`` names a .png file."""
    if not path.lower().endswith('.png'):
        raise ConfigError(f'--out={path!r} must name a .png file, e.g. --out {path.rstrip("./") or "picture"}.png')


def save_figure(figure: Figure, path: str) -> None:
    """Write a complete PNG file or none; its folder is created if needed. Equal figures give equal bytes.

    Characters that no installed font has are named in the log.

    Raises:
        ConfigError: ``path`` does not end in .png, or cannot be written.
    """
    check_png(path)
    missing = without_font(text.get_text() for text in figure.texts)
    if missing:
        print_log(
            f'{path}: boxes stand in for {len(missing)} characters that no installed font has ({missing[:20]}); '
            "install one that has them, e.g. Noto Sans CJK, remove matplotlib's font cache "
            f'({get_cachedir()}) and draw again',
            logger='current',
            level=logging.WARNING,
        )
    with quiet_about_glyphs():
        write_atomically(
            path, lambda file: figure.savefig(file, format='png', dpi=figure.dpi, metadata={'Software': None}), '--out'
        )


def pixels_of(figure: Figure) -> np.ndarray:
    """A figure on an Agg canvas as an image (H, W, 3) uint8."""
    with quiet_about_glyphs():
        figure.canvas.draw()
    return np.asarray(cast(FigureCanvasAgg, figure.canvas).buffer_rgba())[..., :3].copy()


def without_font(texts: Iterable[str]) -> str:
    """The characters, each once and sorted, that no installed font of `FAMILIES` has: boxes stand in for them."""
    letters = {letter for text in texts for letter in printable(text) if letter != ' '}
    return ''.join(sorted(letter for letter in letters if not any(ord(letter) in font for font in _characters())))


@contextmanager
def quiet_about_glyphs() -> Iterator[None]:
    """Silence the warning for each character that no installed font has."""
    with warnings.catch_warnings():
        warnings.filterwarnings('ignore', message=r'(?s).*Glyph.*(missing|not found)')
        yield


@lru_cache(maxsize=1)
def _installed() -> tuple[str, ...]:
    names = {font.name for font in fontManager.ttflist}
    return tuple(family for family in FAMILIES if family in names) or FAMILIES[:1]


@lru_cache(maxsize=1)
def _characters() -> tuple[frozenset[int], ...]:
    """Code points of each installed font, as matplotlib chooses its file."""
    files = (fontManager.findfont(FontProperties(family=family)) for family in _installed())
    return tuple(frozenset(get_font(file).get_charmap()) for file in files)


@lru_cache(maxsize=1)
def _renderer() -> Any:
    return FigureCanvasAgg(Figure(dpi=DPI)).get_renderer()
