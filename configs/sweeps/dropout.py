r"""Dropout times seeds: does dropout change what is learned, or does the seed?

  launch/sweep.py --config=configs/quickstart.py \
    --sweep=configs/sweeps/dropout.py --workdir=workdir/dropout

Four variants of the quickstart's ResNet, and the base; with
`configs/quickstart.py:smoke` they are small enough to try on two CPU cores.
"""

from overlap.config import sweeps


def get_sweep(arg: str = '') -> list[sweeps.Item]:
  """The variants of the study's base; `arg` is its name, 'base' if empty."""
  rates = sweeps.named(
    'dropout', 'architecture.options.dropout_rate', (0.2, 0.5)
  )
  seeds = sweeps.named('seed', 'seed', (0, 1))
  return sweeps.variants(arg or 'base', sweeps.grid(rates, seeds))
