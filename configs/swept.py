r"""The models of a sweep as one study, to compare them.

  overlap study --workdir=W \
    --config=configs/swept.py:configs/quickstart.py+configs/sweeps/dropout.py

After the colon: a config and a sweep of models, each with an argument of its
own if need be (`configs/quickstart.py:smoke+...`). The base of the config is in
it, and so are teachers; of the config's other models, those that the sweep
names. `launch/sweep.py` trains them, several at a time.
"""

import ml_collections

from overlap.config import sweep_study


def get_config(arg: str = '') -> ml_collections.ConfigDict:
  """The study of the sweep `arg`, CONFIG+SWEEP."""
  return sweep_study.study(arg)
