"""Sections -> one HTML file by the templates of this folder, which escape whatever comes from data."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from ...errors import ConfigError
from ...utils.files import write_atomically
from ...version import __version__
from .audits import audit_section
from .blocks import Section, count
from .curves import curve_section
from .differences import difference_section
from .evaluated import Evaluated
from .hardest import hardest_section
from .pictures import picture_section
from .provenance import config_section, environment_section, overview_section
from .recall_tables import recall_section
from .work_dirs import Experiment

TEMPLATES = Path(__file__).resolve().parent / 'templates'


@dataclass(frozen=True)
class Report:
    """A page before it is HTML: its title, one sentence below it, and its sections in order."""

    title: str
    lead: str
    sections: tuple[Section, ...]


def build_report(
    experiments: Sequence[Experiment],
    *,
    title: Optional[str] = None,
    evaluated: Optional[Evaluated] = None,
    audit_files: Sequence[Path] = (),
    audit_sets: Sequence[str] = (),
    audit_images: bool = False,
    resamples: int = 10_000,
) -> Report:
    """Make all sections.

    Args:
        experiments: at least one; the first of those on the same data is the one that others are compared to.
        title: of the page.
        evaluated: what `evaluate` drew, or None.
        audit_files: see `audit_section`, as are the next two.
        audit_sets: data sets to audit now.
        audit_images: look at their images too.
        resamples: of the bootstrap.

    Raises:
        ConfigError: a value is out of range.
        DataError: a file is damaged, or runs of one experiment do not belong together.
    """
    drawn = evaluated or Evaluated((), ())
    runs = sum(len(one.runs) for one in experiments)
    return Report(
        title=title or f'Training report: {experiments[0].name}' + (' and others' if len(experiments) > 1 else ''),
        lead=f'{count(len(experiments), "config")}, {count(runs, "run")}; remote-sensing image-text retrieval.',
        sections=(
            overview_section(experiments),
            recall_section(experiments),
            difference_section(experiments, resamples=resamples),
            curve_section(experiments),
            picture_section(experiments, drawn.pictures),
            hardest_section(experiments, drawn.hardest),
            audit_section(experiments, files=audit_files, sets=audit_sets, with_images=audit_images),
            config_section(experiments),
            environment_section(experiments),
        ),
    )


def render_report(report: Report) -> str:
    """HTML text. Equal reports give equal texts."""
    blanks: Any = dict(trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True)
    environment = Environment(
        loader=FileSystemLoader(str(TEMPLATES)), autoescape=True, undefined=StrictUndefined, **blanks
    )
    environment.filters['breakable'] = breakable
    return environment.get_template('page.html').render(report=report, version=__version__)


def breakable(text: str) -> Markup:
    """Escaped text that may break after underscores and slashes, as names and paths ask for."""
    return Markup(re.sub('([_/])', r'\1<wbr>', str(escape(text))))


def write_report(report: Report, path: str) -> None:
    """Write the page, whole or not at all; its folder is made if there is none.

    Raises:
        ConfigError: ``path`` names no .html file, or cannot be written.
    """
    check_html(path)
    text = render_report(report)
    write_atomically(path, lambda file: file.write(text.encode('utf-8', 'replace')), '--out')


def check_html(path: str) -> None:
    """Raise ConfigError unless ``path`` names an .html file."""
    if not path.lower().endswith(('.html', '.htm')) or Path(path).is_dir():
        raise ConfigError(f'--out={path!r} must name an .html file, e.g. --out report.html')
