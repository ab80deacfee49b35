"""Specification of the convolutions of Inception-v3.

Szegedy, Vanhoucke, Ioffe, Shlens and Wojna, 'Rethinking the Inception
Architecture for Computer Vision' (CVPR 2016), whose figures are named below.
Numbers that the paper leaves open are those of the released networks.
"""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Conv:
  """Convolution, with VALID padding at stride 2 or if not `padded`."""

  filters: int
  kernel: int | tuple[int, int] = 1
  stride: int = 1
  padded: bool = True


# A convolution, or two of the same input with concatenated outputs.
Step = Conv | tuple[Conv, Conv]


@dataclasses.dataclass(frozen=True)
class Spec:
  """One Inception block.

  Attributes:
    branches: name and steps of each branch of convolutions, in the order of
      their outputs.
    pooled: filters of the 1×1 convolution after 3×3 average-pooling in the last
      branch; None if the last branch is 3×3 max-pooling at stride 2.
  """

  branches: tuple[tuple[str, tuple[Step, ...]], ...]
  pooled: int | None = None


_ROW, _COLUMN = (1, 7), (7, 1)


def _fork(filters: int) -> tuple[Conv, Conv]:
  return Conv(filters, (1, 3)), Conv(filters, (3, 1))


def _spec_35(pooled: int) -> Spec:
  """Returns the block of figure 5."""
  twice = (Conv(64), Conv(96, 3), Conv(96, 3))
  branches = (
    ('1x1', (Conv(64),)),
    ('5x5', (Conv(48), Conv(64, 5))),
    ('3x3_twice', twice),
  )
  return Spec(branches, pooled)


def _spec_17(filters: int) -> Spec:
  """Returns the block of figure 6."""
  down, across = Conv(filters, _COLUMN), Conv(filters, _ROW)
  twice = (Conv(filters), down, across, down, Conv(192, _ROW))
  branches = (
    ('1x1', (Conv(192),)),
    ('7x7', (Conv(filters), across, Conv(192, _COLUMN))),
    ('7x7_twice', twice),
  )
  return Spec(branches, 192)


# Figure 7.
_SPEC_8 = Spec(
  (
    ('1x1', (Conv(320),)),
    ('3x3', (Conv(384), _fork(384))),
    ('3x3_twice', (Conv(448), Conv(384, 3), _fork(384))),
  ),
  192,
)
# Figure 10: halves the resolution and adds channels.
_SPEC_35_TO_17 = Spec(
  (
    ('3x3', (Conv(384, 3, 2),)),
    ('3x3_twice', (Conv(64), Conv(96, 3), Conv(96, 3, 2))),
  )
)
_SPEC_17_TO_8 = Spec(
  (
    ('3x3', (Conv(192), Conv(320, 3, 2))),
    (
      '7x7_3x3',
      (Conv(192), Conv(192, _ROW), Conv(192, _COLUMN), Conv(192, 3, 2)),
    ),
  )
)
# Names contain the side of the maps for images of 299×299 pixels.
BLOCKS = (
  *(_spec_35(pooled) for pooled in (32, 64, 64)),
  _SPEC_35_TO_17,
  *(_spec_17(filters) for filters in (128, 160, 160, 192)),
  _SPEC_17_TO_8,
  _SPEC_8,
  _SPEC_8,
)
STEM = (
  Conv(32, 3, 2),
  Conv(32, 3, padded=False),
  Conv(64, 3),
  Conv(80),
  Conv(192, 3, padded=False),
)
# One-based numbers of the stem's convolutions that follow a max-pooling.
POOLED_BEFORE = (4,)
