"""Image files of every kind -> three 8-bit bands: stretches by hand, mmcv as oracle, damaged files found."""

import io
import sys

import cv2
import numpy as np
import pytest
from mmcv.transforms import LoadImageFromFile
from PIL import Image

from osdpm_plugin.datasets.images.band_stretch import choose_bands, to_uint8
from osdpm_plugin.datasets.images.image_files import read_raster
from osdpm_plugin.datasets.images.tiff_files import read_tiff, tiff_layout
from osdpm_plugin.datasets.sets.image_check import check_images
from osdpm_plugin.datasets.transforms.mmcv_loader import check_file, why_refused
from osdpm_plugin.errors import ConfigError, DataError
from osdpm_plugin.registry import TRANSFORMS
from tests.helpers.generated_data import tiff_bytes

LOAD = dict(type='LoadRemoteSensingImage')


def random(bands, kind=np.uint8, high=200, size=(10, 7)):
    return np.random.default_rng(bands).integers(0, high, (*size, bands)).astype(kind)


def load(path, **options):
    return TRANSFORMS.build(dict(**LOAD, **options))(dict(img_path=str(path)))


def test_minmax_by_hand():
    """(v - 10) / (210 - 10) * 255: 110 is 127.5 and becomes 128; each band by itself; one value becomes 0."""
    image = np.array([[[10, 5], [110, 5], [210, 5], [60, 5]]], dtype=np.uint16)
    assert to_uint8(image, 'minmax').tolist() == [[[0, 0], [128, 0], [255, 0], [64, 0]]]
    assert to_uint8(image.astype(np.float32), 'minmax').tolist() == to_uint8(image, 'minmax').tolist()
    assert to_uint8(image.astype(np.int16) - 100, 'minmax').tolist() == to_uint8(image, 'minmax').tolist()


def test_percentile_by_hand():
    """Of 0 .. 100 the 2nd percentile is 2 and the 98th is 98: 0 and 2 become 0, 50 the middle, 98 and 100 255."""
    image = np.arange(101, dtype=np.uint16).reshape(1, 101, 1)
    out = to_uint8(image, 'percentile')[0, :, 0]
    assert [out[i] for i in (0, 2, 3, 50, 97, 98, 100)] == [0, 0, 3, 128, 252, 255, 255]
    with_outlier = np.append(image, [[[65535]]], axis=1)
    assert to_uint8(with_outlier, 'percentile')[0, 50, 0] > 120 and to_uint8(with_outlier, 'minmax')[0, 50, 0] == 0


def test_percentile_of_small_objects_on_empty_ground():
    """198 of 200 values are 7, and so both percentiles: the two others are not lost."""
    image = np.full((10, 20, 1), 7, np.uint16)
    image[0, :2, 0] = 107, 207
    out = to_uint8(image, 'percentile')
    assert out[0, :3, 0].tolist() == [128, 255, 0]
    np.testing.assert_array_equal(out, to_uint8(image, 'minmax'))


def test_no_stretch_keeps_the_upper_bits():
    image = np.array([[[0], [255], [256], [32768], [65535]]], dtype=np.uint16)
    assert to_uint8(image, 'none').ravel().tolist() == [0, 0, 1, 128, 255]
    with pytest.raises(DataError, match="its values are float32, which has no natural range; choose stretch='perc"):
        to_uint8(image.astype(np.float32), 'none')


def test_eight_bits_are_never_stretched():
    image = random(3, high=50)
    assert all(to_uint8(image, stretch) is image for stretch in ('none', 'minmax', 'percentile'))
    assert to_uint8(np.array([[[True], [False]]]), 'none').ravel().tolist() == [255, 0]


def test_values_that_are_not_finite_take_no_part():
    image = np.array([[[np.nan], [1.0], [3.0], [np.inf], [2.0], [-np.inf]]], dtype=np.float32)
    assert to_uint8(image, 'minmax').ravel().tolist() == [0, 0, 255, 0, 128, 0]
    assert not to_uint8(np.full((2, 2, 1), np.nan), 'percentile').any()


def test_choice_of_bands():
    image = np.arange(5).reshape(1, 1, 5)
    assert choose_bands(image, None).tolist() == [[[0, 1, 2]]]
    assert choose_bands(image, (3, 2, 1)).tolist() == [[[3, 2, 1]]]
    assert choose_bands(image[..., :1], None).tolist() == [[[0, 0, 0]]]
    assert choose_bands(image[..., :2], (0, 1, 0)).tolist() == [[[0, 1, 0]]]
    with pytest.raises(DataError, match=r'it has 2 bands; say which are red'):
        choose_bands(image[..., :2], None)
    with pytest.raises(DataError, match=r'it has 5 bands, numbered from 0, so bands=\(5, 0, 1\) cannot be taken'):
        choose_bands(image, (5, 0, 1))


