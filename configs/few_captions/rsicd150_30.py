"""rsicd150_100 with captions of 30 % of the training images; of the others the class alone is known."""

_base_ = 'rsicd150_100.py'

# as many images with labels alone as with captions, which are as many a batch as in the rows beside this one
train_dataloader = dict(batch_size=512, dataset=dict(caption_fraction=0.3, others='labelled', ratio=1.0))
