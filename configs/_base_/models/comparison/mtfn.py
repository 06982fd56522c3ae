"""MTFN as in the remote-sensing comparison of Yuan et al. 2022 (AMFMN), without its re-ranking.

Wang et al., Matching Images and Text with Multi-modal Tensor Fusion and Re-ranking, 2019 (arXiv 1908.04011). Departure
of the comparison from that paper: the image is the mean of a ResNet-18's last map. Ours: a bidirectional GRU reads the
caption, since the skip-thoughts encoder of the paper is not distributed any more; and a caption that is also one of
the image's own is a positive, wherever it stands. As in the released code of the paper, both sides end in a tanh.

77.90 M parameters are published. 21.75 M of them are the skip-thoughts GRU (620 -> 2400) without its word embedding,
and 2.46 M the linear layer 2400 -> 1024 behind it; our GRU and linear layer have 3.03 M in their place. 56.71 M in all.
"""

_base_ = 'resnet18_gru.py'

embed_dims = 1024
text_width = 512
model = dict(
    text_tower=dict(hidden_channels=text_width, bidirectional=True, merge='mean', pooling='mean'),
    neck=dict(type='LinearNeck', in_channels=512, embed_dims=embed_dims, activation='tanh', normalize=False),
    text_neck=dict(
        type='LinearTextNeck', in_channels=text_width, embed_dims=embed_dims, activation='tanh', normalize=False
    ),
    similarity=dict(type='TensorFusion', channels=embed_dims, rank=20, fused_channels=1024, dropout=0.25),
)
