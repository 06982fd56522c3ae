"""Files, folders, patterns, lists, STAC and web addresses -> scenes, with what is known of each before it is opened."""

from .finding import SourceList, find_sources
from .source import Failure, Source, file_signature, scene_id

__all__ = ['Failure', 'Source', 'SourceList', 'file_signature', 'find_sources', 'scene_id']
