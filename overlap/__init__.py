"""overlap: do differently trained image models learn different things?"""

from typing import Any

__version__ = '0.1.0'
__all__ = ['load_study']


def __getattr__(name: str) -> Any:
  """Imports `load_study` lazily, to keep `import overlap` light."""
  if name not in __all__:
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
  from overlap import notebook

  return getattr(notebook, name)
