"""The same with the word pieces of MiniLM, for compared methods that read captions as OSDPM does."""

_base_ = 'comparison_resnet50_rsicd150.py'

tokenizer = dict(type='HFTokenizer', name_or_path='weights/all-MiniLM-L6-v2', context_length=48)
train_pipeline = [
    dict(step, tokenizer=tokenizer) if step['type'] == 'TokenizeCaptions' else step for step in _base_.train_pipeline
]
test_pipeline = [
    dict(step, tokenizer=tokenizer) if step['type'] == 'TokenizeCaptions' else step for step in _base_.test_pipeline
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
