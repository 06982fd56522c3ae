"""What mmengine builds by name: hooks, optimizer wrappers, a strategy, loading and saving of checkpoints.

Importing this package registers safe loading (see `checkpoint`), which changes nothing for files that mmengine wrote.
"""

from .atomic_backend import AtomicLocalBackend
from .autocast_optim_wrapper import AutocastOptimWrapper
from .checkpoint import load_from_local, register_safe_loading
from .checkpoint_compatibility_hook import CheckpointCompatibilityHook
from .checkpoint_hook import SafeCheckpointHook
from .compile_hook import CompileHook
from .epoch_seed_hook import EpochSeedHook
from .finite_loss_hook import FiniteLossHook
from .fully_shard_strategy import FullyShardStrategy
from .latest_checkpoint import latest_checkpoint
from .layer_decay import LayerDecayConstructor
from .object_frequency_hook import ObjectFrequencyHook
from .pairwise_scoring_hook import PairwiseScoringHook
from .patience_hook import PatienceHook
from .resumed_schedule_hook import ResumedScheduleHook
from .tower_levels import tower_levels
from .training_record_hook import TrainingRecordHook
from .unreadable_image_hook import UnreadableImageHook
from .visualization_hook import RetrievalVisualizationHook
from .vocabulary_hook import VocabularyHook

__all__ = [
    'AtomicLocalBackend',
    'AutocastOptimWrapper',
    'CheckpointCompatibilityHook',
    'CompileHook',
    'EpochSeedHook',
    'FiniteLossHook',
    'FullyShardStrategy',
    'LayerDecayConstructor',
    'ObjectFrequencyHook',
    'PairwiseScoringHook',
    'PatienceHook',
    'ResumedScheduleHook',
    'RetrievalVisualizationHook',
    'SafeCheckpointHook',
    'TrainingRecordHook',
    'UnreadableImageHook',
    'VocabularyHook',
    'latest_checkpoint',
    'load_from_local',
    'register_safe_loading',
    'tower_levels',
]
