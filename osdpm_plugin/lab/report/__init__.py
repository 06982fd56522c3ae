"""Work dirs -> one HTML page that needs nothing but itself: no script, no network, light and dark, readable on a phone.

Read in this order:

- ``scalars``: what a run logged -> curves, resumed runs joined;
- ``work_dirs``: folders -> `Experiment` and `Run`, whatever of them is there;
- ``blocks``: what a page is made of: sentences, tables, charts, pictures;
- ``recall_tables``, ``differences``, ``curves`` (by ``chart``), ``pictures``, ``hardest``, ``audits``, ``provenance``:
  experiments -> the blocks of one section each; what is missing is said with the command that makes it;
- ``evaluated``: a checkpoint -> gallery, heat maps and hardest queries, only when asked for;
- ``page``: sections -> HTML by the templates beside it, which escape all that comes from data.
"""

from .evaluated import EvaluationOptions, evaluate
from .page import Report, build_report, render_report, write_report
from .work_dirs import Experiment, Run, read_experiments

__all__ = [
    'EvaluationOptions',
    'Experiment',
    'Report',
    'Run',
    'build_report',
    'evaluate',
    'read_experiments',
    'render_report',
    'write_report',
]
