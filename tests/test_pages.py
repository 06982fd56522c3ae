"""Pages: every link and path leads somewhere, names and numbers agree, README_zh-CN.md keeps in step with README.md."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path

import mmengine.registry
import pytest

import osdpm_plugin.search  # noqa: F401  (registers the inferencer too)
from tests.helpers.paths import CONFIGS, ROOT, TOOLS

FOLDERS = ('.github', 'configs', 'osdpm_plugin', 'tests', 'tools')
PAGES = sorted([*ROOT.glob('*.md'), *(page for folder in FOLDERS for page in (ROOT / folder).rglob('*.md'))])
NOT_COMMITTED = {'configs/results', 'results/', 'weights/'}  # paths that a page may name before they are there
CROSS_LINKS = '[简体中文](README_zh-CN.md)', '[English](README.md)'  # third line of README.md, of README_zh-CN.md

FENCE = re.compile(r'^```[^\n]*\n.*?^```$', re.MULTILINE | re.DOTALL)
LINK = re.compile(r'(!?)\[[^\]]*\]\(([^)\s]+)\)')
ADDRESS = re.compile(r'https?://[!-{}~]*[A-Za-z0-9/_]')  # no full stop, no |
CODE_SPAN = re.compile(r'`([^`]+)`')
PATH = re.compile(r'(?<![\w./-])(?:configs|osdpm_plugin|tests|tools)/[\w./*-]*[\w/*]')
FILE = re.compile(r'[\w./*-]+(?:\.py|\.sh|/)')
HEADING = re.compile(r'^(#{1,6}) (.+)$', re.MULTILINE)
NUMBER = re.compile(r'(?<![\w.])[+\-−±]?\d+(?:\.\d+)*', re.ASCII)  # ASCII, so that it may follow a Chinese character
CHINESE = re.compile(r'[\u4e00-\u9fff]')


def read(page: Path) -> str:
    return page.read_text(encoding='utf-8')


def anchors(text: str) -> set[str]:
    """Of the headings of a page, as GitHub makes them."""
    headings = (heading.lower() for _, heading in HEADING.findall(FENCE.sub('', text)))
    return {re.sub(r'[^\w\- ]', '', heading).replace(' ', '-') for heading in headings}


def dead_links(page: Path, text: str) -> list[str]:
    """Targets of relative links that are no file, or no heading of a file."""
    dead = []
    for _, target in LINK.findall(FENCE.sub('', text)):
        path, _, anchor = target.partition('#')
        file = page.parent / path if path else page
        if not ADDRESS.match(target) and not (file.exists() and (not anchor or anchor in anchors(read(file)))):
            dead.append(target)
    return dead


def missing_paths(page: Path, text: str) -> list[str]:
    """Paths from the root of the repository, and scripts and folders in code spans, that are not there.

    A code span may also name what lies anywhere below the folder of its page, or below the package for pages on top.
    """
    text = ADDRESS.sub('', LINK.sub('', text))
    spans = {span for span in CODE_SPAN.findall(FENCE.sub('', text)) if FILE.fullmatch(span)}
    named = ({*PATH.findall(text)} | spans) - NOT_COMMITTED
    below = ROOT / 'osdpm_plugin' if page.parent in (ROOT, ROOT / '.github') else page.parent
    return sorted(path for path in named if not any(ROOT.glob(path)) and not any(below.rglob(path)))


@pytest.mark.parametrize('page', PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_and_paths_lead_somewhere(page):
    assert dead_links(page, read(page)) == []
    assert missing_paths(page, read(page)) == []


def test_what_leads_nowhere_is_found():
    page = CONFIGS / 'README.md'
    text = '[a](none.md) [b](README.md#none) [c](README.md#names) [d](#names) [e](https://x.org/none.md)\n## Names\n'
    assert dead_links(page, text) == ['none.md', 'README.md#none']
    text = '`trials/` `none.py` `_base_/*.py`\n```bash\npython tools/train.py configs/none.py configs/osdpm_*.py\n```\n'
    assert missing_paths(page, text) == ['configs/none.py', 'none.py']


def test_readme_is_short():
    assert len(read(ROOT / 'README.md').splitlines()) <= 220


MEASURED = re.compile(
    r'\d+\.\d+( ± \d+\.\d+)?|[+-]\d+\.\d+ \[[+-]\d+\.\d+, [+-]\d+\.\d+\]'
)  # mean and deviation of several seeds, or interval


def test_readme_has_the_numbers_of_the_results_page():
    """Whose tables are made from result files (see test_experiments); a dash is not measured yet."""
    table = read(ROOT / 'README.md').partition('\n## Results\n')[2].partition('\n\n|')[2].partition('\n\n')[0]
    rows = [[cell.strip() for cell in line.strip('|').split('|')] for line in table.splitlines()[2:]]
    assert len(rows) == 3
    for *_, theirs, ours, difference, seeds in rows:
        for cell in (theirs, ours, difference):
            assert cell == '–' or (MEASURED.fullmatch(cell) and cell in read(CONFIGS / 'README.md'))
        assert seeds == '–' or seeds.isdigit()


def test_every_component_is_in_the_table():
    table = read(CONFIGS / 'README.md').partition('| registered names |')[2].partition('\n\n')[0]
    registries = [getattr(mmengine.registry, name) for name in mmengine.registry.__all__ if name.isupper()]
    registered = {
        name
        for registry in registries
        if isinstance(registry, mmengine.registry.Registry)
        for name, component in registry.module_dict.items()
        if component.__module__.startswith('osdpm_plugin.') and '.lab.' not in component.__module__
    }
    assert set(CODE_SPAN.findall(table)) == registered


def test_every_tool_and_room_has_its_line():
    spans = CODE_SPAN.findall(read(TOOLS / 'README.md'))
    scripts = [path for path in TOOLS.rglob('*') if path.suffix in ('.py', '.sh')]
    assert [path.name for path in scripts if path.relative_to(TOOLS).as_posix() not in spans] == []
    package = ROOT / 'osdpm_plugin'
    rooms = [path.parent.name for path in package.glob('*/__init__.py')]
    assert [room for room in rooms if f'[`{room}/`]({room})' not in read(package / 'README.md')] == []


def sections(text: str) -> Iterator[tuple[str, str]]:
    """-> (heading, body without code blocks) of each section, the title's first."""
    parts = HEADING.split(FENCE.sub('', text))
    yield from zip(parts[1::3], (f'{title}\n{body}' for title, body in zip(parts[2::3], parts[3::3])))


