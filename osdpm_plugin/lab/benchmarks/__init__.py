"""This plugin and other code -> their times, measured in turns in one run.

- ``timing``: functions -> seconds of each in turns (A B A B ...), and the ratio of each pair;
- ``machine``: the machine in words, and its measured rates, from which lower bounds of times are computed;
- ``report``: comparisons -> JSON and a Markdown table, with the goal of each and whether it is met;
- ``child_process``: a command -> its output, or one sentence with its last line;
- ``training_step``: fine-tuning a CLIP model, against open_clip's model and loss alone; ``step_profile`` says where
  the time goes, ``bare_loop`` is the other side;
- ``partial_step``: training the last blocks from a cache at their cut, against the uncached step;
- ``input_pipeline``: JPEG files -> batches, against mmpretrain's and torchvision's pipelines; ``photos`` makes files;
- ``feature_extraction``: an archive -> vectors, against a loop over single images;
- ``recall``: embeddings -> recall, against the loops of published evaluation code, and its memory at 10 k x 50 k;
- ``start_up``: start of the process -> first iteration, against a bare mmengine script; the time of the quick start;
- ``pair_scoring``: all scores of a similarity of pairs, against the loops of published evaluation code;
- ``soak``: training for a given time -> memory over time; ``memory`` fits its slope.
"""
