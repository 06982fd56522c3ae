"""Trial: batches of 128 images, not 256; the rest as in osdpm_rsicd150_resnet50_minilm.py."""

_base_ = '../osdpm_rsicd150_resnet50_minilm.py'

train_dataloader = dict(batch_size=128)