def links(body: str) -> list[str]:
    """-> targets of images (with !) and links, and bare addresses."""
    return [image + target for image, target in LINK.findall(body)] + ADDRESS.findall(LINK.sub('', body))


def code_spans(body: str) -> list[str]:
    return [' '.join(span.split()) for span in CODE_SPAN.findall(body)]


def numbers(body: str) -> list[str]:
    """-> numerals with sign and decimals, apart from those inside a name such as MiniLM-L6."""
    return NUMBER.findall(body)


def out_of_step(english: str, chinese: str) -> set[str]:
    """-> in what the two differ, section by section."""
    found = {'blocks'} if FENCE.findall(english) != FENCE.findall(chinese) else set()
    for text, link in zip((english, chinese), CROSS_LINKS):
        found |= {'cross link'} if text.splitlines()[1:3] != ['', link] else set()
    english, chinese = english.replace(CROSS_LINKS[0], ''), chinese.replace(CROSS_LINKS[1], '')
    for (level, one), (other_level, other) in zip_longest(sections(english), sections(chinese), fillvalue=('', '')):
        found |= {'headings'} if level != other_level else set()
        found |= {'language'} if not CHINESE.search(other.partition('\n')[2]) else set()
        for kind in (links, code_spans, numbers):
            found |= {kind.__name__} if Counter(kind(one)) != Counter(kind(other)) else set()
    return found


def test_translation_is_in_step():
    assert out_of_step(*(read(ROOT / name) for name in ('README.md', 'README_zh-CN.md'))) == set()


@pytest.mark.parametrize(
    'difference, old, new',
    [
        ('cross link', '[English](README.md)', '[English](README.md) '),
        ('headings', '## 工作原理', '### 工作原理'),
        ('blocks', '# frozen CLIP', '# 冻结的 CLIP'),
        ('links', 'configs/README.md#regimes', 'configs/README.md'),
        ('links', '![程序化场景', '[程序化场景'),
        ('links', 'AMFMN/tree/master/RSITMD', 'AMFMN'),
        ('code_spans', '`--unreadable raise`', '`raise`'),
        ('numbers', '绘制 2400', '绘制 2401'),
    ],
)
def test_a_step_missed_is_found(difference, old, new):
    english, chinese = (read(ROOT / name) for name in ('README.md', 'README_zh-CN.md'))
    assert chinese.count(old) >= 1 and out_of_step(english, chinese.replace(old, new, 1)) == {difference}


def test_english_text_is_no_translation():
    english = read(ROOT / 'README.md')
    assert out_of_step(english, english.replace(*CROSS_LINKS)) == {'language'}
