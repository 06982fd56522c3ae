"""The contact sheet: the grid, and which images are in it."""

import numpy as np
import pytest
from PIL import Image

from osdpm_plugin.datasets import CaptionRetrievalDataset
from osdpm_plugin.errors import ConfigError
from osdpm_plugin.visualization import Example, draw_contact_sheet, pick_examples
from osdpm_plugin.visualization.contact_sheet import GAP, WIDTH
from tests.helpers.generated_data import captions_of, write_dataset


def test_examples_are_images_with_captions_of_theirs(tmp_path):
    write_dataset(tmp_path, 'CaptionRetrievalDataset', train=12)
    dataset = CaptionRetrievalDataset(data_root=str(tmp_path), split='train')
    examples = pick_examples(dataset, 5, seed=1)
    assert len({e.path for e in examples}) == 5 and examples == pick_examples(dataset, 5, seed=1)
    assert examples != pick_examples(dataset, 5, seed=2)
    for example in examples:
        index = int(example.path.rpartition('_')[2].partition('.')[0])
        assert example.caption in captions_of(index)
    assert len(pick_examples(dataset, 99)) == 12


def test_a_set_without_captions():
    class Classes(list):
        get_data_info = list.__getitem__

    with pytest.raises(ConfigError, match='Classes has images without captions'):
        pick_examples(Classes([dict(img_path='a.png', gt_label=0)]), 1)


@pytest.mark.parametrize(('number', 'seed'), [(0, 0), (-6, 0), (1, -1)])
def test_numbers_out_of_range(number, seed):
    with pytest.raises(ConfigError, match='(number|seed) must be a whole number of at least'):
        pick_examples([], number, seed=seed)


def examples_in(folder, number):
    paths = [folder / f'{i}.png' for i in range(number)]
    for i, path in enumerate(paths):
        Image.new('RGB', (8, 8), (0, 40 * i, 255)).save(path)
    return [Example(str(path), 'words ' * (1 + 10 * i)) for i, path in enumerate(paths)]


def test_grid(tmp_path):
    figure = draw_contact_sheet(examples_in(tmp_path, 5), columns=3)
    figure.canvas.draw()
    pixels = np.asarray(figure.canvas.buffer_rgba())[..., :3]
    size = (WIDTH - 4 * GAP) // 3
    assert not figure.texts and pixels.shape[1] == WIDTH and 2 * (size + GAP) < pixels.shape[0] < 2 * (size + 2 * GAP)
    corners = []
    for i in range(5):
        ys, xs = np.nonzero((pixels == (0, 40 * i, 255)).all(axis=2))
        assert len(ys) == size * size
        corners.append((ys.min() // size, xs.min() // size))
    assert corners == [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1)]


def test_captions_stay_below_their_images(tmp_path):
    examples = examples_in(tmp_path, 4)
    plain = draw_contact_sheet(examples, columns=2).bbox.height
    figure = draw_contact_sheet(examples, columns=2, captions=True)
    assert figure.bbox.height > plain
    for text in figure.texts:
        box = text.get_window_extent(figure.canvas.get_renderer())
        assert box.x0 >= 0 and box.x1 <= WIDTH and box.y0 >= 0 and not box.x0 < WIDTH / 2 < box.x1


@pytest.mark.parametrize('columns', [0, 1000])
def test_columns_out_of_range(tmp_path, columns):
    with pytest.raises(ConfigError, match='columns must be a whole number from 1 to 40'):
        draw_contact_sheet(examples_in(tmp_path, 1), columns=columns)
