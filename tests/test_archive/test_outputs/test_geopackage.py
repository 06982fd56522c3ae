"""GeoPackage and its style, by sqlite3, GDAL and an XML parser."""

import sqlite3
from contextlib import closing
from xml.etree import ElementTree

import geopandas
import pyogrio
import pytest

from osdpm_plugin.archive.hits import Hits
from osdpm_plugin.archive.outputs import write_hits
from osdpm_plugin.archive.outputs.qgis_style import style_by_score

from .hits import ATTRIBUTES, COLUMNS, CROSSING, NOTHING, ORDINARY, RESULTS

pytestmark = pytest.mark.filterwarnings('error')


@pytest.fixture(scope='module')
def package(tmp_path_factory):
    path = tmp_path_factory.mktemp('hits') / '结果 1.gpkg'
    write_hits(RESULTS, path)
    return path


def ask(path, question):
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(question).fetchall()


def classes_of(qml):
    root = ElementTree.fromstring(qml)
    renderer = root.find('renderer-v2')
    assert (root.tag, renderer.get('type'), renderer.get('attr')) == ('qgis', 'graduatedSymbol', 'score')
    symbols = {symbol.get('name') for symbol in renderer.iter('symbol') if symbol.get('type') == 'fill'}
    classes = renderer.findall('ranges/range')
    assert symbols == {one.get('symbol') for one in classes} == set('01234')
    return [(float(one.get('lower')), float(one.get('upper'))) for one in classes]


def test_gdal_reads_the_layer(package):
    info = pyogrio.read_info(package, layer='hits')
    assert info['crs'] == 'EPSG:4326' and info['geometry_type'] == 'MultiPolygon' and info['features'] == 3
    assert list(info['fields']) == [*COLUMNS, *ATTRIBUTES]
    frame = geopandas.read_file(package, layer='hits')
    assert frame['score'].tolist() == [0.75, 0.5, 0.25]
    assert frame['scene'].tolist() == ['港口-0123abcd', 'fiji-00000000', 'photo-11111111']
    assert frame['attr_score'][0] == 'good' and frame['省'][0] == '广东'
    assert frame.geometry[0].equals(ORDINARY.footprint) and frame.geometry[1].equals(CROSSING.footprint)
    assert frame.geometry[2] is None
    assert frame['datetime'][0].isoformat() == '2024-05-01T10:30:00+00:00' and frame['datetime'].isna()[2]


def test_tables(package):
    assert ask(package, 'pragma integrity_check') == [('ok',)]
    assert ask(package, 'pragma application_id') == [(0x47504B47,)]
    assert ask(package, 'select table_name, data_type, srs_id from gpkg_contents order by table_name') == [
        ('hits', 'features', 4326),
        ('layer_styles', 'attributes', 0),
    ]
    assert [(name, kind) for _, name, kind, *_ in ask(package, 'pragma table_info(layer_styles)')] == [
        ('id', 'INTEGER'),
        *((name, 'TEXT') for name in ('f_table_catalog', 'f_table_schema', 'f_table_name', 'f_geometry_column')),
        *((name, 'TEXT') for name in ('styleName', 'styleQML', 'styleSLD')),
        ('useAsDefault', 'BOOLEAN'),
        *((name, 'TEXT') for name in ('description', 'owner', 'ui')),
        ('update_time', 'DATETIME'),
    ]


def test_qgis_finds_a_default_style_in_five_classes(package):
    geometry = ask(package, "select column_name from gpkg_geometry_columns where table_name = 'hits'")[0][0]
    question = f"""select styleQML from layer_styles where f_table_catalog = '' and f_table_schema = ''
        and f_table_name = 'hits' and f_geometry_column = '{geometry}' and useAsDefault"""
    ((qml,),) = ask(package, question)
    classes = classes_of(qml)
    assert [lower for lower, _ in classes] == pytest.approx([0.25, 0.35, 0.45, 0.55, 0.65])
    assert [upper for _, upper in classes[:-1]] == [lower for lower, _ in classes[1:]]
    assert (classes[0][0], classes[-1][1]) == (0.25, 0.75)


def test_every_score_has_a_class():
    scores = [0.1234567890123, 0.1 + 0.2]
    classes = classes_of(style_by_score(*scores))
    assert all(any(lower <= score <= upper for lower, upper in classes) for score in scores)
    classes = classes_of(style_by_score(0.3, 0.3))
    assert [lower <= 0.3 <= upper for lower, upper in classes] == [False, False, True, False, False]


def test_no_hits(tmp_path):
    write_hits(NOTHING, tmp_path / 'hits.gpkg')
    info = pyogrio.read_info(tmp_path / 'hits.gpkg', layer='hits')
    assert (info['features'], info['geometry_type'], list(info['fields'])) == (0, 'MultiPolygon', COLUMNS)
    kinds = dict(zip(info['fields'], info['ogr_types']))
    assert [kinds[name] for name in ('query', 'rank', 'score', 'lon')] == [
        *('OFTString', 'OFTInteger', 'OFTReal', 'OFTReal')
    ]
    assert kinds['datetime'] == 'OFTDateTime'
    assert len(ask(tmp_path / 'hits.gpkg', 'select * from layer_styles')) == 1


def test_a_package_is_replaced(tmp_path, package):
    path = tmp_path / 'hits.gpkg'
    path.write_bytes(package.read_bytes())
    write_hits(Hits([ORDINARY]), path)
    assert ask(path, 'select count(*) from hits') == ask(path, 'select count(*) from layer_styles') == [(1,)]
    assert [file.name for file in tmp_path.iterdir()] == ['hits.gpkg']
