"""STAC catalogues, collections, items and item collections -> scenes; what a stranger's may not do."""

from __future__ import annotations

import json
import os
from datetime import datetime, timezone

import pystac
import pytest

from osdpm_plugin.archive import remote
from osdpm_plugin.archive.sources import file_signature, find_sources, stac
from osdpm_plugin.archive.sources import stac_files as files_of_stac
from osdpm_plugin.errors import DataError
from tests.helpers.http_server import serve
from tests.helpers.rasters import noise, write_raster

TIFF = 'image/tiff; application=geotiff; profile=cloud-optimized'
DATE = datetime(2021, 3, 12, 4, 5, 6, tzinfo=timezone.utc)


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch):
    monkeypatch.setattr(remote, 'PAUSES', (0.01, 0.01))


def item(name='a', href='./a.tif', assets=None, **properties):
    """The JSON of an item."""
    return dict(
        type='Feature',
        stac_version='1.0.0',
        id=name,
        geometry=None,
        properties={'datetime': '2021-03-12T12:05:06+08:00', **properties},
        links=[],
        assets=assets or {'image': dict(href=href, type=TIFF, roles=['data'])},
    )


def catalogue(*links, **fields):
    """The JSON of a catalogue with links as (relation, href)."""
    links = [dict(rel=rel, href=href) for rel, href in links]
    return dict(dict(type='Catalog', stac_version='1.0.0', id='c', description='d', links=links), **fields)


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), 'utf-8')
    return path


@pytest.fixture
def scene(tmp_path):
    return write_raster(tmp_path / 'stac' / 'a.tif', noise(1, 8, 8))


def failures(path):
    """Reasons, of a catalogue that names no scene that can be read beside one that can."""
    good = write_raster(path.parent.parent / 'good.tif', noise(1, 8, 8))
    found = find_sources([path, good])
    assert [source.address for source in found.sources] == [str(good)]
    assert all('\n' not in reason for _, reason in found.failures)
    return [reason for _, reason in found.failures]


# ---- what they say


def test_an_item(scene):
    content = item(
        platform='GF-2', gsd=0.8, **{'eo:cloud_cover': 10.0, 'a=b': 'x', 'proj:shape': [8, 8], 'clear': True}
    )
    content['collection'] = 'spring'
    found = find_sources([write(scene.parent / 'a.json', content)])
    assert found.failures == []
    (source,) = found.sources
    assert source.address == str(scene) and source.signature == file_signature(str(scene)) and source.datetime == DATE
    assert source.attributes == {
        'platform': 'GF-2',
        'gsd': '0.8',
        'eo:cloud_cover': '10',
        'clear': 'true',
        'collection': 'spring',
        'item': 'a',
    }


def test_start_of_an_interval(scene):
    content = item(datetime=None, start_datetime='2021-03-12T04:05:06Z', end_datetime='2021-03-13T00:00:00Z')
    assert find_sources([write(scene.parent / 'a.json', content)]).sources[0].datetime == DATE


def test_a_catalogue_that_pystac_writes(tmp_path):
    """Catalogue, collection and two items in folders of their own."""
    root = pystac.Catalog('root', 'r')
    extent = pystac.Extent(pystac.SpatialExtent([[0, 0, 1, 1]]), pystac.TemporalExtent([[DATE, None]]))
    spring = pystac.Collection('spring', 's', extent)
    root.add_child(spring)
    for name in ('x', 'y 影'):
        file = write_raster(tmp_path / 'stac' / 'images' / f'{name}.tif', noise(1, 8, 8))
        one = pystac.Item(name, None, None, DATE, dict(platform=name))
        one.add_asset('image', pystac.Asset(str(file), media_type=pystac.MediaType.COG, roles=['data']))
        spring.add_item(one)
    root.normalize_hrefs(str(tmp_path / 'stac'))
    root.make_all_asset_hrefs_relative()
    root.save(pystac.CatalogType.SELF_CONTAINED)
    found = find_sources([tmp_path / 'stac' / 'catalog.json'])
    assert found.failures == []
    assert [(os.path.basename(s.address), s.datetime, dict(s.attributes)) for s in found.sources] == [
        (f'{name}.tif', DATE, dict(platform=name, collection='spring', item=name)) for name in ('x', 'y 影')
    ]


