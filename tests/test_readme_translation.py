"""README.md and README_zh-CN.md -> the same structure, commands, links, tables and numbers, section by section."""

from __future__ import annotations

import re
from collections import Counter
from itertools import zip_longest
from typing import Iterator, NamedTuple

import pytest

from tests.helpers.paths import ROOT

CROSS_LINKS = '[简体中文](README_zh-CN.md)', '[English](README.md)'  # third line of README.md, of README_zh-CN.md

HEADING = re.compile(r'(#{1,6}) (.+)')
BLOCK = re.compile(
    r'^(?P<fence>`{3,})(?P<language>[^`\n]*)\n(?P<content>.*?)^(?P=fence)[ ]*$'
    r'|^<!-- table:(?P<table>\S+) -->\n(?P<rows>.*?)^<!-- /table:(?P=table) -->$',
    re.MULTILINE | re.DOTALL,
)
TARGET = re.compile(r'(!?)\[[^\]]*\]\(([^)\s]+)\)|(https?://[!-{}~]*[A-Za-z0-9/_])')  # bare: no full stop, no |
CODE_SPAN = re.compile(r'`([^`]+)`')
NUMBER = re.compile(r'(?<![\w.])[+\-−±]?\d+(?:\.\d+)*', re.ASCII)  # ASCII, so that it may follow a Chinese character
CHINESE = re.compile(r'[\u4e00-\u9fff]')


class Section(NamedTuple):
    """From one heading to the next; ``prose`` begins with the heading's text and holds neither code nor made tables."""

    level: int
    prose: str


def blocks(text: str) -> list[tuple[str, str, str]]:
    """-> (kind, language or name, content) of every fenced code block and every table between markers, in order."""
    return [
        ('code', found['language'], found['content']) if found['fence'] else ('table', found['table'], found['rows'])
        for found in BLOCK.finditer(text)
    ]


def sections(text: str) -> list[Section]:
    """-> the sections in order; what stands before the first heading has level 0."""
    found = [Section(0, '')]
    for line in BLOCK.sub('', text).splitlines():
        heading = HEADING.fullmatch(line)
        if heading:
            found.append(Section(len(heading[1]), heading[2]))
        else:
            found[-1] = found[-1]._replace(prose=f'{found[-1].prose}\n{line}')
    return found if found[0].prose.strip() else found[1:]


def pairs(english: str, chinese: str) -> Iterator[tuple[str, str]]:
    """-> prose of the sections that stand at the same place; empty where one file has fewer."""
    for one, other in zip_longest(sections(english), sections(chinese), fillvalue=Section(0, '')):
        yield one.prose, other.prose


def targets(prose: str) -> Counter:
    """-> targets of images (with !), of links and bare addresses, apart from the links between the two files."""
    for link in CROSS_LINKS:
        prose = prose.replace(link, '')
    return Counter(image + (target or address) for image, target, address in TARGET.findall(prose))


def code_spans(prose: str) -> Counter:
    """-> inline code, line breaks in it read as blanks."""
    return Counter(' '.join(span.split()) for span in CODE_SPAN.findall(prose))


def numbers(prose: str) -> Counter:
    """-> numerals with sign and decimals, apart from those inside a name such as MiniLM-L6 or RN50."""
    return Counter(NUMBER.findall(prose))


def differences(kind, english: str, chinese: str) -> list[str]:
    """-> a line for each section in which the two files differ in ``kind``, a function of prose."""
    found = []
    for one, other in pairs(english, chinese):
        one_counts, other_counts = kind(one), kind(other)
        if one_counts != other_counts:
            only = f'only English {dict(one_counts - other_counts)}, only Chinese {dict(other_counts - one_counts)}'
            found.append(f'{one.splitlines()[:1]}: {only}')
    return found


def check_cross_links(english: str, chinese: str) -> list[str]:
    return [
        f'the third line is not {link}'
        for text, link in zip((english, chinese), CROSS_LINKS)
        if text.splitlines()[1:3] != ['', link]
    ]


def check_headings(english: str, chinese: str) -> list[str]:
    one, other = ([section.level for section in sections(text)] for text in (english, chinese))
    return [] if one == other else [f'levels {one} and {other}']


def check_code(english: str, chinese: str) -> list[str]:
    return differing_blocks('code', english, chinese)


def check_tables(english: str, chinese: str) -> list[str]:
    return differing_blocks('table', english, chinese)


def differing_blocks(kind: str, english: str, chinese: str) -> list[str]:
    one, other = ([block for block in blocks(text) if block[0] == kind] for text in (english, chinese))
    return [f'{a} and {b}' for a, b in zip_longest(one, other) if a != b]


def check_targets(english: str, chinese: str) -> list[str]:
    return differences(targets, english, chinese)


def check_code_spans(english: str, chinese: str) -> list[str]:
    return differences(code_spans, english, chinese)


def check_numbers(english: str, chinese: str) -> list[str]:
    return differences(numbers, english, chinese)


