r"""The paper's models that are trained from nothing on ImageNet, one a run.

  launch/sweep.py --config=configs/imagenet/paper.py:all \
    --sweep=configs/sweeps/paper.py --workdir=W --executor=slurm \
    -- --config.data.data_dir=DIR

`configs/sweeps/paper.py:HPARAM` are those of one category, with the base. All
of them share the workdir: in the end `overlap study` with the same --config
loads the models with public weights, and compares.
"""

import pathlib

from overlap.config import sweeps
from overlap.core import python_file


def get_sweep(arg: str = '') -> list[sweeps.Item]:
  """The models; `arg` is as for configs/imagenet/paper.py."""
  path = pathlib.Path(__file__).parents[1] / 'imagenet' / 'paper.py'
  paper = python_file.load(path)
  return sweeps.models(*paper.get_config(arg or 'trained').models)
