"""Weights and tokenizers of others: a name or a file -> architecture, verified tensors, tokenizer.

Nothing that a file carries is run.

- ``checkpoint``: a file -> its content: the one reader of checkpoints;
- ``fit``: weights and a model -> how they differ;
- ``clip_architecture``: a name of open_clip -> the architecture of both halves, and shapes of weights -> such names;
- ``clip_checkpoint``: a file of CLIP weights, of any format in use -> the half that a tower needs;
- ``clip_pretrained``: a tag of open_clip or a file -> weights in a tower, and the pixel statistics that they want;
- ``hugging_face``: a folder or a name on the hub -> encoder or tokenizer of `transformers`.
"""
