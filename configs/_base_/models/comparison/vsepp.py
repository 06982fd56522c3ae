"""VSE++ as in the remote-sensing comparison of Yuan et al. 2022 (AMFMN).

Faghri et al., VSE++: Improving Visual-Semantic Embeddings with Hard Negatives, 2018 (arXiv 1707.05612). Departures of
the comparison from that paper: the image vector has unit length before its linear layer and not after it, the caption
is the mean over its states, not the last one, and all negatives of a batch count, not the hardest. Ours: a caption
that is also one of the image's own is a positive, wherever it stands; and padding is never read, where the comparison's
GRU reads it and its states count in the mean, so that a caption's vector there depends on how far it is padded.

15.78 M parameters, as published, without the word embedding, which is counted with neither.
"""

_base_ = 'resnet18_gru.py'

embed_dims = 1024
model = dict(
    text_tower=dict(hidden_channels=embed_dims, pooling='mean'),
    neck=dict(type='LinearNeck', in_channels=512, embed_dims=embed_dims, normalize_input=True, normalize=False),
    text_neck=dict(type='TextProjection', embed_dims=embed_dims),
)
