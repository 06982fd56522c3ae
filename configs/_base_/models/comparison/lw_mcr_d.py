"""LW-MCR with a teacher ("LW-MCR(d)"): hidden layers, embeddings and scores of a trained model supervise those of
lw_mcr_b.py. The teacher is set in the config of each data set; at inference the two models are one and the same.
"""

_base_ = 'lw_mcr_b.py'

model = dict(
    type='DistilledRetriever',
    supervision=dict(
        type='HiddenSupervisionLoss',
        hidden_weight=100.0,  # ours: not tuned; the head's loss is a sum over pairs, this one a mean
        output_weight=100.0,  # ours: not tuned
        temperature=0.1,  # ours: not tuned
    ),
)
