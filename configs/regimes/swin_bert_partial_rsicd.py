"""As swin_bert_partial_rsitmd.py, on RSICD."""

_base_ = 'swin_bert_partial_rsitmd.py'

source = dict(type='RSICD', data_root='data/RSICD')
train_dataloader = dict(dataset=source)
val_dataloader = dict(dataset=source)
test_dataloader = dict(dataset=source)
