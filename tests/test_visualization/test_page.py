"""The page: exact pixels, text of any kind, files that are whole."""

import warnings

import numpy as np
import pytest
from PIL import Image

from osdpm_plugin.errors import ConfigError
from osdpm_plugin.visualization.page import MAX_HEIGHT, Page, printable, save_figure, text_width, wrap


def pixels_of(path):
    return np.asarray(Image.open(path).convert('RGB'))


@pytest.mark.parametrize('height', [57, 1001, 1333])
def test_pixels_are_exact(tmp_path, height):
    page = Page(301)
    tile = np.random.default_rng(0).integers(0, 255, (20, 30, 3), dtype=np.uint8)
    page.rectangle(7, 8, 36, 26, '#ff0000')
    page.image(10, 11, tile)
    save_figure(page.figure(height), str(tmp_path / 'a' / 'new folder' / 'page.png'))
    (file,) = (tmp_path / 'a' / 'new folder').iterdir()
    pixels = pixels_of(file)
    assert pixels.shape == (height, 301, 3)
    assert (pixels[11:31, 10:40] == tile).all()
    red = (pixels == (255, 0, 0)).all(axis=2)
    ring = np.zeros_like(red)
    ring[8:34, 7:43], ring[11:31, 10:40] = True, False
    assert (red[ring]).all() and not red[:8].any() and not red[34:].any() and not red[:, :7].any()


TEXTS = [
    'plain words',
    '三艘白色的船停在蓝色的水面上',
    'ثلاثة قوارب بيضاء कमल 😀',
    'costs $5 and \\frac{1}{2} of $x^2$',
    'half a pair \ud800 nul \x00 bell \x07 tab\tline\nend',
    '',
]


@pytest.mark.parametrize('text', TEXTS)
def test_any_text_is_drawn_without_a_warning(tmp_path, text):
    page = Page(300)
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        height = page.lines(2, 2, wrap(text, width=290, size=20, bold=True), size=20, bold=True)
        save_figure(page.figure(height + 10), str(tmp_path / 'page.png'))
    assert (pixels_of(tmp_path / 'page.png') < 128).any() == bool(text)


def test_printable():
    assert printable('a\tb\n c\x00\x07\x7f\ud800') == 'a b c?'


@pytest.mark.parametrize('text', [*TEXTS, 'w' * 100, 'a ' * 100])
def test_wrapped_lines_fit_and_lose_nothing(text):
    lines = wrap(text, width=150, size=20)
    assert all(text_width(line, 20) <= 150 for line in lines)
    assert ''.join(lines).replace(' ', '') == printable(text).replace(' ', '')
    cut = wrap(text, width=150, size=20, most=2)
    assert len(cut) <= 2 and all(text_width(line, 20) <= 150 for line in cut)
    assert (cut == lines) == (len(lines) <= 2) and (len(lines) <= 2 or cut[-1].endswith(' \u2026'))


def test_files_are_whole_or_absent(tmp_path):
    out = tmp_path / 'page.png'
    page = Page(50)
    save_figure(page.figure(50), str(out))
    first = out.read_bytes()
    save_figure(page.figure(50), str(out))
    assert out.read_bytes() == first, 'equal pictures, equal bytes'
    figure = page.figure(50)

    def fail(file, **_):
        file.write(b'part')
        raise OSError('disk full')

    figure.savefig = fail
    with pytest.raises(ConfigError, match='--out.*cannot be written: disk full'):
        save_figure(figure, str(out))
    assert out.read_bytes() == first and list(tmp_path.iterdir()) == [out]


def test_bad_names_and_sizes(tmp_path):
    for name in ('page.jpg', 'page', 'folder/'):
        with pytest.raises(ConfigError, match=r'must name a \.png file'):
            save_figure(Page(50).figure(50), name)
    with pytest.raises(ConfigError, match='fewer rows, queries or answers'):
        Page(50).figure(MAX_HEIGHT + 1)
