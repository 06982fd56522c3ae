"""Rows of tiles -> the nearest ones to a vector, under a filter."""

from .lance_store import LanceStore
from .tile_store import STORES, Candidates, TileStore, build_store

__all__ = ['STORES', 'Candidates', 'LanceStore', 'TileStore', 'build_store']
