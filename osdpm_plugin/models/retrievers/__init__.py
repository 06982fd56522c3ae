"""Joins preprocessor, towers, necks and head: ``forward(mode='tensor' | 'loss' | 'predict')``."""

from .image_text_retriever import TOWERS, ImageTextRetriever

__all__ = ['TOWERS', 'ImageTextRetriever']