@pytest.mark.parametrize('suffix', ['.jpg', '.png', '.webp', '.tif', '.bmp'])
@pytest.mark.parametrize('mode', ['RGB', 'L', 'RGBA', 'P'])
def test_ordinary_images_equal_mmcv(tmp_path, suffix, mode):
    """The same pixels as LoadImageFromFile, so that one can stand for the other."""
    if suffix == '.jpg' and mode in ('RGBA', 'P') or (suffix, mode) == ('.tif', 'RGBA'):
        pytest.skip('no such file, or see test_alpha_is_left_out')
    path = tmp_path / f'a{suffix}'
    smooth = np.add.outer(np.arange(40), np.arange(30))[..., None] * [1, 2, 3] % 256
    Image.fromarray(smooth.astype(np.uint8)).convert(mode).save(path)
    ours, theirs = load(path), LoadImageFromFile()(dict(img_path=str(path)))
    np.testing.assert_array_equal(ours['img'], theirs['img'])
    assert ours['img'].dtype == np.uint8 and ours['img'].flags.c_contiguous
    assert ours['img_shape'] == theirs['img_shape'] == ours['ori_shape'] == (40, 30)
    check_images([str(path)], 'decode')


def test_orientation_of_exif_as_in_mmcv(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(random(3, size=(16, 24))).save(tmp_path / 'a.jpg', exif=exif)
    theirs = LoadImageFromFile()(dict(img_path=str(tmp_path / 'a.jpg')))['img']
    assert theirs.shape == (24, 16, 3)
    np.testing.assert_array_equal(load(tmp_path / 'a.jpg')['img'], theirs)


@pytest.mark.parametrize('kind', [np.uint8, np.uint16])
@pytest.mark.parametrize('bands', [1, 3, 4])
@pytest.mark.parametrize('deflate', [False, True])
def test_tiff_without_tifffile(tmp_path, monkeypatch, kind, bands, deflate):
    """Grey, colour, and colour with infrared, 8 and 16 bits, pixel by pixel: nothing more is needed."""
    monkeypatch.setitem(sys.modules, 'tifffile', None)
    image = random(bands, kind, high=np.iinfo(kind).max)
    content = tiff_bytes(image, deflate=deflate)
    np.testing.assert_array_equal(read_raster(content).bands, image)
    (tmp_path / 'a.tif').write_bytes(content)
    rgb = image.repeat(3, axis=2) if bands == 1 else image[..., :3]
    expected = rgb if kind == np.uint8 else (rgb >> 8).astype(np.uint8)
    np.testing.assert_array_equal(load(tmp_path / 'a.tif', stretch='none')['img'], expected[..., ::-1])
    check_images([str(tmp_path / 'a.tif')], 'decode')
    if bands == 4:
        nir = load(tmp_path / 'a.tif', bands=[3, 0, 1], stretch='none')['img']
        np.testing.assert_array_equal(nir[..., 2], image[..., 3] if kind == np.uint8 else image[..., 3] >> 8)


def test_sixteen_bit_png(tmp_path):
    image = random(3, np.uint16, high=65535)
    cv2.imwrite(str(tmp_path / 'a.png'), image[..., ::-1])
    np.testing.assert_array_equal(read_raster((tmp_path / 'a.png').read_bytes()).bands, image)
    np.testing.assert_array_equal(load(tmp_path / 'a.png', stretch='minmax')['img'][..., 0].max(), 255)
    check_images([str(tmp_path / 'a.png')], 'decode')


@pytest.mark.parametrize('bands', [1, 3, 4])
def test_orientation_of_sixteen_bit_png(tmp_path, bands):
    """As that of 8 bits; transparency is left out."""
    image = random(bands, np.uint16, high=65535, size=(4, 6))
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new('L', (1, 1)).save(tmp_path / 'tiny.png', exif=exif)
    tiny = (tmp_path / 'tiny.png').read_bytes()
    place = tiny.index(b'eXIf') - 4
    chunk = tiny[place : place + 12 + int.from_bytes(tiny[place : place + 4], 'big')]
    plain = cv2.imencode('.png', image if bands == 1 else image[..., [2, 1, 0, 3][:bands]])[1].tobytes()
    eight = cv2.imencode('.png', np.zeros((4, 6, 3), np.uint8))[1].tobytes()
    header = 33  # bytes of signature and header chunk
    turned = read_raster(plain[:header] + chunk + plain[header:]).bands
    if read_raster(eight[:header] + chunk + eight[header:]).bands.shape == (4, 6, 3):
        pytest.skip('versions of OpenCV differ in whether a PNG file may be turned')
    np.testing.assert_array_equal(turned, np.rot90(image[..., :3], -1))


def test_inks_become_colours(tmp_path):
    """CMYK, 0 is no ink: by Pillow's own conversion; 16 bits of ink are refused."""
    colours = Image.fromarray(random(3))
    colours.convert('CMYK').save(tmp_path / 'a.tif')
    expected = np.asarray(colours)
    assert np.abs(load(tmp_path / 'a.tif')['img'][..., ::-1].astype(int) - expected).max() <= 1
    check_images([str(tmp_path / 'a.tif')], 'decode')
    with pytest.raises(DataError, match='TIFF of printing inks of 4 bands of 16 bits cannot be read; save it as RGB'):
        read_raster(tiff_bytes(random(4, np.uint16), photometric=5))


@pytest.mark.parametrize(
    'options',
    [
        dict(image=random(2)),
        dict(image=random(3), photometric=1),
        dict(image=random(3, np.uint16), planar=2),
        dict(image=random(4), extra=[2]),
        dict(image=random(5)),
        dict(image=random(13, np.uint16), planar=2, photometric=1),
        dict(image=random(13, np.float32), photometric=1),
        dict(image=random(3, np.int16)),
        dict(image=random(1, np.float32)),
    ],
)
@pytest.mark.parametrize('deflate', [False, True])
def test_tiff_with_tifffile(tmp_path, monkeypatch, options, deflate):
    """Layouts that OpenCV would read wrongly or not at all: read rightly, or refused with the remedy."""
    content = tiff_bytes(**options, deflate=deflate)
    (tmp_path / 'a.tif').write_bytes(content)
    with monkeypatch.context() as without:
        without.setitem(sys.modules, 'tifffile', None)
        with pytest.raises(
            DataError,
            match=r'a\.tif cannot be read \(TIFF of \d+ bands of \d+ bits is read by tifffile, .* pip install',
        ):
            load(tmp_path / 'a.tif')
        with pytest.raises(DataError, match='1 of 1 images cannot be decoded, first .*a.tif .*pip install tifffile'):
            check_images([str(tmp_path / 'a.tif')], 'decode')
    pytest.importorskip('tifffile', reason='TIFF of these layouts takes tifffile')
    np.testing.assert_array_equal(read_tiff(content).bands, options['image'])
    bands = (1, 0, 1) if options['image'].shape[2] == 2 else None
    assert load(tmp_path / 'a.tif', bands=bands)['img'].shape == (10, 7, 3)
    check_images([str(tmp_path / 'a.tif')], 'decode')


def test_alpha_is_left_out(tmp_path):
    """A TIFF with alpha keeps its colours; OpenCV alone would multiply them by it."""
    pytest.importorskip('tifffile', reason='TIFF with alpha takes tifffile')
    image = random(4)
    Image.fromarray(image, 'RGBA').save(tmp_path / 'a.tif')
    assert tiff_layout((tmp_path / 'a.tif').read_bytes()).alpha
    np.testing.assert_array_equal(load(tmp_path / 'a.tif')['img'], image[..., 2::-1])


def test_two_bands_need_a_choice(tmp_path):
    pytest.importorskip('tifffile', reason='TIFF of two bands takes tifffile')
    (tmp_path / 'sar.tif').write_bytes(tiff_bytes(random(2, np.float32)))
    with pytest.raises(DataError, match=r'image .*sar.tif: it has 2 bands; say which are red, green and blue'):
        load(tmp_path / 'sar.tif')


def test_bilevel_tiff(tmp_path):
    mask = random(1)[..., 0] > 100
    Image.fromarray(mask).save(tmp_path / 'a.tif')
    np.testing.assert_array_equal(load(tmp_path / 'a.tif')['img'][..., 1], mask * np.uint8(255))


def damaged():
    """name -> bytes of a file that breaks off or is no image."""
    files = {
        'text.jpg': b'<html>404</html>',
        'empty.png': b'',
        'tags.tif': b'II*\0\x08\0\0\0\xff\xff',
        'a.tif': b'MM\0*',
    }
    pixels = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    for suffix in ('JPEG', 'PNG', 'WEBP', 'TIFF'):
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, suffix)
        files[f'half.{suffix.lower()}'] = buffer.getvalue()[: len(buffer.getvalue()) // 2]
    for name, image in (('deep', pixels.astype(np.uint16)), ('infrared', np.dstack([pixels, pixels[..., 0]]))):
        content = cv2.imencode('.tif', image, [cv2.IMWRITE_TIFF_COMPRESSION, 1])[1].tobytes()
        files[f'{name}.tif'] = content[: len(content) // 2]
    return files


@pytest.mark.parametrize('name', sorted(damaged()))
def test_damaged_files_are_found_at_start_up(tmp_path, name):
    (tmp_path / name).write_bytes(damaged()[name])
    with pytest.raises(DataError, match=rf'1 of 1 images cannot be decoded, first .*{name} \(.+\); replace'):
        check_images([str(tmp_path / name)], 'decode')


@pytest.mark.parametrize('name', ['text.jpg', 'empty.png', 'tags.tif', 'a.tif', 'half.tiff', 'deep.tif'])
def test_damaged_files_name_themselves_in_the_pipeline(tmp_path, name):
    (tmp_path / name).write_bytes(damaged()[name])
    with pytest.raises(DataError, match=f'image .*{name} cannot be read ') as raised:
        load(tmp_path / name)
    assert '\n' not in str(raised.value)


def jpeg_with_preview(pixels):
    """A JPEG whose EXIF segment holds another whole JPEG."""
    small, large = (io.BytesIO(), io.BytesIO())
    Image.fromarray(pixels[:8, :8]).save(small, 'JPEG')
    Image.fromarray(pixels).save(large, 'JPEG')
    segment = b'Exif\0\0' + small.getvalue()
    return b'\xff\xd8\xff\xe1' + (len(segment) + 2).to_bytes(2, 'big') + segment + large.getvalue()[2:]


@pytest.mark.parametrize('share', [0.5, 0.999])
def test_a_jpeg_must_end(share, monkeypatch):
    """Whatever OpenCV makes of it; what follows the end, and the end of a preview, do not count."""
    content = jpeg_with_preview(random(3, size=(64, 64)))
    monkeypatch.setattr(cv2, 'imdecode', lambda content, flag: np.zeros((64, 64, 3), np.uint8))
    for whole in (content, content + b'\0', content + b'\0\xff\xda and a film'):
        assert read_raster(whole).bands.shape == (64, 64, 3)
    with pytest.raises(DataError, match='the JPEG ends early'):
        read_raster(content[: int(share * len(content))])


@pytest.mark.parametrize('loader', [None, 'LoadImageFromFile', 'LoadRemoteSensingImage'])
@pytest.mark.parametrize('suffix', ['.jpg', '.png'])
def test_large_images_are_no_bombs(tmp_path, monkeypatch, loader, suffix):
    path = tmp_path / f'a{suffix}'
    Image.fromarray(random(3, size=(64, 64))).save(path)
    monkeypatch.setattr(Image, 'MAX_IMAGE_PIXELS', 100)
    check_images([str(path)], 'decode', load=loader and TRANSFORMS.build(dict(type=loader)))


DEEP = dict(
    twelve=(tiff_bytes(random(3, np.uint16, high=4000)), 'TIFF of 3 bands of 16 bits'),
    signed=(tiff_bytes(random(3, np.int16)), 'TIFF of 3 bands of 16 bits'),
    real=(tiff_bytes(random(1, np.float32)), 'TIFF of 1 bands of 32 bits'),
    infrared=(tiff_bytes(random(4), extra=[2]), 'TIFF of 4 bands of 8 bits'),
    many=(tiff_bytes(random(13, np.uint16), photometric=1), 'TIFF of 13 bands of 16 bits'),
    png=(cv2.imencode('.png', random(3, np.uint16))[1].tobytes(), 'PNG of 16 bits'),
)


@pytest.mark.parametrize('name', DEEP)
def test_deep_images_and_loader_of_mmcv(tmp_path, name):
    """Which would show them black, or shuffled, without a word: refused at start-up and when they are loaded."""
    content, what = DEEP[name]
    (tmp_path / 'a.tif').write_bytes(content)
    path = str(tmp_path / 'a.tif')
    refused = rf"{what}, which LoadImageFromFile shows dark or wrong; write dict\(type='LoadRemoteSensingImage'\)"
    for check in (lambda: check_images([path], 'decode', load=LoadImageFromFile()),
                  lambda: check_file(LoadImageFromFile(), path)):  # fmt: skip
        with pytest.raises(DataError, match=refused):
            check()
    assert why_refused(LoadImageFromFile(color_type='unchanged'), content) is None
    assert why_refused(LoadImageFromFile(imdecode_backend='tifffile'), content) is None
    assert why_refused(TRANSFORMS.build(LOAD), content) is None
    if what.startswith('PNG') or pytest.importorskip('tifffile'):
        check_images([path], 'decode', load=TRANSFORMS.build(LOAD))
        assert load(path)['img'].max() == 255 or name == 'infrared'


def test_ordinary_tiff_and_loader_of_mmcv(tmp_path):
    """Colour, grey and bilevel of 8 bits at most are what they are."""
    for image in (random(3), random(1)[..., 0], random(1)[..., 0] > 100):
        Image.fromarray(image).save(tmp_path / 'a.tif')
        check_images([str(tmp_path / 'a.tif')], 'decode', load=LoadImageFromFile())


def test_start_up_asks_what_the_loader_can(tmp_path):
    """Formats that Pillow alone reads, and bands that the file has not."""
    Image.fromarray(random(3)).save(tmp_path / 'a.tga')
    for options in (None, LOAD, dict(type='LoadImageFromFile')):
        with pytest.raises(DataError, match='1 of 1 images cannot be decoded'):
            check_images([str(tmp_path / 'a.tga')], 'decode', load=options and TRANSFORMS.build(options))
    (tmp_path / 'a.tif').write_bytes(tiff_bytes(random(3)))
    with pytest.raises(DataError, match=r'it has 3 bands, numbered from 0, so bands=\(3, 2, 1\) cannot be taken'):
        check_images([str(tmp_path / 'a.tif')], 'decode', load=TRANSFORMS.build(dict(**LOAD, bands=(3, 2, 1))))


def test_a_data_set_asks_its_own_loader(tmp_path):
    from osdpm_plugin.registry import DATASETS

    (tmp_path / 'a.tif').write_bytes(DEEP['twelve'][0])
    (tmp_path / 'a.csv').write_text('filename,caption\na.tif,a park\n')
    settings = dict(type='CaptionDataset', data_root=str(tmp_path), ann_file='a.csv')
    assert len(DATASETS.build(dict(**settings, pipeline=[LOAD]))) == 1
    with pytest.raises(DataError, match='which LoadImageFromFile shows dark or wrong'):
        DATASETS.build(dict(**settings, pipeline=[dict(type='LoadImageFromFile')]))


def test_absent_files(tmp_path):
    with pytest.raises(DataError, match=r'image .*none.jpg cannot be read'):
        load(tmp_path / 'none.jpg')
    with pytest.raises(DataError, match='2 of 2 images are missing'):
        check_images([str(tmp_path / ('x' * 5000)), str(tmp_path / 'none.jpg')], 'exists')


@pytest.mark.parametrize(
    'options', [dict(bands=(0, 1)), dict(bands=(0, 1, -1)), dict(bands=(0, 1, True)), dict(stretch='linear')]
)
def test_arguments_out_of_range(options):
    with pytest.raises(ConfigError, match=f'LoadRemoteSensingImage: {next(iter(options))} must be'):
        TRANSFORMS.build(dict(**LOAD, **options))


def test_in_a_data_set_and_its_pipeline(tmp_path):
    """Own 16-bit images with near infrared, described by a CSV file, reach the end of the pipeline."""
    image = random(4, np.uint16, high=4000, size=(20, 24))
    (tmp_path / 'a.tif').write_bytes(tiff_bytes(image))
    (tmp_path / 'a.csv').write_text('filename,caption\na.tif,a park\n')
    from osdpm_plugin.registry import DATASETS

    pipeline = [
        dict(**LOAD, bands=[3, 2, 1], stretch='minmax'),
        dict(type='Resize', scale=(24, 20)),
        dict(type='TokenizeCaptions', tokenizer=dict(type='OpenCLIPTokenizer', model='ViT-B-32')),
        dict(type='PackRetrievalInputs'),
    ]
    data = DATASETS.build(dict(type='CaptionDataset', data_root=str(tmp_path), ann_file='a.csv', pipeline=pipeline))
    red = data[0]['inputs'][2].numpy()
    np.testing.assert_array_equal(red, to_uint8(image[..., 3:], 'minmax')[..., 0])
