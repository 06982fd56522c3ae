"""Object lexicon: hand-worked captions, an independent matcher as oracle, files, errors, statistics, command line."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from osdpm_plugin.datasets.lexicon import Lexicon
from osdpm_plugin.datasets.lexicon.regenerate_forms import shipped_forms
from osdpm_plugin.datasets.lexicon.words import FORMS_FILE, noun_forms, split_words, with_article
from osdpm_plugin.errors import ConfigError, DataError

CAPTIONS = [
    # whole words only
    ('an airport', ('airport',)),
    ('a seaport beside a carport', ('port',)),
    ('a carpet of a parkway in carton colours', ()),
    ('treetops, boathouses and shipyards', ()),
    # a longer form uses its words up
    ('two tennis courts', ('tennis court',)),
    ('a tennis court and another court', ('tennis court', 'sports court')),
    ('a football field next to a field', ('football field', 'field')),
    ('the field is next to a football field', ('field', 'football field')),
    ('a park near a parking lot', ('park', 'parking lot')),
    ('parking lots are full', ('parking lot',)),
    ('a car park', ('parking lot',)),
    ('a mobile home park with mobile homes', ('mobile home park',)),
    ('the railway station is beside a railway', ('railway station', 'railway')),
    ('a station and a gas station', ('railway station', 'service area')),
    ('a thermal power station', ('power station',)),
    ('a power plant and green plants', ('power station', 'plant')),
    ('an industrial park', ('industrial area',)),
    ('a water park by the water', ('amusement park', 'water')),
    ('a ground track field and a running track', ('running track',)),
    ('railway tracks', ('railway',)),
    ('a sand beach with sand', ('beach', 'sand')),
    ('storage tanks and one tank', ('storage tank',)),
    ('an oil tanker and an oil tank', ('ship', 'storage tank')),
    ('a spring pool and a swimming pool', ('swimming pool',)),
    ('a water tower', ('tower',)),
    ('container ship, container crane, containers', ('ship', 'crane', 'container')),
    ('the residential area has residential buildings', ('residential area', 'building')),
    # verbs are no objects
    ('many planes are parked at the terminal', ('plane', 'terminal')),
    ('trees are planted around the house', ('tree', 'house')),
    ('cars park on the road', ('car', 'road')),
    ('boats docked here, ships dock there', ('ship',)),
    ('cars parking beside the roadside', ('car', 'road')),
    ('a walled, roofed and bridged place', ()),
    # adjectives and places are no objects
    ('a lot of trees and lots of cars', ('tree', 'car')),
    ('a square parking lot and a square building', ('parking lot', 'building')),
    ('a square shaped pond in a square', ('pond', 'square')),
    ('moss green plants', ('plant',)),
    ('a lake in the center of the park', ('lake', 'park')),
    ('a white center near a road', ('convention center', 'road')),
    ('flat ground with some red flats', ('building',)),
    ('tire tracks on the ground', ()),
    # synonyms
    ('airplanes, aircraft, aircrafts and aeroplanes', ('plane',)),
    ('a harbor is a harbour is a port', ('port',)),
    ('a boat, a ship and two yachts', ('ship',)),
    ('a freeway, a motorway and highways', ('highway',)),
    ('sea or ocean', ('ocean',)),
    ('bare land is bareland is bare-land', ('bare land',)),
    ('palm trees and coconut trees', ('tree',)),
    ('a villa and a cottage', ('house',)),
    ('a crossroads, a T-junction, two intersections', ('intersection',)),
    ('a play ground', ('playground',)),
    ('in the residential', ('residential area',)),
    ('baseball and football fields', ('baseball field', 'football field')),
    # irregular plurals
    ('wharves, ferries, buses, churches and factories', ('dock', 'ship', 'bus', 'church', 'factory')),
    # written together, hyphens, underscores, case, possessives
    ('footballfields', ('football field',)),
    ('Two Baseball_Fields, STORAGE-TANKS', ('baseball field', 'storage tank')),
    ("the pond's edge and the houses' roofs", ('pond', 'house', 'roof')),
    ('the water’s edge', ('water',)),
    # punctuation ends a phrase
    ('football, field', ('football field', 'field')),
    ('a car, park, road/bridge', ('car', 'park', 'road', 'bridge')),
    ('(bridge)', ('bridge',)),
    # order of first occurrence, each once
    ('a road with trees crosses a river; trees line the river and the road', ('road', 'tree', 'river')),
    # nothing
    ('', ()),
    (' . ', ()),
    ('it is white and brown', ()),
]

MISSPELLINGS = [
    ('beuildings', 'building'),
    ('buliding', 'building'),
    ('buildiings', 'building'),
    ('bridege', 'bridge'),
    ('brdige', 'bridge'),
    ('paking lot', 'parking lot'),
    ('parkinglot', 'parking lot'),
    ('prking lots', 'parking lot'),
    ('chuch', 'church'),
    ('churh', 'church'),
    ('containters', 'container'),
    ('foorball field', 'football field'),
    ('ground track filed', 'running track'),
    ('tennnis courts', 'tennis court'),
    ('termial', 'terminal'),
    ('tress', 'tree'),
    ('palnes', 'plane'),
    ('plamts', 'plant'),
    ('raods', 'road'),
    ('rouf', 'roof'),
    ('roofss', 'roof'),
    ('haighway', 'highway'),
    ('grassaland', 'grassland'),
    ('fotest', 'forest'),
    ('stadiun', 'stadium'),
    ('vally', 'valley'),
    ('habor', 'port'),
    ('redidential area', 'residential area'),
    ('formland', 'farmland'),
    ('industriala area', 'industrial area'),
    ('railwaystation', 'railway station'),
    ('denseresidential', 'residential area'),
    ('golf coursea', 'golf course'),
    ('blearchers', 'grandstand'),
    ('sqare', 'square'),
    ('pon', 'pond'),
]

# No word of any surface form.
NEUTRAL = ('many', 'white', 'beside', 'surrounded', 'some', 'parked', 'planted', 'near', 'beautiful', 'seven')


@pytest.fixture
def small():
    return Lexicon({'car': ['automobile'], 'parking lot': ['car park'], 'park': []})


@pytest.mark.parametrize(('caption', 'expected'), CAPTIONS)
def test_find_hand_worked(caption, expected):
    assert Lexicon.default().find(caption) == expected


@pytest.mark.parametrize(('misspelt', 'category'), MISSPELLINGS)
def test_find_misspellings(misspelt, category):
    assert Lexicon.default().find(f'there are some {misspelt} here') == (category,)


def test_default_is_sane():
    lexicon = Lexicon.default()
    assert len(lexicon) == len(lexicon.categories) == len(set(lexicon.categories)) == 100
    assert Lexicon.default() is lexicon
    assert not set(lexicon.forms) & lexicon.ignored
    for name in lexicon.categories:
        assert lexicon.find(name) == (name,), name
        for form in noun_forms(name.split()[-1])[:2]:  # itself and its plural
            assert lexicon.find(' '.join([*name.split()[:-1], form])) == (name,)
    words = {word for phrase in (*lexicon.forms, *lexicon.ignored) for word in phrase.split()}
    assert words.isdisjoint(NEUTRAL)


def naive_find(words, table):
    """The rule of matching in the plainest form: at each word try all phrases, long ones first."""
    found, position = [], 0
    phrases = sorted((tuple(phrase.split()) for phrase in table), key=len, reverse=True)
    while position < len(words):
        for phrase in phrases:
            if tuple(words[position : position + len(phrase)]) == phrase:
                found.append(table[' '.join(phrase)])
                position += len(phrase)
                break
        else:
            position += 1
    return tuple(dict.fromkeys(name for name in found if name is not None))


@settings(deadline=None)
@given(data=st.data())
def test_planted_forms_are_found(data):
    lexicon = Lexicon.default()
    planted = data.draw(st.lists(st.sampled_from(sorted(lexicon.forms)), max_size=8))
    neutral = st.lists(st.sampled_from(NEUTRAL), min_size=1, max_size=3)
    words = data.draw(neutral)
    for form in planted:
        words = [*words, *form.split(), *data.draw(neutral)]
    assert lexicon.find(' '.join(words)) == tuple(dict.fromkeys(lexicon.forms[form] for form in planted))


@settings(deadline=None)
@given(data=st.data())
def test_find_equals_naive_matcher(data):
    lexicon = Lexicon.default()
    table = {**lexicon.forms, **dict.fromkeys(lexicon.ignored)}
    seeds = {'park', 'parking', 'field', 'court', 'square', 'center', 'station', 'track', 'water', 'area', 'pool'}
    confusable = sorted(phrase for phrase in table if not seeds.isdisjoint(phrase.split()))
    parts = st.sampled_from(confusable) | st.sampled_from(sorted(set(' '.join(confusable).split())))
    text = ' '.join(data.draw(st.lists(parts | st.sampled_from(NEUTRAL), max_size=10)))
    confined = {phrase: name for phrase, name in table.items() if set(phrase.split()) <= set(text.split())}
    assert lexicon.find(text) == naive_find(text.split(), confined)


@settings(deadline=None)
@given(text=st.text() | st.text(alphabet="ab'’-_.,\u0301\u200dß İＡﬁ\ud800"))
def test_any_text_is_accepted(text):
    found = Lexicon.default().find(text)
    assert len(set(found)) == len(found)
    assert all(word == '' or word.isalnum() for word in split_words(text))


@settings(deadline=None)
@given(form=st.text(max_size=12))
def test_any_form_is_accepted_or_refused_in_words(form):
    try:
        lexicon = Lexicon({'thing': [form]})
    except DataError as error:
        assert 'not one phrase of words' in str(error)
    else:
        assert lexicon.find(form.lstrip('=') if form.startswith('=') else form) in [('thing',), ()]


def test_split_words():
    assert split_words("A Parking-Lot, the sea's (T_junction) 3 cars.") == [
        'a',
        'parking',
        'lot',
        '',
        'the',
        'sea',
        '',
        't',
        'junction',
        '',
        '3',
        'cars',
        '',
    ]


def test_noun_forms():
    assert noun_forms('bus')[:2] == ('bus', 'buses')
    assert set(noun_forms('wharves')) >= {'wharves', 'wharf'}
    assert noun_forms('aircraft') == ('aircraft',)
    assert noun_forms('umbrella') == ('umbrella', 'umbrellas')  # no noun of the shipped lexicon
    assert with_article('umbrella') == 'an umbrella' and with_article('big umbrella') == 'a big umbrella'


def test_shipped_forms_are_those_of_inflect():
    """Else: python -m osdpm_plugin.datasets.lexicon.regenerate_forms, and see what becomes of recorded results."""
    shipped = json.loads(FORMS_FILE.read_text())
    assert shipped == shipped_forms()
    assert shipped['forms']['bus'] == ['bus', 'buses', 'bu'] and shipped['articles']['airport'] == 'an'
    assert len(shipped['articles']) == 100 - 7


def test_the_shipped_lexicon_needs_no_inflect():
    code = (
        'import sys\n'
        'from osdpm_plugin.datasets.lexicon import Lexicon\n'
        'prompts = Lexicon.default().prompts()\n'
        "assert prompts[0] == 'a remote sensing image of a tree', prompts\n"
        "assert 'inflect' not in sys.modules\n"
        "assert len(Lexicon({'umbrella': []}).forms) == 2 and 'inflect' in sys.modules\n"
    )
    subprocess.run([sys.executable, '-c', code], check=True)


def test_count_hand_worked(small):
    captions = ['a car beside cars and an automobile', 'a car', 'a car', 'cars in car parks', 'nothing', 'Park. Car.']
    counts = small.count(captions)
    assert counts.dtype == np.int64
    assert counts.tolist() == [5, 1, 1]
    assert small.count(tuple(captions)).tolist() == [5, 1, 1]
    assert np.array([small.count([caption]) for caption in captions]).tolist() == [
        [1, 0, 0],
        [1, 0, 0],
        [1, 0, 0],
        [1, 1, 0],
        [0, 0, 0],
        [1, 0, 1],
    ]
    assert small.count([]).tolist() == [0, 0, 0]
    assert captions[0] == 'a car beside cars and an automobile'


def test_ignored_is_counted_nowhere_and_is_no_false_index():
    lexicon = Lexicon({'center': [], 'road': []}, ignored=['center of'])
    assert lexicon.find('a road in the center of a center') == ('road', 'center')
    assert lexicon.count(['the center of nothing']).tolist() == [0, 0]


@pytest.mark.parametrize('captions', ['one string', [3], [None], [['a car']]])
def test_count_refuses_other_than_strings(small, captions):
    with pytest.raises(TypeError):
        small.count(captions)


def test_find_refuses_other_than_strings(small):
    with pytest.raises(TypeError, match='must be a string'):
        small.find(None)


def test_listed_forms_win_over_derived_ones():
    lexicon = Lexicon({'glass': [], 'spectacles': ['glasses']})
    assert lexicon.find('glasses') == ('spectacles',)
    assert lexicon.find('a glass') == ('glass',)


def test_exact_forms_have_no_other_spellings():
    lexicon = Lexicon({'apartment': ['=flats', '=tall block']})
    assert lexicon.find('two flats') == ('apartment',)
    assert lexicon.find('flat tall blocks, a tallblock') == ()
    assert lexicon.find('a tall block') == ('apartment',)


def test_prompts():
    lexicon = Lexicon({'tree': [], 'airport': [], 'farmland': []}, mass_nouns=['farmland'])
    assert lexicon.prompts() == [
        'a remote sensing image of a tree',
        'a remote sensing image of an airport',
        'a remote sensing image of farmland',
    ]
    assert lexicon.prompts('{name} seen from above') == [
        'tree seen from above',
        'airport seen from above',
        'farmland seen from above',
    ]
    prompts = Lexicon.default().prompts()
    assert len(set(prompts)) == len(Lexicon.default())
    assert {'a remote sensing image of an island', 'a remote sensing image of bare land'} <= set(prompts)


@pytest.mark.parametrize('template', ['no place', '{} {}', '{category}', '{', '{name.x}', '{0[1]}'])
def test_prompts_refuse_other_templates(template):
    with pytest.raises(ConfigError, match='prompt template'):
        Lexicon({'tree': []}).prompts(template)


def test_digest_depends_on_content_alone():
    base = Lexicon({'car': ['automobile', 'van'], 'road': ['street']})
    assert len(base.digest) == 64
    same = [
        Lexicon({'car': ['van', 'automobile'], 'road': ['street']}),
        Lexicon({'car': ['van', 'automobile', 'van', 'Van'], 'road': ['street']}, name='other'),
        pickle.loads(pickle.dumps(base)),
    ]
    assert {lexicon.digest for lexicon in same} == {base.digest}
    other = [
        Lexicon({'car': ['automobile'], 'road': ['street']}),
        Lexicon({'road': ['street'], 'car': ['automobile', 'van']}),
        Lexicon({'car': ['automobile', 'van'], 'way': ['road', 'street']}),
        Lexicon({'car': ['automobile', 'van', 'street'], 'road': []}),
        Lexicon({'car': ['automobile', 'van'], 'road': ['street']}, ignored=['road sign']),
        Lexicon({'car': ['automobile', 'van'], 'road': ['street']}, mass_nouns=['road']),
    ]
    assert len({lexicon.digest for lexicon in [base, *other]}) == 1 + len(other)


def test_forms_and_repr(small):
    assert small.forms['carpark'] == 'parking lot'
    assert small.forms['automobiles'] == 'car'
    with pytest.raises(TypeError):
        small.forms['lorry'] = 'car'
    assert repr(small).startswith("Lexicon(name='custom', categories=3, forms=")


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (dict(categories={}), 'at least one'),
        (dict(categories=['tree']), 'must be a mapping'),
        (dict(categories={'tree': 'palm'}), "category 'tree' must have a list of strings"),
        (dict(categories={'tree': [3]}), "category 'tree' must have a list of strings, got the element 3"),
        (dict(categories={'tree': None}), "category 'tree' must have a list"),
        (dict(categories={3: []}), 'category 3 must be a string'),
        (dict(categories={'tree': ['--']}), "category 'tree' has the form '--'"),
        (dict(categories={'': []}), "category '' has the form ''"),
        (dict(categories={'tree': ['palm, pine']}), "'palm, pine', which is not one phrase"),
        (dict(categories={'car': ['van'], 'truck': ['Van']}), "'van' is listed for both 'car' and 'truck'"),
        (dict(categories={'car': [], 'vehicle': ['car']}), "'car' is listed for both 'car' and 'vehicle'"),
        (dict(categories={'car': []}, ignored=['car']), "'car' is listed for both 'car' and ignored"),
        (dict(categories={'axis': [], 'axe': []}), "'axes' is a singular, plural or joined spelling"),
        (dict(categories={'tree': []}, mass_nouns=['sand']), "'sand', which is no category"),
        (dict(categories={'tree': []}, ignored='car'), 'ignored must have a list of strings'),
    ],
)
def test_refused_content(arguments, message):
    with pytest.raises(DataError) as error:
        Lexicon(**arguments)
    assert message in str(error.value)
    assert '\n' not in str(error.value)


def test_from_file(tmp_path):
    path = tmp_path / 'mine.json'
    content = dict(categories={'dog': ['puppy'], 'snow': []}, ignored=['hot dog'], mass_nouns=['snow'])
    path.write_text(json.dumps(content))
    lexicon = Lexicon.from_file(str(path))
    assert lexicon.categories == ('dog', 'snow')
    assert lexicon.find('puppies in the snow with hot dogs') == ('dog', 'snow')
    assert lexicon.find('a hot dog') == ()
    assert lexicon.prompts('{}') == ['a dog', 'snow']
    assert "name='mine'" in repr(lexicon)
    assert lexicon.digest == Lexicon(**content).digest
    path.write_bytes(b'\xef\xbb\xbf' + path.read_bytes())
    assert Lexicon.from_file(path).digest == lexicon.digest


@pytest.mark.parametrize(
    ('text', 'messages'),
    [
        ('{', ['is not JSON', 'correct it']),
        ('[]', ["lacks the key 'categories'", 'the layout is']),
        ('{"tree": ["palm"]}', ["lacks the key 'categories'"]),
        ('{"categories": ["tree"]}', ["lacks the key 'categories' with a mapping"]),
        ('{"categories": {"tree": []}, "ignore": []}', ["unknown key 'ignore'"]),
        ('{"categories": {"tree": []}, "name": 3}', ["'name' must be a string"]),
        ('{"categories": {"tree": "palm"}}', ["category 'tree' must have a list"]),
        (
            '{"categories": {"car": ["van"], "truck": ["van"]}}',
            ["'van' is listed for both 'car' and 'truck'", 'keep it'],
        ),
        ('{"categories": {"car": [], "car": ["van"]}}', ["the key 'car' occurs twice", 'merge']),
        ('{"categories": {}}', ['at least one']),
        ('[' * 100_000, ['is not JSON']),
    ],
)
def test_bad_file(tmp_path, text, messages):
    path = tmp_path / 'bad.json'
    path.write_text(text)
    with pytest.raises(DataError) as error:
        Lexicon.from_file(path)
    for message in [str(path), *messages]:
        assert message in str(error.value)


def test_missing_and_unreadable_file(tmp_path):
    with pytest.raises(DataError, match='does not exist; correct the path'):
        Lexicon.from_file(tmp_path / 'none.json')
    with pytest.raises(DataError, match='cannot be read'):
        Lexicon.from_file(tmp_path)
    (tmp_path / 'binary.json').write_bytes(b'\xff\xfe\x00')
    with pytest.raises(DataError, match='UTF-8'):
        Lexicon.from_file(tmp_path / 'binary.json')
