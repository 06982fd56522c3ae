"""Downloaded archives and folders -> a data set in its official layout: ``prepare(published, root, sources)``.

``published`` states what is known of each set, ``archives`` unpacks safely, ``find_parts`` recognises annotation file
and images, ``prepare`` puts them where the readers look, ``verify`` says what is wrong with the result.
"""

from .download import download
from .prepare import prepare
from .published import PUBLISHED, PublishedFile, PublishedSet
from .report import Report
from .verify import verify

__all__ = ['PUBLISHED', 'PublishedFile', 'PublishedSet', 'Report', 'download', 'prepare', 'verify']
