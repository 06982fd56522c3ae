"""The one image tower of configs/comparison/resnet50: a frozen ImageNet ResNet-50, stages 3 and 4 of it, at 224 px.

Network, statistics and the steps that touch pixels are those of configs/osdpm_*_resnet50_minilm.py, and the same for
all methods here, so that one cache of image features serves them. The maps meet on the coarser grid, 7 x 7.
"""

resnet50 = dict(
    type='mmpretrain.ResNet',
    depth=50,
    style='caffe',
    out_indices=(2, 3),
    frozen_stages=4,
    norm_eval=True,
    init_cfg=dict(type='Pretrained', checkpoint='weights/resnet50_caffe.pth'),  # python tools/get_weights.py weights
)
pixels = dict(mean=(103.939, 116.779, 123.68), std=(1.0, 1.0, 1.0), channel_order='bgr')
