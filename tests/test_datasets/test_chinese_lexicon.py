"""The Chinese lexicon: hand-worked captions, an independent matcher as oracle, prompts, and who chooses it how."""

from __future__ import annotations

import json
import pickle
import re

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from osdpm_plugin.datasets.lexicon import Lexicon
from osdpm_plugin.datasets.lexicon.words import split_characters
from osdpm_plugin.datasets.transforms import CountObjects
from osdpm_plugin.errors import DataError
from osdpm_plugin.models.heads import OSFCMHead

CAPTIONS = [
    ('许多飞机停在机场的停机坪上', ('plane', 'airport', 'apron')),
    ('停机坪上没有东西', ('apron',)),
    ('飞机场旁边是机库', ('airport', 'hangar')),
    ('一架直升机停在直升机停机坪上。', ('helicopter', 'helipad')),
    ('航站楼前有一条长长的跑道', ('terminal', 'runway')),
    ('四个网球场和一个篮球场在停车场旁边', ('tennis court', 'basketball court', 'parking lot')),
    ('停车场里停着许多车', ('parking lot', 'car')),
    ('火车站旁边有一列火车和铁路', ('railway station', 'train', 'railway')),
    ('体育场中间有足球场，周围是红色塑胶跑道', ('stadium', 'football field', 'running track')),
    ('体育馆在操场对面', ('gymnasium', 'playground')),
    ('高尔夫球场上有几个沙坑', ('golf course', 'bunker')),
    ('棒球场、排球场和羽毛球场', ('baseball field', 'sports court')),
    ('一座大桥横跨在河上', ('bridge', 'river')),
    ('高架桥下面是道路，天桥在旁边', ('viaduct', 'road', 'overpass')),
    ('高速公路收费站', ('toll station',)),
    ('高速公路穿过农田和森林公园', ('highway', 'farmland', 'park')),
    ('雪白的沙滩紧挨着墨绿色的大海', ('beach', 'ocean')),
    ('海浪拍打着海边的礁石', ('wave', 'coast', 'rock')),
    ('自行车停在路边', ('road',)),
    ('水泥地面很平', ()),
    ('水库边上有一座大坝和水电站', ('lake', 'dam', 'power station')),
    ('工厂里有许多白色的储油罐和烟囱', ('factory', 'storage tank', 'chimney')),
    ('密集住宅区里有许多红色屋顶的房屋和绿树', ('residential area', 'roof', 'house', 'tree')),
    ('港口里有集装箱船和集装箱', ('port', 'ship', 'container')),
    ('渔船停靠在码头', ('ship', 'dock')),
    ('十字路口的斑马线', ('intersection',)),
    ('建筑工地上有两台塔吊和挖掘机', ('construction site', 'crane', 'truck')),
    ('太阳能电池板铺满了沙漠', ('solar panel', 'desert')),
    ('旧电池', ()),
    ('教堂在广场中心，旁边是学校', ('church', 'square', 'school')),
    ('游泳池旁边有度假村', ('swimming pool', 'resort')),
    ('水上公园和公园里的池塘', ('amusement park', 'park', 'pond')),
    ('河北的山上有积雪', ('mountain', 'snow')),
    ('Ｔ型路口旁边有公交车和货车', ('intersection', 'bus', 'truck')),
    ('飞机 停 在 机 场', ('plane', 'airport')),  # cut into words, or into characters
    ('飞机，场地', ('plane',)),  # punctuation ends a phrase
    ('飞机。场地', ('plane',)),
    ('一片红色和白色的东西', ()),
    ('', ()),
    ('many planes at the airport', ()),
]


@pytest.fixture(scope='module')
def chinese():
    return Lexicon.from_file('remote_sensing_zh')


@pytest.mark.parametrize(('caption', 'names'), CAPTIONS)
def test_find_hand_worked(chinese, caption, names):
    """Names are written in English: category o is the same in both lexicons."""
    translation = dict(zip(Lexicon.default().categories, chinese.categories))
    assert chinese.find(caption) == tuple(translation[name] for name in names)


def test_every_form_is_its_category_and_none_is_a_single_letter(chinese):
    assert len(chinese) == len(set(chinese.categories)) == len(Lexicon.default()) == 100
    assert not set(chinese.forms) & chinese.ignored
    for form, category in chinese.forms.items():
        assert chinese.find(form) == (category,), form
        assert re.fullmatch('[\u4e00-\u9fff]+|t[\u4e00-\u9fff]+', form), form
    for phrase in chinese.ignored:
        assert chinese.find(phrase) == ()


def naive_find(text, forms):
    """At each place the longest phrase, by a regular expression of all of them."""
    pattern = '|'.join(sorted(forms, key=len, reverse=True))
    return tuple(dict.fromkeys(forms[hit] for hit in re.findall(pattern, text) if forms[hit]))


