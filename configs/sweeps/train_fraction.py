r"""The whole study again on a half and a tenth of its training examples.

  launch/sweep.py --config=configs/quickstart.py \
    --sweep=configs/sweeps/train_fraction.py --workdir=workdir/fraction

Each is a study of its own, with a report of its own, in W/units/NAME.
"""

from overlap.config import sweeps


def get_sweep(arg: str = '') -> list[sweeps.Item]:
  """The studies; the held-out split stays what it is, the first 8 %."""
  del arg
  return sweeps.named(
    'train',
    'data.splits.train',
    {'tenth': 'train[8%:17%]', 'half': 'train[8%:54%]'},
  )
