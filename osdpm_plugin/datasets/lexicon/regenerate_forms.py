"""remote_sensing.json -> forms.json: singular and plural of its nouns, and articles of its categories, by `inflect`.

Run it after a change of either rule or of the lexicon:

    python -m osdpm_plugin.datasets.lexicon.regenerate_forms
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from .words import FORMS_FILE, inflected_article, inflected_forms, split_words

LEXICON_FILE = Path(__file__).with_name('remote_sensing.json')


def shipped_forms() -> dict[str, dict[str, Any]]:
    """``forms``: last word of each surface form -> its spellings; ``articles``: name of each category -> article."""
    content = json.loads(LEXICON_FILE.read_text(encoding='utf-8'))
    listed = [*content['categories'], *(form for forms in content['categories'].values() for form in forms)]
    phrases = [form for form in (*listed, *content['ignored']) if not form.startswith('=')]
    nouns = sorted({split_words(phrase)[-1] for phrase in phrases})
    names = sorted(set(content['categories']) - set(content['mass_nouns']))
    return dict(
        forms={noun: inflected_forms(noun) for noun in nouns},
        articles={name: inflected_article(name) for name in names},
    )


if __name__ == '__main__':
    FORMS_FILE.write_text(json.dumps(shipped_forms(), indent=1) + '\n', encoding='utf-8')
