"""GaLR without re-ranking.

Yuan et al., Remote Sensing Cross-Modal Text-Image Retrieval Based on Global and Local Information, 2022 (IEEE TGRS 60,
arXiv 2204.09860). Departures: windows of the last map that stand out take the place of a detector's objects, whose
data are published in part only (`GlobalLocalNeck`, region_source, takes those of a detector too); a bidirectional GRU
reads the caption, since the skip-thoughts encoder is not distributed any more. Ours: a caption that is also one of the
image's own is a positive, wherever it stands.

46.89 M parameters are published. 23.81 M of them are the text side and 0.51 M a classifier of ResNet-18 that is never
used, see amfmn_soft.py. Ours has 25.33 M without the word embedding.

The paper's multivariate re-ranking reads the other queries of the test set; it is
``test_evaluator=dict(rerank=dict(method='multivariate'))``, and its numbers carry a prefix of their own.
"""

_base_ = 'resnet18_gru.py'

embed_dims = 512
text_width = 512
model = dict(
    image_tower=dict(out_indices=(0, 1, 2, 3)),
    text_tower=dict(hidden_channels=text_width, bidirectional=True, merge='mean', pooling='mean'),
    neck=dict(type='GlobalLocalNeck', in_channels=(64, 128, 256, 512), embed_dims=embed_dims, grid=16, num_regions=20),
    text_neck=dict(type='LinearTextNeck', in_channels=text_width, embed_dims=embed_dims, activation='relu'),
)
