"""Labels as data sets spell them (``RailwayStation``, ``storage_tank``) -> categories of a lexicon, or their own."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable

from .lexicon import Lexicon

JOINED = {
    'agricultural': 'agricultural land',
    'annualcrop': 'annual crop field',
    'bareland': 'bare land',
    'baseballdiamond': 'baseball diamond',
    'baseballfield': 'baseball field',
    'denseresidential': 'dense residential area',
    'golfcourse': 'golf course',
    'harborport': 'harbor',
    'herbaceousvegetation': 'herbaceous vegetation',
    'mediumresidential': 'medium residential area',
    'mobilehomepark': 'mobile home park',
    'parking': 'parking lot',
    'parkinglot': 'parking lot',
    'permanentcrop': 'permanent crop field',
    'railwaystation': 'railway station',
    'sealake': 'sea or lake',
    'sparseresidential': 'sparse residential area',
    'storagetanks': 'storage tank',
    'tenniscourt': 'tennis court',
}
"""Classes of AID, RSICD, UC Merced, NWPU-RESISC45, MLRSNet and EuroSAT that are written without spaces, or are more
than their name says -> words. The key is the name in lower case without any separator."""

_BEFORE_CAPITAL = re.compile(r'(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])')


def words_of_label(label: str) -> str:
    """A label in lower-case words: by `JOINED`, else cut at capitals, underscores, hyphens and white space.

    Example:
        >>> [words_of_label(label) for label in ('denseresidential', 'RailwayStation', 'small-vehicle', 'Sea_Ice')]
        ['dense residential area', 'railway station', 'small vehicle', 'sea ice']
    """
    words = ' '.join(re.split(r'[\s_\-/&]+', _BEFORE_CAPITAL.sub(' ', label).strip().lower()))
    return JOINED.get(words.replace(' ', ''), words)


def categories_of_labels(labels: Iterable[str], lexicon: Lexicon) -> dict[str, str]:
    """The category of each label of a data set.

    A label that is a form of one of the lexicon's categories, in singular or plural, is that category. English labels
    find the categories of the shipped Chinese lexicon too. All others, and those that would share a category with
    another label of the set (the dense, medium and sparse residential areas of RSICD), are categories of their own,
    called by their words.

    Args:
        labels: all labels of a data set.
        lexicon: whose categories and forms count.

    Example:
        >>> categories_of_labels(['Airplane', 'quarry', 'DenseResidential', 'SparseResidential'], Lexicon.default())
        {'Airplane': 'plane', 'quarry': 'quarry', 'DenseResidential': 'dense residential area', \
'SparseResidential': 'sparse residential area'}
    """
    words = {label: words_of_label(label) for label in labels}
    forms, translated = lexicon.forms, _translations(lexicon)
    found = {text: forms.get(text) or translated.get(text) for text in words.values()}
    sharing: defaultdict[str, set[str]] = defaultdict(set)
    for text, category in found.items():
        sharing[category or text].add(text)
    alone = {text: category if category and len(sharing[category]) == 1 else text for text, category in found.items()}
    return {label: alone[text] for label, text in words.items()}


def _translations(lexicon: Lexicon) -> dict[str, str]:
    """English form -> category of the shipped Chinese lexicon, whose categories are in the order of the English one."""
    english, chinese = Lexicon.default(), 'remote_sensing_zh'
    if lexicon.spaces or lexicon.categories != Lexicon.from_file(chinese).categories:
        return {}
    names = dict(zip(english.categories, lexicon.categories))
    return {form: names[category] for form, category in english.forms.items()}
