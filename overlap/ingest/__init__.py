"""Predictions made elsewhere, brought into the store.

One reader for each format makes a `Source` of a file; it is aligned with the
examples of the store by id, in whichever column the ids are, or by row order;
scores become float32 logits block by block. Nothing is ever unpickled.
"""

from overlap.ingest.formats import FORMATS
from overlap.ingest.prepare import Request
from overlap.ingest.run import Ingested, ingest
from overlap.ingest.source import KINDS

__all__ = ['FORMATS', 'KINDS', 'Ingested', 'Request', 'ingest']