def test_a_collection_of_items_in_one_file(scene):
    write_raster(scene.parent / 'b c.tif', noise(1, 8, 8))
    content = dict(type='FeatureCollection', features=[item(), item('b', 'b%20c.tif'), item('none', 'none.tif'), {}, 7])
    found = find_sources([write(scene.parent / 'items.geojson', content)])
    assert [source.attributes['item'] for source in found.sources] == ['a', 'b']
    assert [reason.split(' (')[0] for _, reason in found.failures] == [
        'its item None is no STAC item',
        'it cannot be found',
    ]


def test_what_is_known_of_a_scene_is_kept_if_its_file_is_named_too(scene):
    path = write(scene.parent / 'a.json', item(platform='GF-2'))
    for arguments in ([path, scene], [scene, path], [scene.parent, path]):
        (source,) = find_sources(arguments).sources
        assert source.datetime == DATE and source.attributes['platform'] == 'GF-2'


def test_order_of_trust(scene):
    path = write(scene.parent / 'a.json', item(platform='GF-2', gsd=1))
    table = scene.parent / 'table.csv'
    table.write_text('scene,datetime,platform\na.tif,2019-01-01,GF-1\n')
    (source,) = find_sources([path], attributes=table, date_pattern='%Y').sources
    assert source.datetime.year == 2019 and source.attributes['platform'] == 'GF-1' and source.attributes['gsd'] == '1'
    table.write_text('scene,datetime,platform\na.tif,,\n')
    (source,) = find_sources([path], attributes=table, date_pattern='%Y').sources
    assert source.datetime == DATE and source.attributes['platform'] == 'GF-2'


# ---- which asset


def asset(href='a.tif', kind=TIFF, *roles):
    return dict(href=href, type=kind, roles=list(roles))


@pytest.mark.parametrize(
    'assets',
    [
        {'B4': asset('x.tif', TIFF, 'data'), 'rgb': asset('a.tif', TIFF, 'visual'), 'B3': asset('x.tif', TIFF, 'data')},
        {'B4': asset('x.tif', TIFF, 'data'), 'visual': asset('a.tif', TIFF, 'overview')},
        {'jp2': asset('x.jp2', 'image/jp2', 'visual'), 'tiff': asset('a.tif', TIFF, 'visual')},
        {'jpeg': asset('x.jpg', 'image/jpeg', 'data'), 'tiff': asset('a.tif', TIFF, 'data')},
        {
            'thumb': asset('x.png', 'image/png', 'thumbnail'),
            'm': asset('x.xml', 'text/xml', 'data'),
            'i': asset('a.tif'),
        },
        {'image': dict(href='a.tif', type='IMAGE/TIFF')},
    ],
)
def test_the_image_that_is_to_be_seen(scene, assets):
    found = find_sources([write(scene.parent / 'a.json', item(assets=assets))])
    assert [source.address for source in found.sources] == [str(scene)]


def test_bands_in_files_of_their_own(scene):
    assets = {name: asset(f'{name}.tif', TIFF, 'data') for name in ('B02', 'B03', 'B04')}
    (reason,) = failures(write(scene.parent / 'a.json', item(assets=assets)))
    assert reason == (
        "its item 'a': its image is in 3 files ('B02, B03, B04') and none is visual; join the bands first: "
        'gdalbuildvrt -separate all.vrt RED GREEN BLUE, gdal_translate all.vrt scene.tif, and name that'
    )


def test_no_image(scene):
    assets = {'thumb': asset('a.png', 'image/png', 'thumbnail'), 'text': asset('a.txt', 'text/plain', 'data')}
    (reason,) = failures(write(scene.parent / 'a.json', item(assets=assets)))
    assert reason == "its item 'a': no asset of it has the role visual or data and is a TIFF, JPEG 2000, PNG or JPEG"


# ---- the web


@pytest.fixture
def site(scene):
    folder = scene.parent
    write(folder / 'catalog.json', catalogue(('child', 'sub/collection.json')))
    write(
        folder / 'sub' / 'collection.json', catalogue(('item', '../item.json'), ('item', './b.json'), type='Collection')
    )
    write(folder / 'item.json', item())
    write(folder / 'sub' / 'b.json', item('b', './b.tif'))
    write_raster(folder / 'sub' / 'b.tif', noise(1, 8, 8))
    with serve(folder) as served:
        yield served


@pytest.mark.parametrize('fault', [None, 'busy', 'reset', 'slow'])
def test_a_catalogue_of_the_web(site, fault):
    site.fault = lambda number, method, path: fault if number % 3 == 1 else None
    found = find_sources([site.url('catalog.json')])
    assert [source.address for source in found.sources] == [site.url('a.tif'), site.url('sub/b.tif')]
    assert found.failures == [] and found.sources[0].datetime == DATE


