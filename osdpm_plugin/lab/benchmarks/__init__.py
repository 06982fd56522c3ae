"""What is fast, measured: this plugin and what it is compared with, one after the other in one run, again and again.

- ``timing``: two functions -> seconds of each in turns (A B A B ...), and the spread of their ratio, pair by pair;
- ``machine``: the machine in words, and the rates that floors are computed from;
- ``report``: comparisons -> JSON and a Markdown table, with the goal of each and whether it is met;
- ``last_words``: why a process that was measured has failed;
- ``training_step``: fine-tuning a CLIP model, against open_clip's model and loss alone; ``step_profile`` says where
  the time goes, ``bare_loop`` is the other side;
- ``input_pipeline``: JPEG files -> batches, against mmpretrain's and torchvision's pipelines; ``photos`` draws them;
- ``feature_extraction``: an archive -> vectors, against a loop over single images;
- ``recall``: embeddings -> recall, against the loops of published evaluation code, and its memory at 10 k x 50 k, by
  ``added_memory``;
- ``start_up``: start of the process -> first iteration, against a bare mmengine script;
- ``quickstart``: the wall time of ``tools/quickstart.sh``;
- ``pair_scoring``: all scores of a similarity of pairs, against the loops of published evaluation code.

Nothing here is imported by the package itself.
"""