@settings(deadline=None)
@given(data=st.data())
def test_find_equals_naive_matcher(data):
    lexicon = Lexicon.from_file('remote_sensing_zh')
    forms = {**lexicon.forms, **dict.fromkeys(lexicon.ignored)}
    parts = st.sampled_from(sorted(forms)) | st.sampled_from(sorted(set(''.join(forms)))) | st.sampled_from('许多的在')
    text = ''.join(data.draw(st.lists(parts, max_size=12)))
    assert lexicon.find(text) == naive_find(text, forms)
    assert lexicon.find(' '.join(text)) == lexicon.find(text)


def test_counts_prompts_and_digest(chinese):
    captions = ['飞机和飞机', '飞机在机场', '河']
    counts = chinese.count(captions)
    assert {chinese.categories[o]: int(counts[o]) for o in np.flatnonzero(counts)} == {'飞机': 2, '机场': 1, '河流': 1}
    prompts = chinese.prompts()
    assert len(set(prompts)) == 100 and prompts[Lexicon.default().categories.index('airport')] == '一幅机场的遥感图像'
    assert chinese.prompts('{name}')[:2] == chinese.prompts('{}')[:2] == ['树木', '森林']
    assert pickle.loads(pickle.dumps(chinese)).digest == chinese.digest
    other = Lexicon({'树': []}, spaces=False)
    assert len({other.digest, Lexicon({'树': []}).digest, Lexicon({'树': []}, prompt='{}').digest}) == 3


def test_the_english_lexicon_is_what_it_was():
    """Results that were recorded with it carry this digest."""
    assert Lexicon.default().digest == 'fb23e6ba66037fd013f320cfde9408cb10699836dab6d2d0f8b0f66b3dc78411'
    assert Lexicon.from_file('remote_sensing').digest == Lexicon.default().digest


def test_split_characters():
    assert split_characters('Ｔ型 路口，3 架A380。') == ['t', '型', '路', '口', '', '3', '架', 'a380', '']


def test_own_lexicon_without_spaces(tmp_path):
    content = dict(categories={'犬': ['子犬'], '猫': []}, ignored=['狂犬病'], spaces=False, prompt='{}の衛星写真')
    (tmp_path / 'ja.json').write_text(json.dumps(content))
    lexicon = Lexicon.from_file(tmp_path / 'ja.json')
    assert lexicon.find('子犬と猫') == ('犬', '猫') and lexicon.find('狂犬病') == ()
    assert lexicon.prompts() == ['犬の衛星写真', '猫の衛星写真']
    assert dict(lexicon.forms) == {'犬': '犬', '子犬': '犬', '猫': '猫'} and lexicon.ignored == {'狂犬病'}


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (dict(spaces='no'), "spaces must be true or false, got 'no'"),
        (dict(prompt='no place'), "prompt template 'no place' cannot take a category"),
        (dict(prompt=3), "'prompt' must be a string, got 3"),
        (dict(categories={'犬': ['子犬'], '猫': ['子犬']}, spaces=False), "'子犬' is listed for both '犬' and '猫'"),
        (dict(categories={'犬': ['子，犬']}, spaces=False), "'子，犬', which is not one phrase"),
    ],
)
def test_refused_files(tmp_path, change, message):
    (tmp_path / 'bad.json').write_text(json.dumps({'categories': {'犬': []}, **change}))
    with pytest.raises(DataError) as error:
        Lexicon.from_file(tmp_path / 'bad.json')
    assert message in str(error.value) and str(tmp_path / 'bad.json') in str(error.value)


def test_a_missing_file_names_the_shipped_ones(tmp_path):
    with pytest.raises(DataError, match=r'does not exist; .*remote_sensing, remote_sensing_zh'):
        Lexicon.from_file(tmp_path / 'none.json')


def test_head_and_counts_take_it_by_name(chinese):
    counted = CountObjects(lexicon='remote_sensing_zh')(dict(captions=['飞机在机场', '一片草地']))
    shares = dict(zip(chinese.categories, counted['object_counts'].tolist()))
    assert {name for name, share in shares.items() if share} == {'飞机', '机场', '草地'} and shares['飞机'] == 0.5
    words = dict(type='WordTokenizer', context_length=16)
    head = OSFCMHead(tokenizer=words, lexicon='remote_sensing_zh')
    tree = head.all_prompt_tokens[0]  # 一幅树木的遥感图像: nine characters, each a word
    assert (tree != 0).sum() == 9 and len(head.lexicon) == 100
    assert torch.equal(
        tree, OSFCMHead(tokenizer=words, lexicon='remote_sensing_zh', prompt='一幅{}的遥感图像').all_prompt_tokens[0]
    )


def test_chinese_captions_under_the_english_lexicon_name_the_remedy():
    head = OSFCMHead(tokenizer=dict(type='WordTokenizer'))
    frequency = torch.from_numpy(head.lexicon.count([caption for caption, _ in CAPTIONS[:30]])).float()
    with pytest.raises(Exception, match="fewer than two categories .*lexicon='remote_sensing_zh' if they are Chinese"):
        head.set_object_frequency(frequency)