def check_language(english: str, chinese: str) -> list[str]:
    """Of the body, so that a translated heading over English text does not pass."""
    bodies = [section.prose.partition('\n') for section in sections(chinese.replace(CROSS_LINKS[0], ''))]
    return [f'{heading!r} has no Chinese text' for heading, _, body in bodies if not CHINESE.search(body)]


CHECKS = (
    check_cross_links,
    check_headings,
    check_code,
    check_tables,
    check_targets,
    check_code_spans,
    check_numbers,
    check_language,
)


def failing(english: str, chinese: str) -> set:
    return {check.__name__ for check in CHECKS if check(english, chinese)}


@pytest.mark.parametrize('check', CHECKS, ids=lambda check: check.__name__)
def test_readme(check):
    english, chinese = ((ROOT / name).read_text(encoding='utf-8') for name in ('README.md', 'README_zh-CN.md'))
    assert len(sections(english)) > 10 and len(blocks(english)) > 10
    assert check(english, chinese) == []


ENGLISH = """# name

[简体中文](README_zh-CN.md)

Finds images, see [the page](a/page.md) and https://example.org/x.

![Scenes](a/sheet.jpg)

## Use

```bash
# Not a heading, [not a link](b.md)
run --seed 0    # 3.5 minutes
```

Set `seed` to 0 (ResNet-50, MiniLM-L6): Rsum +7.9, interval [-2.4, 13.3].

### Numbers

<!-- table:ucm -->
| config | R@1 |
| --- | ---: |
| `plain` | 17.48 |
<!-- /table:ucm -->

One run in `work dirs/x`: 0.5 %.
![Curve](a/curve.jpg)
"""
CHINESE_TEXT = """# name

[English](README.md)

检索图像，见https://example.org/x 和[说明页](a/page.md)。

![场景](a/sheet.jpg)

## 用法

```bash
# Not a heading, [not a link](b.md)
run --seed 0    # 3.5 minutes
```

Rsum为+7.9，区间[-2.4, 13.3]：把 `seed` 设为0（ResNet-50、MiniLM-L6）。

### 数字

<!-- table:ucm -->
| config | R@1 |
| --- | ---: |
| `plain` | 17.48 |
<!-- /table:ucm -->

`work
dirs/x` 中的一次运行：0.5 %。
![Curve](a/curve.jpg)
"""


def test_what_is_read():
    assert blocks(ENGLISH) == [
        ('code', 'bash', '# Not a heading, [not a link](b.md)\nrun --seed 0    # 3.5 minutes\n'),
        ('table', 'ucm', '| config | R@1 |\n| --- | ---: |\n| `plain` | 17.48 |\n'),
    ]
    title, use, table = sections(CHINESE_TEXT)
    assert [title.level, use.level, table.level] == [1, 2, 3]
    assert targets(title.prose) == Counter(['a/page.md', '!a/sheet.jpg', 'https://example.org/x'])
    assert numbers(use.prose) == Counter(['+7.9', '-2.4', '13.3', '0', '50'])
    assert code_spans(table.prose) == Counter(['work dirs/x'])
    assert numbers('−3.25到4，R@1/5，0.5 % (10.11999/A1) L+1−i v2') == Counter(
        ['−3.25', '4', '1', '5', '0.5', '10.11999', '1']
    )


def test_a_good_pair():
    assert failing(ENGLISH, CHINESE_TEXT) == set()


@pytest.mark.parametrize(
    'check, old, new',
    [
        (check_cross_links, '[English](README.md)', '[English](README.md) '),
        (check_cross_links, '\n[English](README.md)\n', ''),
        (check_headings, '## 用法', '### 用法'),
        (check_code, '3.5 minutes', '3.5 分钟'),
        (check_code, '```bash', '```shell'),
        (check_tables, '| `plain` | 17.48 |', '| `plain` | 17.49 |'),
        (check_tables, 'table:ucm', 'table:rsicd'),
        (check_targets, 'a/page.md', 'a/other.md'),
        (check_targets, '![场景]', '[场景]'),
        (check_targets, 'https://example.org/x', 'https://example.org/y'),
        (check_code_spans, '`seed`', '`种子`'),
        (check_numbers, '+7.9', '7.9'),
        (check_numbers, '13.3', '13.31'),
        (check_numbers, '0.5 %', '0.5 %（0.5 %）'),
        (check_numbers, '设为0', '设为零'),
        (check_language, '中的一次运行：', ': one run, '),
    ],
)
def test_a_spoilt_pair(check, old, new):
    assert old in CHINESE_TEXT
    assert failing(ENGLISH, CHINESE_TEXT.replace(old, new)) == {check.__name__}


def test_a_lost_section():
    cut = CHINESE_TEXT[: CHINESE_TEXT.index('### 数字')]
    parts = 'headings', 'tables', 'targets', 'code_spans', 'numbers'
    assert failing(ENGLISH, cut) == {f'check_{part}' for part in parts}
