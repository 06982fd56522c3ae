"""Downloaded archives and folders -> a data set in its official layout: ``prepare(published, root, sources)``.

``published`` holds the facts of each set, ``archives`` unpacks safely, ``find_parts`` recognises annotation file and
images, ``prepare`` puts them into the official layout, ``verify`` checks the result.
"""

from .download import download
from .prepare import prepare
from .published import PUBLISHED, PublishedFile, PublishedSet
from .verify import verify

__all__ = ['PUBLISHED', 'PublishedFile', 'PublishedSet', 'download', 'prepare', 'verify']