def test_pages_of_a_search(site):
    page = dict(type='FeatureCollection', features=[item('a')], links=[dict(rel='next', href='search2?x=1')])
    write(site.folder / 'search', page)
    post = dict(rel='next', href='search', method='POST', body={})
    write(site.folder / 'search2', dict(page, features=[item('b', 'sub/b.tif')], links=[post]))
    site.types[''] = 'application/geo+json'
    found = find_sources([site.url('search')])
    assert [source.attributes['item'] for source in found.sources] == ['a', 'b']
    assert found.failures == [
        (
            site.url('search2?x=1'),
            'it has further pages, which its server gives by POST alone; save all items in a file',
        )
    ]


def test_a_local_catalogue_may_name_the_web(site, tmp_path):
    path = write(tmp_path / 'x' / 'a.json', catalogue(('item', site.url('item.json'))))
    assert [source.address for source in find_sources([path]).sources] == [site.url('a.tif')]


def test_a_document_that_is_not_there(site):
    write(site.folder / 'catalog.json', catalogue(('item', 'item.json'), ('item', 'gone.json')))
    found = find_sources([site.url('catalog.json')])
    assert len(found.sources) == 1 and found.failures == [(site.url('gone.json'), 'its server answers 404 (Not Found)')]


# ---- strangers


@pytest.mark.parametrize('way', ['absolute', 'above', 'file', 'link', 'folder link', 'escaped'])
@pytest.mark.parametrize('what', ['asset', 'item', 'child'])
def test_no_file_outside_of_a_local_catalogue(scene, tmp_path, way, what):
    outside = write_raster(tmp_path / 'outside' / 'secret.tif', noise(1, 8, 8))
    if what != 'asset':
        outside = write(tmp_path / 'outside' / 'secret.json', item('secret', str(scene)))
    (scene.parent / 'link').symlink_to(outside)
    (scene.parent / 'folder').symlink_to(outside.parent)
    href = {
        'absolute': str(outside),
        'above': f'../outside/{outside.name}',
        'file': outside.as_uri(),
        'link': './link',
        'folder link': f'folder/{outside.name}',
        'escaped': f'%2e%2e/outside/{outside.name}',
    }[way]
    content = item(href=href) if what == 'asset' else catalogue((what, href))
    (reason,) = failures(write(scene.parent / 'a.json', content))
    assert reason.endswith(f'lies outside of the folder of the catalogue, {scene.parent}; name the file itself')


def test_a_file_address_inside_is_read(scene):
    (source,) = find_sources([write(scene.parent / 'a.json', item(href=scene.as_uri()))]).sources
    assert source.address == str(scene)


@pytest.mark.parametrize(
    'href', ['ftp://a/b.tif', 's3://a/b.tif', '/vsizip//a.zip/b.tif', '/vsicurl/file:///etc/passwd', 'a\0.tif', '']
)
def test_other_schemes(scene, href):
    (reason,) = failures(write(scene.parent / 'a.json', item(href=href)))
    assert 'is not read: only http(s) addresses and files beside a local catalogue are' in reason


@pytest.mark.parametrize('href', ['file:///etc/passwd', 's3://a/b.tif', 'ftp://a/b.tif'])
def test_a_catalogue_of_the_web_names_the_web_alone(site, tmp_path, href):
    write(site.folder / 'item.json', item(href=href))
    good = write_raster(tmp_path / 'good.tif', noise(1, 8, 8))
    found = find_sources([site.url('item.json'), good])
    assert len(found.sources) == 1
    assert 'is not read: only http(s) addresses' in found.failures[0].reason


def test_an_absolute_path_is_one_of_the_server(site):
    write(site.folder / 'item.json', item(href='/etc/passwd'))
    with pytest.raises(DataError, match=f'{site.url("etc/passwd")}: its server answers 404'):
        find_sources([site.url('item.json')])


def test_circles_end(scene):
    write(scene.parent / 'a.json', catalogue(('child', 'b.json'), ('child', 'a.json'), ('item', 'i.json')))
    write(scene.parent / 'b.json', catalogue(('child', './a.json'), ('child', 'sub/../a.json'), ('item', 'i.json')))
    write(scene.parent / 'i.json', item())
    found = find_sources([scene.parent / 'a.json'])
    assert len(found.sources) == 1 and found.failures == []


