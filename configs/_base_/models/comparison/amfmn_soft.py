"""AMFMN, the image gates the caption ("AMFMN-soft").

Yuan et al., Exploring a Fine-Grained Multiscale Method for Cross-Modal Remote Sensing Image Retrieval, 2022 (IEEE TGRS
60, arXiv 2204.09868). Departure: a bidirectional GRU reads the caption, as the paper writes, since the skip-thoughts
encoder of its released code is not distributed any more. The margin of the loss is fixed, as in that code; the paper
varies it with the similarity of texts. Ours: a caption that is also one of the image's own is a positive, wherever it
stands.

35.94 M parameters are published. 23.81 M of them are the text side: the skip-thoughts GRU (620 -> 2400) with 21.75 M,
its embedding of about 1340 words with 0.83 M and the linear layer behind it with 1.23 M; and 0.51 M a classifier of
ResNet-18 that is never used. Ours has 14.60 M without the word embedding.
"""

_base_ = 'resnet18_gru.py'

embed_dims = 512
text_width = 512
model = dict(
    image_tower=dict(out_indices=(0, 1, 2, 3)),
    text_tower=dict(hidden_channels=text_width, bidirectional=True, merge='mean', pooling='mean'),
    neck=dict(type='MultiScaleSelfAttention', in_channels=(64, 128, 256, 512), embed_dims=embed_dims, grid=16),
    text_neck=dict(
        type='LinearTextNeck', in_channels=text_width, embed_dims=embed_dims, activation='relu', normalize=False
    ),
    similarity=dict(type='VisualGuidedSimilarity', channels=embed_dims, fusion='soft'),
)
