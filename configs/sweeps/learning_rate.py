r"""Learning rates, each with the weight decay that keeps their product.

  launch/sweep.py --config=configs/quickstart.py \
    --sweep=configs/sweeps/learning_rate.py --workdir=workdir/learning_rate
"""

from overlap.config import sweeps

_PRODUCT = 1e-4  # Of the quickstart's ResNet: 0.2 and 5e-4.


def get_sweep(arg: str = '') -> list[sweeps.Item]:
  """The variants; `arg` is the model's name, 'base' if empty."""
  rates = {'low': 0.02, 'middle': 0.1, 'high': 0.5}
  decays = {word: _PRODUCT / rate for word, rate in rates.items()}
  return sweeps.variants(
    arg or 'base',
    sweeps.zipped(
      sweeps.named('lr', 'train.learning_rate', rates),
      sweeps.named('wd', 'train.weight_decay', decays),
    ),
  )
