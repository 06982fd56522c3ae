"""Images, captions and ranked answers -> matplotlib figures. Computing and drawing are separate.

- ``answers``: embeddings with ids -> queries with their ranked answers, each right or wrong by its id (no drawing);
- ``gallery``: queries with answers -> a picture, text to image above, image to text below (no model);
- ``contact_sheet``: a data set -> a grid of images with captions;
- ``heatmap``: images with maps of models -> the maps drawn over the images; the maps come from ``heatmap_model``
  (config, model, image file -> maps), ``heatmap_attention`` (the maps of DAPN itself) and ``relevance`` (for any model:
  the regions that a match depends on, found by hiding them); ``heatmap_overlay`` colours them;
- ``embedding``: embedded splits -> t-SNE of several models side by side; from ``embedding_classes`` (images ->
  classes), ``embedding_layout`` (t-SNE, alignment) and ``embedding_figures`` (numbers in the joint space);
- ``recall_curve``: an embedded split -> recall at every K;
- ``learning_curve``: numbers of several shares of captions -> one line a variant;
- ``images``: image files -> arrays, read by the loader of the config's pipeline, and square tiles;
- ``page``: a page measured in pixels, on which gallery, contact sheet and heat maps are drawn (no global state).

Colour is never the only cue: right answers also carry a check mark, wrong ones a cross.
"""

from .answers import Answer, Query, Retrieval, Retrievals, retrieve
from .contact_sheet import Example, draw_contact_sheet, pick_examples
from .embedding import draw_embeddings, spaces_of
from .embedding_classes import labels_of
from .embedding_figures import ClusterFigures, cluster_figures
from .gallery import draw_gallery
from .heatmap import Subject, draw_heatmaps
from .heatmap_model import HeatmapModel
from .images import reader_of
from .learning_curve import draw_learning_curve
from .page import check_png, pixels_of, save_figure, without_font
from .recall_curve import draw_recall_curves, recall_curves
from .relevance import occlusion_relevance

__all__ = [
    'Answer',
    'ClusterFigures',
    'Example',
    'HeatmapModel',
    'Query',
    'Retrieval',
    'Retrievals',
    'Subject',
    'check_png',
    'cluster_figures',
    'draw_contact_sheet',
    'draw_embeddings',
    'draw_gallery',
    'draw_heatmaps',
    'draw_learning_curve',
    'draw_recall_curves',
    'labels_of',
    'occlusion_relevance',
    'pick_examples',
    'pixels_of',
    'reader_of',
    'recall_curves',
    'retrieve',
    'save_figure',
    'spaces_of',
    'without_font',
]
