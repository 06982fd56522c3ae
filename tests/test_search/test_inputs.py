"""Paths, folders, arrays, PIL images and texts -> lists; pixels in memory are those of the file."""

import errno
import os
import re
from unittest import mock

import numpy as np
import pytest
from PIL import Image

from osdpm_plugin.datasets.transforms import LoadRemoteSensingImage
from osdpm_plugin.errors import ConfigError, DataError
from osdpm_plugin.search import inputs
from osdpm_plugin.search.image_pipeline import ImagePipeline, build_tokenizer
from osdpm_plugin.search.inputs import as_images, as_texts, is_one, list_images, pixels_of
from tests.helpers.generated_data import tiff_bytes

PIXELS = np.random.default_rng(0).integers(0, 255, (9, 7, 3), dtype=np.uint8)  # red first


def pixels(image, array_order='bgr', bands=None, stretch='percentile'):
    return pixels_of(image, array_order=array_order, bands=bands, stretch=stretch)


def load(path, **options):
    return LoadRemoteSensingImage(**options)(dict(img_path=str(path)))['img']


def test_a_colour_image_in_every_shape():
    want = PIXELS[..., ::-1]
    for image in (Image.fromarray(PIXELS), want, want.copy(order='F')):
        np.testing.assert_array_equal(pixels(image), want)
    np.testing.assert_array_equal(pixels(PIXELS, 'rgb'), want)
    np.testing.assert_array_equal(pixels(Image.fromarray(PIXELS), 'rgb'), want)
    alpha = np.full((9, 7, 1), 99, np.uint8)
    np.testing.assert_array_equal(pixels(np.concatenate([want, alpha], axis=2)), want)
    np.testing.assert_array_equal(pixels(np.concatenate([PIXELS, alpha], axis=2), 'rgb'), want)
    np.testing.assert_array_equal(pixels(Image.fromarray(PIXELS).convert('RGBA')), want)


def test_grey_is_repeated():
    grey = PIXELS[..., 0]
    want = np.repeat(grey[..., None], 3, axis=2)
    for image in (grey, grey[..., None], Image.fromarray(grey), Image.fromarray(grey).convert('LA')):
        np.testing.assert_array_equal(pixels(image), want)
    dots = Image.fromarray(grey > 100)
    assert dots.mode == '1'
    np.testing.assert_array_equal(pixels(dots)[..., 0], (grey > 100) * 255)
    np.testing.assert_array_equal(pixels(grey > 100)[..., 1], (grey > 100) * 255)


@pytest.mark.parametrize('stretch', ['percentile', 'minmax', 'none'])
def test_sixteen_bits_as_from_a_file(tmp_path, stretch):
    deep = np.random.default_rng(1).integers(0, 2**16, (9, 7), dtype=np.uint16)
    Image.fromarray(deep).save(tmp_path / 'deep.png')
    want = load(tmp_path / 'deep.png', stretch=stretch)
    np.testing.assert_array_equal(pixels(deep, stretch=stretch), want)
    with Image.open(tmp_path / 'deep.png') as image:
        if image.mode.startswith('I;16') or stretch != 'none':  # older versions of PIL open it as 32 bits
            np.testing.assert_array_equal(pixels(image, stretch=stretch), want)


def test_many_bands_as_from_a_file(tmp_path):
    many = np.random.default_rng(2).integers(0, 9000, (9, 7, 6), dtype=np.uint16)
    (tmp_path / 'many.tif').write_bytes(tiff_bytes(many))
    want = load(tmp_path / 'many.tif', bands=(3, 2, 1))
    np.testing.assert_array_equal(pixels(many, bands=(3, 2, 1)), want)
    np.testing.assert_array_equal(pixels(many[..., :4], bands=(3, 2, 1)), want)
    np.testing.assert_array_equal(pixels(many, 'rgb', bands=(3, 2, 1)), want)


