"""CAMP on the hinge loss, as in the remote-sensing comparison of Yuan et al. 2022 (AMFMN).

Wang et al., CAMP: Cross-Modal Adaptive Message Passing for Text-Image Retrieval, 2019 (arXiv 1909.05506). Departures
of the comparison from that paper: the mean of the map is the only region and the mean of the GRU's states the only
word, so that messages are exchanged but nothing is attended to; all negatives of a batch count, not the hardest. Ours:
a caption that is also one of the image's own is a positive, wherever it stands.

As in the released configs of the paper (no_imgnorm, no_txtnorm), the image vector has unit length before its linear
layer, and neither side after its last one: between two unit vectors the gate, a sigmoid of their product, could only
move from 0.27 to 0.73.

26.28 M parameters without the word embedding, 27.05 M with the 2576 words of RSICD. Published: 27.03 M.
"""

_base_ = 'resnet18_gru.py'

embed_dims = 1024
model = dict(
    text_tower=dict(hidden_channels=embed_dims, pooling='mean'),
    neck=dict(type='LinearNeck', in_channels=512, embed_dims=embed_dims, normalize_input=True, normalize=False),
    text_neck=dict(type='TextProjection', embed_dims=embed_dims, normalize=False),
    similarity=dict(type='CrossModalMessagePassing', channels=embed_dims, grain='global', heads=4),
)
