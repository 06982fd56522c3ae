"""Images for pictures: read as the pipeline reads them, squared without distortion."""

import cv2
import numpy as np
import pytest
from PIL import Image

from osdpm_plugin.errors import DataError
from osdpm_plugin.visualization.images import read_image, reader_of, tile_of

LOADERS = ['LoadImageFromFile', 'LoadRemoteSensingImage']


@pytest.mark.parametrize('loader', LOADERS)
@pytest.mark.parametrize('mode', ['RGB', 'L', 'RGBA', 'P'])
def test_files_become_rgb(tmp_path, loader, mode):
    Image.new('RGB', (6, 4), (250, 100, 0)).convert(mode).save(tmp_path / 'a.png')
    expected = np.asarray(Image.open(tmp_path / 'a.png').convert('RGB'))
    image = reader_of(dict(pipeline=[dict(type=loader), dict(type='Resize', scale=2)]))(str(tmp_path / 'a.png'))
    assert image.dtype == np.uint8 and image.tolist() == expected.tolist()


def test_the_bands_of_the_config_are_shown(tmp_path):
    deep = np.zeros((8, 8, 3), dtype=np.uint16)  # blue first, as OpenCV writes it
    deep[:, :4, 0], deep[:, :, 2] = 60_000, 30_000
    cv2.imwrite(str(tmp_path / 'deep.png'), deep)
    step = dict(type='LoadRemoteSensingImage', bands=(2, 1, 0), stretch='none')
    wrapped = dict(type='Wrapper', dataset=dict(type='Set', pipeline=[step]))
    image = reader_of(wrapped)(str(tmp_path / 'deep.png'))
    assert image[0, 0].tolist() == [60_000 >> 8, 0, 30_000 >> 8] and image[0, 7].tolist() == [0, 0, 30_000 >> 8]
    assert read_image(str(tmp_path / 'deep.png'))[0, 0].tolist() == [0, 0, 255]


@pytest.mark.parametrize('loader', LOADERS)
@pytest.mark.parametrize('content', [None, b'', b'no image'])
def test_bad_files_are_named(tmp_path, loader, content):
    path = tmp_path / 'bad.png'
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match=r'image .*bad\.png'):
        reader_of(dict(pipeline=[dict(type=loader)]))(str(path))


@pytest.mark.parametrize('shape', [(10, 40), (40, 10)])
def test_tiles_keep_the_shape(shape):
    image = np.zeros((*shape, 3), dtype=np.uint8)
    tile = tile_of(image, 80, ground='#ffffff')
    black = (tile == 0).all(axis=2)
    black = black if shape[0] < shape[1] else black.T
    assert tile.shape == (80, 80, 3) and black[30:50].all() and (tile == 255).all(axis=2).sum() == 80 * 60


def test_very_long_images_do_not_vanish():
    assert (tile_of(np.zeros((1, 1000, 3), np.uint8), 20, ground='#ffffff') == 0).all(axis=2).sum() == 20
