"""Functions for notebooks: open a study, look at it, ingest predictions.

`overlap.load_study(workdir)` opens a study, which notebooks display as HTML.
`ingest` and `compare` make a study of predictions of other programs.
"""

from overlap.notebook.bring import compare, ingest
from overlap.notebook.pair import Pair
from overlap.notebook.study import Study, load_study

__all__ = ['Pair', 'Study', 'compare', 'ingest', 'load_study']