def test_depth_and_number_of_documents_are_bounded(scene, monkeypatch):
    for i in range(50):
        write(scene.parent / f'{i}.json', catalogue(('child', f'{i + 1}.json')))
    (reason,) = failures(scene.parent / '0.json')
    assert reason == 'its catalogues lie more than 32 deep; name a part of it'
    monkeypatch.setattr(stac, 'MOST_DOCUMENTS', 10)
    (reason,) = failures(scene.parent / '0.json')
    assert reason == 'it has more than 10 documents; name parts of it'


DEEP = 200_000


@pytest.mark.parametrize(
    'text, reason',
    [
        ('', 'it is no JSON that can be read'),
        ('\ufeff\ufeff{', 'it is no JSON that can be read'),
        ('[' * DEEP + ']' * DEEP, 'it is no JSON that can be read'),
        ('{"type": "Feature", "a": ' + '[' * 900 + ']' * 900 + '}', 'is no STAC item'),
        ('[1, 2]', 'it is no STAC catalogue'),
        ('"Feature"', 'it is no STAC catalogue'),
        ('{"type": "Topology"}', 'it is no STAC catalogue'),
        ('{"type": ["Feature"]}', 'it is no STAC catalogue'),
        ('{"type": "Feature"}', 'its item None is no STAC item'),
        ('{"type": "Feature", "id": ' + '1' * 5000 + '}', 'it is no JSON that can be read'),
        (json.dumps({**item(), 'properties': None}), "its item 'a' is no STAC item"),
        (json.dumps({**item(), 'assets': {'x': 7}}), "its item 'a' is no STAC item"),
        (json.dumps({**item(), 'assets': [7]}), "its item 'a' is no STAC item"),
        (json.dumps({**item(), 'links': 7}), "its item 'a' is no STAC item"),
        (json.dumps({**item(), 'id': 'x' * 10_000, 'assets': None}), 'xxx.*no STAC item'),
        (json.dumps(item(datetime='spring')), "its item 'a' is no STAC item"),
        (json.dumps(item(datetime=7)), "its item 'a' is no STAC item"),
        (json.dumps(item(datetime='0001-01-01T00:00:00+23:00')), "its item 'a' is no STAC item"),
        (json.dumps(item(assets={'image': dict(href=7, type=TIFF)})), "its item 'a'"),
        (json.dumps(item(assets={'image': dict(href='a.tif', type=7)})), "its item 'a'"),
        (json.dumps(item(assets={'image': dict(href='a.tif', type=TIFF, roles=7)})), "its item 'a'"),
    ],
)
def test_documents_that_are_none(scene, text, reason):
    path = scene.parent / 'a.json'
    path.write_text(text, 'utf-8')
    good = write_raster(scene.parent.parent / 'good.tif', noise(1, 8, 8))
    ((_, found),) = find_sources([path, good]).failures
    assert found.startswith(reason) or reason in found or 'no STAC item' in found
    assert '\n' not in found and len(found) < 600


def test_links_that_are_none_name_nothing(scene):
    content = catalogue()
    content['links'] = [
        7,
        None,
        {},
        dict(rel='item'),
        dict(rel=['item'], href='x'),
        dict(rel='self', href='/etc/passwd'),
    ]
    found = find_sources([write(scene.parent / 'a.json', content), scene])
    assert len(found.sources) == 1 and len(found.failures) == 1
    for links in (7, None, {'rel': 'item'}):
        assert find_sources([write(scene.parent / 'a.json', catalogue(links=links)), scene]).failures == []


def test_large_documents(scene, monkeypatch):
    monkeypatch.setattr(files_of_stac, 'MOST_BYTES', 1000)
    path = write(scene.parent / 'a.json', item(note='x' * 1000))
    assert failures(path) == ['it has more than 1000 bytes']
    with serve(scene.parent) as served, pytest.raises(DataError, match='it has more than 1000 bytes'):
        find_sources([served.url('a.json')])


def test_many_and_long_properties(scene):
    properties = {f'p{i}': i for i in range(1000)}
    path = write(scene.parent / 'a.json', item(long='x' * 201, short='x' * 200, nan=float('nan'), **properties))
    (source,) = find_sources([path]).sources
    assert len(source.attributes) == 100 and source.attributes['item'] == 'a' and 'long' not in source.attributes


def test_a_pipe_is_not_waited_for(scene):
    os.mkfifo(scene.parent / 'pipe.json')
    write(scene.parent / 'a.json', catalogue(('item', 'pipe.json')))
    assert failures(scene.parent / 'a.json') == ['it is no file']
