"""Joins preprocessor, towers, necks and head: ``forward(mode='tensor' | 'loss' | 'predict')``."""

from .image_text_retriever import ImageTextRetriever

__all__ = ['ImageTextRetriever']
