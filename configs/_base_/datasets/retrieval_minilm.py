"""The same images with the word pieces of MiniLM."""

_base_ = 'retrieval.py'

tokenizer = dict(type='HFTokenizer', name_or_path='weights/all-MiniLM-L6-v2', context_length=48)

train_pipeline = [dict(step, tokenizer=tokenizer) if 'tokenizer' in step else step for step in _base_.train_pipeline]
# ours: RSICD val, five captions of an image
train_pipeline = [dict(step, num=5) if step['type'] == 'SampleCaptions' else step for step in train_pipeline]
test_pipeline = [dict(step, tokenizer=tokenizer) if 'tokenizer' in step else step for step in _base_.test_pipeline]

train_dataloader = dict(num_workers=2, dataset=dict(pipeline=train_pipeline))
val_dataloader = test_dataloader = dict(num_workers=2, dataset=dict(pipeline=test_pipeline))
