"""Models of the paper whose weights are not public.

Their architectures are named as in the paper and the works it cites; their
numbers of parameters are those of these works, rounded as there.
"""

from typing import NamedTuple


class Brought(NamedTuple):
  """Model that is run elsewhere; see `models.PaperModel`."""

  needs: str
  architecture: str
  parameters: int = 0


_JFT = 'predictions: JFT is private'
_ALIGN = "predictions: ALIGN's data and weights are private"

# Models by name in the paper's tables.
BROUGHT = {
  'ALIGN-ZS': Brought(_ALIGN, 'align'),
  'ALIGN': Brought(_ALIGN, 'align'),
  # Dosovitskiy et al., table 1; ours has 632,045,800 with this head.
  'ViT-H/14': Brought(_JFT, 'vit', 632_000_000),
  # Zhai et al., table 2; ours has 1,844,440,680.
  'ViT-G/14': Brought(_JFT, 'vit', 1_843_000_000),
  # Pham et al., table 2.
  'MPL': Brought(_JFT, 'efficientnet', 480_000_000),
  'BiT-1k': Brought(_JFT, 'bit'),
  'BiT-JFT': Brought(f'{_JFT}, and so is its mapping of classes', 'bit'),
}
