"""(B, 3, H, W) uint8 BGR on any device -> (B, 3, H, W) float, normalised, on the model's device; samples ->
CaptionBatch and Regions there.
"""

from .retrieval_data_preprocessor import RetrievalDataPreprocessor

__all__ = ['RetrievalDataPreprocessor']
