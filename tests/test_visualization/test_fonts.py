"""Characters beyond Latin: drawn by an installed font that has them, else named."""

import logging
import warnings

import numpy as np
import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from matplotlib.font_manager import fontManager

from osdpm_plugin.visualization import page, pixels_of, save_figure, without_font

CAPTION = '三艘船'


@pytest.fixture
def forget_fonts():
    """Fonts are looked up once; look again before and after."""
    caches = (page._installed, page._characters, page.text_width)
    for cache in caches:
        cache.cache_clear()
    known = list(fontManager.ttflist)
    fontManager._findfont_cached.cache_clear()
    yield
    fontManager.ttflist[:] = known
    fontManager._findfont_cached.cache_clear()
    for cache in caches:
        cache.cache_clear()


def write_font(path, characters: str, family: str) -> str:
    """A font whose every character is a filled square of half the line."""
    pen = TTGlyphPen(None)
    pen.moveTo((100, 0))
    for corner in ((100, 500), (600, 500), (600, 0)):
        pen.lineTo(corner)
    pen.closePath()
    names = ['.notdef', *(f'c{i}' for i in range(len(characters)))]
    font = FontBuilder(1000, isTTF=True)
    font.setupGlyphOrder(names)
    font.setupCharacterMap({ord(letter): name for letter, name in zip(characters, names[1:])})
    empty, square = TTGlyphPen(None).glyph(), pen.glyph()
    font.setupGlyf({name: square if i else empty for i, name in enumerate(names)})
    font.setupHorizontalMetrics({name: (700, 0) for name in names})
    font.setupHorizontalHeader(ascent=800, descent=-200)
    font.setupNameTable(dict(familyName=family, styleName='Regular'))
    font.setupOS2(sTypoAscender=800, sTypoDescender=-200)
    font.setupPost()
    font.save(path)
    return str(path)


def draw(text: str) -> page.Page:
    sheet = page.Page(300)
    sheet.text(5, 5, text, size=40)
    return sheet


def test_an_installed_font_draws_chinese_captions(tmp_path, forget_fonts):
    fontManager.addfont(write_font(tmp_path / 'cjk.ttf', CAPTION, 'Noto Sans CJK SC'))
    assert without_font([CAPTION, 'and Latin, Ελλάδα']) == ''
    figure = draw(CAPTION).figure(60)
    with warnings.catch_warnings():
        warnings.simplefilter('error')  # no "glyph missing", with nothing silenced
        figure.canvas.draw()
    dark = (pixels_of(figure) < 100).all(axis=2)
    assert dark.sum() == pytest.approx(3 * 20 * 20, rel=0.15), 'three squares of half the font size, not empty boxes'
    assert np.ptp(np.nonzero(dark)[0]) == pytest.approx(20, abs=2)


def test_missing_characters_are_named(tmp_path, forget_fonts, monkeypatch):
    monkeypatch.setattr(page, 'FAMILIES', ('DejaVu Sans',))
    assert without_font([f'Ships: {CAPTION}', '船']) == ''.join(sorted(CAPTION))
    said = []
    monkeypatch.setattr(page, 'print_log', lambda text, logger, level: said.append((text, level)))
    save_figure(draw(CAPTION).figure(60), str(tmp_path / 'a.png'))
    save_figure(draw('plain words').figure(60), str(tmp_path / 'b.png'))
    ((text, level),) = said
    assert level == logging.WARNING
    assert f'boxes stand in for 3 characters that no installed font has ({"".join(sorted(CAPTION))}); install' in text