def test_a_turned_photo_is_turned_as_decoders_do(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(PIXELS).save(tmp_path / 'turned.png', exif=exif)
    want = load(tmp_path / 'turned.png')
    with Image.open(tmp_path / 'turned.png') as image:
        assert image.size == (7, 9)
        turned = pixels(image)
    assert turned.shape == (7, 9, 3)
    np.testing.assert_array_equal(turned[..., ::-1], np.rot90(PIXELS, -1))
    if want.shape == turned.shape:  # versions of OpenCV differ in whether a PNG file may be turned
        np.testing.assert_array_equal(turned, want)


@pytest.mark.parametrize(
    ('image', 'words'),
    [
        (np.zeros((3, 224, 224), np.uint8), 'has 224 bands; put the bands last, or name three in the pipeline'),
        (np.zeros((4, 4, 2), np.uint8), 'it has 2 bands; say which are red, green and blue'),
        (np.zeros((0, 4, 3), np.uint8), r'must hold numbers \(H, W\) or \(H, W, C\), got uint8 \(0, 4, 3\)'),
        (np.zeros(4), 'must hold numbers'),
        (np.zeros((4, 4, 3), complex), 'must hold numbers'),
        (np.full((2, 2, 3), 'a'), 'must hold numbers'),
    ],
)
def test_what_is_no_image(image, words):
    with pytest.raises(DataError, match=words):
        pixels(image)


def test_folders(tmp_path):
    for name in ('b.PNG', 'a.jpg', 'notes.txt', '.hidden.png', 'below/c.tif', '.cache/d.png', 'below/deep/e.webp'):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    want = [str(tmp_path / name) for name in ('a.jpg', 'b.PNG', 'below/c.tif', 'below/deep/e.webp')]
    assert list_images(tmp_path) == as_images(tmp_path) == as_images(str(tmp_path)) == want
    assert as_images(tmp_path / 'a.jpg') == as_images([tmp_path / 'a.jpg']) == want[:1]
    (tmp_path / 'empty').mkdir()
    with pytest.raises(DataError, match=r'folder .*empty holds no images \(\.avif .* name a folder with images'):
        as_images(tmp_path / 'empty')
    with pytest.raises(DataError, match='folder nowhere does not exist; name a folder with images'):
        list_images('nowhere')


def test_links_are_followed_once(tmp_path):
    photos, other = tmp_path / 'photos', tmp_path / 'other'
    for folder in (photos, other / 'deep'):
        folder.mkdir(parents=True)
        (folder / 'a.png').touch()
    (photos / 'link').symlink_to(other, target_is_directory=True)
    (other / 'loop').symlink_to(photos, target_is_directory=True)
    (photos / 'twice').symlink_to(other / 'deep', target_is_directory=True)
    (photos / 'gone.png').symlink_to(tmp_path / 'nothing.png')  # named, so that it is found out to be unreadable
    assert list_images(photos) == [str(photos / name) for name in ('a.png', 'gone.png', 'link/deep/a.png')]


def test_folders_that_cannot_be_read(tmp_path, monkeypatch):
    """Even by a user who may read everything."""
    (tmp_path / 'below').mkdir()
    (tmp_path / 'a.png').touch()
    scandir, said, refused = os.scandir, [], {str(tmp_path / 'below')}

    def refuse(path):
        if path in refused:
            raise PermissionError(errno.EACCES, 'Permission denied', path)
        return scandir(path)

    monkeypatch.setattr(os, 'scandir', refuse)
    monkeypatch.setattr(inputs, 'print_log', lambda text, **options: said.append(text))
    sentence = f'folder {tmp_path}/below cannot be read (Permission denied); make it readable, or move it away'
    with pytest.raises(DataError, match=re.escape(sentence)):
        as_images(tmp_path)
    assert as_images(tmp_path, unreadable='skip') == [str(tmp_path / 'a.png')] and said == [sentence]
    refused.add(str(tmp_path))
    with pytest.raises(DataError, match=r'cannot be read \(Permission denied\)'):
        as_images(tmp_path, unreadable='skip')


def test_files_that_are_passed_over_are_counted(tmp_path, monkeypatch):
    said = []
    monkeypatch.setattr(inputs, 'print_log', lambda text, **options: said.append(text))
    for name in ('a.png', '.hidden'):
        (tmp_path / name).touch()
    list_images(tmp_path)
    assert said == []
    for name in ('z.txt', 'notes.md', 'b.JP2'):
        (tmp_path / name).touch()
    assert len(list_images(tmp_path)) == 2
    assert len(said) == 1 and said[0].startswith(f'2 of 4 files in {tmp_path} are passed over, since their names')
    assert said[0].endswith(f'first {tmp_path}/notes.md')


@pytest.mark.parametrize('suffix', ['bmp', 'jfif', 'jp2', 'jpe', 'pgm', 'png', 'ppm', 'tif', 'webp'])
def test_what_is_listed_can_be_decoded(tmp_path, suffix):
    path = tmp_path / f'a.{suffix}'
    image = Image.fromarray(PIXELS).convert('L' if suffix == 'pgm' else 'RGB')
    image.save(path, format='JPEG' if suffix in ('jfif', 'jpe') else None)
    assert list_images(tmp_path) == [str(path)]
    assert LoadRemoteSensingImage()(dict(img_path=str(path)))['img'].shape == PIXELS.shape


def test_one_or_many(tmp_path):
    image = Image.fromarray(PIXELS)
    assert all(is_one(one) for one in ('a.png', tmp_path / 'a.png', PIXELS, PIXELS[..., 0], image))
    assert not is_one(str(tmp_path)) and not is_one([image]) and not is_one(PIXELS[None])
    assert len(as_images(np.stack([PIXELS] * 4))) == 4 and as_images((image, 'a.png'))[1] == 'a.png'


@pytest.mark.parametrize(
    ('images', 'words'),
    [
        ([], 'there are no images to search; give a folder or a list of images'),
        (7, 'images must be paths, arrays or PIL images, got int'),
        (['a.png', None], r'an image must be a path, an array \(H, W, C\) or a PIL image, got NoneType'),
    ],
)
def test_what_are_no_images(images, words):
    with pytest.raises(DataError, match=words):
        as_images(images)


@pytest.mark.parametrize(
    ('texts', 'words'),
    [
        ('', '1 of 1 texts are blank, first number 1; write a few words'),
        (['a ship', ' \n', ''], '2 of 3 texts are blank, first number 2'),
        ([], 'there are no texts; give at least one'),
        (3, 'texts must be a string or a list of strings, got 3'),
        (['a', b'b'], 'texts must be a string or a list of strings'),
    ],
)
def test_what_are_no_texts(texts, words):
    with pytest.raises(ConfigError, match=words):
        as_texts(texts)
    assert as_texts('a ship') == ['a ship'] and as_texts(('a', 'b')) == ['a', 'b']


# ---- the pipeline

RESIZE = dict(type='Resize', scale=(8, 8))
PACK = dict(type='PackRetrievalInputs')
TOKENS = dict(type='TokenizeCaptions', tokenizer=dict(type='WordTokenizer', context_length=5))


@pytest.fixture(params=['LoadRemoteSensingImage', 'LoadImageFromFile'])
def pipeline(request):
    return ImagePipeline(steps=[dict(type=request.param), RESIZE, TOKENS, PACK])


@pytest.fixture
def path(tmp_path):
    Image.fromarray(PIXELS).save(tmp_path / 'a.png')
    return str(tmp_path / 'a.png')


def test_paths_arrays_and_pil_give_one_input(pipeline, path):
    want = pipeline(path)
    assert want['inputs'].shape == (3, 8, 8) and len(want['data_samples'].caption_ids) == 0
    for image in (PIXELS[..., ::-1], Image.open(path), Image.fromarray(PIXELS)):
        np.testing.assert_array_equal(pipeline(image)['inputs'], want['inputs'])
        np.testing.assert_array_equal(pipeline.read(image), PIXELS)
    np.testing.assert_array_equal(pipeline.read(path), PIXELS)
    assert [step['type'] for step in pipeline.settings][1:] == ['Resize', 'PackRetrievalInputs']


def test_a_digest_is_of_the_content(pipeline, path, tmp_path):
    (tmp_path / 'b.png').write_bytes((tmp_path / 'a.png').read_bytes())
    assert pipeline.digest(path) == pipeline.digest(str(tmp_path / 'b.png')) and len(pipeline.digest(path)) == 32
    (tmp_path / 'b.png').write_bytes((tmp_path / 'a.png').read_bytes() + b'0')
    assert pipeline.digest(path) != pipeline.digest(str(tmp_path / 'b.png'))
    in_memory = {pipeline.digest(image) for image in (PIXELS[..., ::-1], Image.fromarray(PIXELS))}
    other = PIXELS.copy()
    other[0, 0, 0] ^= 1
    assert len(in_memory) == 1 and pipeline.digest(Image.fromarray(other)) not in in_memory


def test_unreadable_files(pipeline, path, tmp_path):
    broken = tmp_path / 'broken.png'
    broken.write_bytes(b'no image')
    with pytest.raises(DataError, match=r'image .*broken\.png'):
        pipeline(str(broken))
    for name, reason in (('none.png', 'No such file'), ('', 'Is a directory'), ('a\0b', 'null')):
        with pytest.raises(DataError, match=f'cannot be read .*{reason}'):
            pipeline.digest(f'{tmp_path}/{name}')


@pytest.mark.parametrize('deep', [False, True])
def test_what_the_loader_would_show_wrongly(tmp_path, deep):
    """A JPEG that ends early, which OpenCV before 5 pads, and a 12-bit file, which mmcv's loader shows black."""
    path = tmp_path / 'a.jpg'
    if deep:
        path.write_bytes(tiff_bytes(PIXELS.astype(np.uint16) * 12))
    else:
        Image.fromarray(PIXELS).save(path)
        path.write_bytes(path.read_bytes()[:-2])
    reason = 'TIFF of 3 bands of 16 bits, which LoadImageFromFile shows dark' if deep else 'the JPEG ends early'
    with pytest.raises(DataError, match=rf'image .*a\.jpg cannot be read \({reason}'):
        ImagePipeline(steps=[dict(type='LoadImageFromFile')]).read(str(path))
    ours = ImagePipeline(steps=[dict(type='LoadRemoteSensingImage')])
    if deep:
        assert abs(ours.read(str(path)).mean() - PIXELS.mean()) < 5
        return
    with pytest.raises(DataError, match=r'a\.jpg cannot be read \(the JPEG ends early'):
        ours.read(str(path))


def test_deep_arrays_are_never_black(pipeline):
    assert abs(pipeline.read(PIXELS[..., ::-1].astype(np.uint16) * 12).mean() - PIXELS.mean()) < 5


def test_a_full_disk_is_no_fault_of_an_image(tmp_path):
    Image.new('RGB', (4, 4)).save(tmp_path / 'a.png')
    pipeline = ImagePipeline(steps=[dict(type='LoadDecodedImage', folder=str(tmp_path / 'kept')), PACK])
    full = mock.patch.object(np, 'save', side_effect=OSError(28, 'No space left on device'))
    with full, pytest.raises(ConfigError, match='LoadDecodedImage: .*No space left on device'):
        pipeline(str(tmp_path / 'a.png'))


def test_pipelines_that_cannot_serve():
    with pytest.raises(ConfigError, match='reads no image files; begin it with LoadRemoteSensingImage'):
        ImagePipeline(steps=[RESIZE, PACK])
    with pytest.raises(DataError, match='an image in memory has no regions'):
        ImagePipeline(steps=[dict(type='LoadImageFromFile'), dict(type='LoadRegions', folder='x'), PACK])(PIXELS)
    with pytest.raises(ConfigError, match="array_order must be one of 'bgr', 'rgb', got 'gbr'"):
        ImagePipeline(steps=[dict(type='LoadImageFromFile')], array_order='gbr')
    with pytest.raises(ConfigError, match='has no TokenizeCaptions'):
        build_tokenizer([RESIZE])
