"""CAMP on binary cross entropy ("CAMP-bce"); the rest as in camp_triplet.py.

Departure of the comparison from the paper, which takes the hardest negatives: all negatives of a batch count, as for
every method of the comparison.
"""

_base_ = 'camp_triplet.py'

model = dict(head=dict(losses=[dict(type='MatchingBCELoss', hardest=False)]))
