"""The picture of an answer: what is where."""

import numpy as np
from PIL import Image

from osdpm_plugin.search import Match, draw_matches, picture
from osdpm_plugin.search.picture import COLUMNS, MOST_DRAWN
from osdpm_plugin.visualization.gallery import LEFT, MARGIN, TILE_SIZE, WIDTH
from osdpm_plugin.visualization.page import MAX_HEIGHT


def colour(number):
    return (number, 255 - number, 7)


def image_of(number):
    """An image of one colour, which stands for its path."""
    return np.full((30, 30, 3), colour(number), dtype=np.uint8)


def matches_of(numbers):
    return [Match(r, 1 - 0.1 * r, n, n) for r, n in enumerate(numbers, start=1)]


def draw(queries, answers, *, asked=False, found=True, read=image_of):
    """Words are asked and images found, unless said otherwise."""
    return draw_matches(queries, answers, images_asked=asked, images_found=found, title='a title', read=read)


def render(figure):
    figure.canvas.draw()
    return np.asarray(figure.canvas.buffer_rgba())[..., :3]


def place_of(pixels, number):
    """Left, top, width and height of the tile of an image."""
    ys, xs = np.nonzero((pixels == colour(number)).all(axis=2))
    return xs.min(), ys.min(), xs.max() - xs.min() + 1, ys.max() - ys.min() + 1


def test_words_and_images():
    numbers = [10, 20, 30, 40, 50, 60]
    figure = draw(['a ship in a harbour', 'two planes'], [matches_of(numbers), matches_of([200])])
    pixels = render(figure)
    places = [place_of(pixels, n) for n in numbers]
    assert pixels.shape[1] == WIDTH and all(place[2:] == (TILE_SIZE, TILE_SIZE) for place in places)
    first_line, second_line = places[:COLUMNS], places[COLUMNS:]
    lefts = [place[0] for place in first_line]
    assert lefts == sorted(lefts) and lefts[0] > MARGIN + LEFT and lefts[-1] + TILE_SIZE <= WIDTH - MARGIN
    assert len({place[1] for place in first_line}) == 1 and second_line[0][1] > first_line[0][1] + TILE_SIZE
    assert second_line[0][0] == lefts[0] and place_of(pixels, 200)[1] > second_line[0][1] + TILE_SIZE
    texts = [text.get_text() for text in figure.texts]
    assert texts[:2] == ['a title', 'a ship in a harbour'] and texts.count('1') == 2 and texts.count('0.900') == 2


def test_images_and_texts():
    found = [Match(1, 0.5, 0, 'a harbour ' * 60), Match(2, -0.25, 1, 'a river')]
    figure = draw([9], [found], asked=True, found=False)
    assert place_of(render(figure), 9)[:1] == (MARGIN,)
    texts = [text.get_text() for text in figure.texts]
    assert 'a river' in texts and {'0.500', '-0.250'} <= set(texts) and any(t.endswith('\u2026') for t in texts)
    box = figure.canvas.get_renderer()
    for text in figure.texts:
        extent = text.get_window_extent(box)
        assert extent.x0 >= 0 and extent.x1 <= WIDTH and extent.y0 >= 0 and extent.y1 <= figure.bbox.height


def test_names_of_files(tmp_path):
    Image.new('RGB', (5, 5)).save(tmp_path / 'port.png')
    path = str(tmp_path / 'port.png')
    figure = draw([path], [[Match(1, 1.0, 0, path)]], asked=True, read=lambda p: np.asarray(Image.open(p)))
    assert [text.get_text() for text in figure.texts].count('port.png') == 2


def test_long_answers():
    texts = [text.get_text() for text in draw(['a'], [matches_of([1] * 500)]).texts]
    assert str(MOST_DRAWN) in texts and str(MOST_DRAWN + 1) not in texts


def test_queries_that_do_not_fit_are_left_out(monkeypatch):
    said = []
    monkeypatch.setattr(picture, 'print_log', lambda text, **options: said.append(text))
    one, two, three = (draw(list('abc')[:n], [matches_of([7])] * n).bbox.height for n in range(1, 4))
    assert not said and three - two == two - one
    for limit, drawn in ((three, 3), (three - 1, 2), (two - 1, 1)):
        monkeypatch.setattr(picture, 'MAX_HEIGHT', limit)
        figure = draw(list('abc'), [matches_of([7])] * 3)
        assert figure.bbox.height == (one, two, three)[drawn - 1]
        assert [t.get_text() for t in figure.texts if t.get_text() in list('abc')] == list('abc')[:drawn]
    want = [f'the picture shows the first {drawn} of 3 queries' for drawn in (2, 1)]
    assert [text.split(';')[0] for text in said] == want
    monkeypatch.undo()
    figure = draw(['a'] * 200, [matches_of([7])] * 200)
    assert MAX_HEIGHT - three < figure.bbox.height <= MAX_HEIGHT
