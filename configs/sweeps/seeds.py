r"""Nine more seeds of a model: how far training alone moves every measure.

  launch/sweep.py --config=configs/quickstart.py \
    --sweep=configs/sweeps/seeds.py --workdir=workdir/seeds

`configs/sweeps/seeds.py:vit` takes another model of the study than its base.
"""

from overlap.config import sweeps


def get_sweep(arg: str = '') -> list[sweeps.Item]:
  """The variants; `arg` is the model's name, 'base' if empty."""
  seeds = sweeps.named('seed', 'seed', range(101, 110))
  return sweeps.variants(arg or 'base', seeds)
