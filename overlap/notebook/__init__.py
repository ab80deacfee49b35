"""Functions for notebooks: open a study, look at it, ingest predictions.

`overlap.load_study(workdir)` opens a study; what it gives shows itself where
a notebook shows HTML. `ingest` and `compare` make a study of predictions that
were made elsewhere.
"""

from overlap.notebook.bring import compare, ingest
from overlap.notebook.pair import Pair
from overlap.notebook.study import Study, load_study

__all__ = ['Pair', 'Study', 'compare', 'ingest', 'load_study']
