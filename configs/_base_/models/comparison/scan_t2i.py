"""SCAN, words attend to regions, as in the remote-sensing comparison of Yuan et al. 2022 (AMFMN).

Lee et al., Stacked Cross Attention for Image-Text Matching, 2018 (arXiv 1803.08024). Departures of the comparison from
that paper: the regions are the 64 cells of a ResNet-18's last map, not boxes of a detector, and without a linear layer;
all negatives of a batch count, not the hardest. Ours: a caption that is also one of the image's own is a positive,
wherever it stands; and padding is no word, where in the comparison the GRU reads it and attention and pooling count it,
so that a score there depends on how far the caption is padded.

13.68 M parameters, as published, without the word embedding, which is counted with neither.
"""

_base_ = 'resnet18_gru.py'

embed_dims = 512
model = dict(
    text_tower=dict(hidden_channels=embed_dims, bidirectional=True, merge='mean'),
    neck=dict(type='RegionNeck'),
    text_neck=dict(type='WordProjection', embed_dims=embed_dims),
    similarity=dict(
        type='StackedCrossAttention',
        direction='t2i',
        inverse_temperature=9.0,  # the paper's for Flickr30K, LogSumExp
        pooling='lse',
        lse_scale=6.0,
    ),
)
