"""Command line and config file -> Runner, model, or the `EmbeddedSplit` of a checkpoint.

Read in this order:

- ``command_line``: the options that users of OpenMMLab know, and how a command ends;
- ``configs``: these options -> the config that a Runner takes, and its folder;
- ``schedules``: another number of epochs -> the schedule that ends with it;
- ``check_values``: numbers of a config that would be refused late, or without their key;
- ``check_data``: a config -> its annotation files, read before towers are built;
- ``selection``: which checkpoint is the best one, and that it is not chosen on test;
- ``runner``: a config -> a Runner of a training, or of a test; ``launchers`` knows several processes;
- ``load_model``: config and checkpoint -> the trained model;
- ``embed``: config and checkpoint -> the embeddings of a split;
- ``classify``: config, checkpoint and labelled images -> accuracy of images to classes;
- ``faults``: what went wrong -> one sentence.
"""

from .check_data import check_data
from .command_line import Overrides, add_common_arguments, overrides_of, run_tool
from .configs import check_work_dir, load_config, use_amp
from .embed import SPLITS, embed_split
from .faults import explain
from .load_model import load_model, load_pretrained
from .runner import build_runner, build_tester
from .selection import check_selection

__all__ = [
    'SPLITS',
    'Overrides',
    'add_common_arguments',
    'build_runner',
    'build_tester',
    'check_data',
    'check_selection',
    'check_work_dir',
    'embed_split',
    'explain',
    'load_config',
    'load_model',
    'load_pretrained',
    'overrides_of',
    'run_tool',
    'use_amp',
]
