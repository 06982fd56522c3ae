"""Checkpoints -> result files -> means, intervals and tables that can be traced back to what was run.

Read in this order:

- ``provenance``: hashes of config, data and weights, versions, machine;
- ``schema``: `RunResult`, the one schema of result files;
- ``queries``: the hits of each query, in a second file for each result file;
- ``training_spent``: what a training took, in passes;
- ``record``: one evaluation -> its result file;
- ``seeds``: one config and several seeds -> one result file each, resumable;
- ``statistics``: mean and standard deviation over seeds, bootstrap of a paired difference;
- ``summary``: result files of seeds -> summary and comparison;
- ``tables``: result files -> tables in Markdown, CSV or LaTeX, the one place of their wording;
- ``comparison_table``: the same beside published numbers;
- ``keep``: work dirs -> the result files beside the configs;
- ``pages``: these -> the tables of a page;
- ``metafile``: these -> OpenMMLab's model index.
"""

from .schema import RunResult, read_result, write_result

__all__ = ['RunResult', 'read_result', 'write_result']
