"""The gallery: what is framed how, and that it is drawn in every case."""

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from PIL import Image

from osdpm_plugin.errors import DataError
from osdpm_plugin.visualization import draw_gallery, retrieve
from osdpm_plugin.visualization.gallery import CHECK, CROSS, FRAME, RIGHT, TILE_SIZE, WIDTH, WRONG
from tests.helpers.embedded_splits import by_hand

COLOURS = {30: (0, 0, 255), 10: (255, 255, 0), 20: (0, 255, 255)}  # of the images


@pytest.fixture
def split(tmp_path):
    paths = [tmp_path / f'{i}.png' for i in COLOURS]
    for path, colour in zip(paths, COLOURS.values()):
        Image.new('RGB', (32, 32), colour).save(path)
    return by_hand(paths)


def render(figure):
    figure.canvas.draw()
    return np.asarray(figure.canvas.buffer_rgba())[..., :3]


def rgb(colour):
    return tuple(round(255 * part) for part in to_rgb(colour))


def test_frames_tell_right_from_wrong(split):
    found = retrieve(split, queries=4, topk=3)
    (query,) = (q for q in found.t2i.queries if split.caption_ids[q.item] == 2)  # image 10, 20 (its own), 30
    figure = draw_gallery(
        found._replace(t2i=found.t2i._replace(queries=(query,)), i2t=found.i2t._replace(queries=())), split, title='t'
    )
    pixels = render(figure)
    assert pixels.shape[1] == WIDTH == figure.bbox.width and pixels.shape[0] == figure.bbox.height
    lefts = []
    for image_id, frame, thick in ((10, WRONG, FRAME // 2), (20, RIGHT, FRAME), (30, WRONG, FRAME // 2)):
        ys, xs = np.nonzero((pixels == COLOURS[image_id]).all(axis=2))
        top, bottom, left, right = ys.min(), ys.max(), xs.min(), xs.max()
        assert (bottom - top, right - left) == (TILE_SIZE - 1, TILE_SIZE - 1)
        middle = (top + bottom) // 2
        for distance in range(1, thick + 1):
            for spot in (
                (middle, left - distance),
                (middle, right + distance),
                (top - distance, left),
                (bottom + distance, right),
            ):
                assert tuple(pixels[spot]) == rgb(frame), (image_id, distance)
        assert tuple(pixels[middle, left - thick - 1]) == (255, 255, 255)
        lefts.append(left)
    assert lefts == sorted(lefts), 'by rank from left to right'


def texts_of(figure):
    return [text.get_text() for text in figure.texts]


def test_words_and_marks(split):
    found = retrieve(split, queries=9, topk=9, seed=5)
    texts = texts_of(draw_gallery(found, split, title='a title'))
    assert texts[0] == 'a title' and 'Random queries, seed 5, among 3 images and 4 captions' in texts[1]
    assert {'Text to image', '4 of 4 captions', 'Image to text', '3 of 3 images'} <= set(texts)
    assert 'all 4: R@1 50.0 %, R@5 100.0 %, R@10 100.0 %' in texts
    marks = [text[0] for text in texts if text and text[0] in (CHECK, CROSS)]
    assert marks.count(CHECK) == 4 + 4 and marks.count(CROSS) == 8 + 8  # 4 x 3 answers, 3 x 4 answers
    assert texts.count('its image: rank 3') == 1 and texts.count('its first caption: rank 4') == 1
    assert texts.count('0.800') == 3 + 3 and texts.count('1.000') == 2


def test_right_captions_are_bold_and_green(split):
    figure = draw_gallery(retrieve(split, queries=9, topk=1), split, title='t')
    style = {
        text.get_text(): (text.get_color(), text.get_fontweight())
        for text in figure.texts
        if text.get_text().startswith('caption') and text.get_position()[0] > 200
    }
    assert style == {
        'caption 5': (RIGHT, 'bold'),
        'caption 2': (style['caption 2'][0], 'normal'),
        'caption 3': (RIGHT, 'bold'),
    }
    assert style['caption 2'][0] != RIGHT


def test_misses_name_their_pool(split):
    texts = texts_of(draw_gallery(retrieve(split, queries=1, only_misses=True), split, title='t'))
    assert 'Random misses (right answer not at rank 1), seed 0' in texts[1]
    assert {'1 of 2 missed of 4 captions', '1 of 1 missed of 3 images'} <= set(texts)


def test_no_misses(split):
    split = split._replace(text_embed=split.image_embed[[0, 1, 2, 2]])
    texts = texts_of(draw_gallery(retrieve(split, only_misses=True), split, title='t'))
    assert 'No misses: each right answer of 4 is at rank 1.' in texts


def test_many_answers_go_to_further_lines(split):
    many = 30
    wide = split._replace(
        image_ids=np.arange(many),
        image_paths=split.image_paths[:1] * many,
        image_embed=np.random.default_rng(0).normal(size=(many, 3)).astype(np.float32),
        caption_ids=np.arange(many),
        caption_image_ids=np.arange(many),
        captions=('words ' * 200,) * many,
        text_embed=np.random.default_rng(1).normal(size=(many, 3)).astype(np.float32),
    )
    figure = draw_gallery(retrieve(wide, queries=1, topk=many), wide, title='long ' * 100)
    canvas = figure.canvas.get_renderer()
    for text in figure.texts:
        box = text.get_window_extent(canvas)
        assert box.x0 >= 0 and box.x1 <= WIDTH and box.y0 >= 0 and box.y1 <= figure.bbox.height, text.get_text()


def test_missing_image(split):
    split = split._replace(image_paths=('gone.png', *split.image_paths[1:]))
    with pytest.raises(DataError, match=r'image gone\.png cannot be read'):
        draw_gallery(retrieve(split, queries=9), split, title='t')
