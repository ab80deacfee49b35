"""Study that fetches and writes nothing, for plans."""

import functools
import os

from overlap import data
from overlap.core import errors
from overlap.data.examples import Examples
from overlap.study import specs
from overlap.study.study import Study


class Absent(errors.DataError):
  """Error for missing data that the study would fetch or require."""


class Preview(Study):
  """Study whose data are not fetched.

  Missing data sets keep their name, which identifies models; their examples
  are known only as far as `data.describe_examples` knows them, and otherwise
  `examples`, `load` and similar methods raise `Absent`.
  """

  @functools.cached_property
  def notes(self) -> dict[str, str]:
    """Notes on each data set of the study by name."""
    return {}

  def obtain(
    self,
    dataset: str,
    data_dir: str,
    fallback: str = '',
    *,
    optional: bool = False,
  ) -> str:
    """Returns the data set the study would use, and adds a note on it."""
    here = functools.partial(data.is_here, data_dir=data_dir)
    if here(dataset):
      self.notes[dataset] = ''
      return dataset
    place = data_dir or 'data'
    if data.is_fetched(dataset):
      then = 'to be fetched'
      if optional or fallback:
        then += f', or {fallback or "nothing"} takes its place'
      self.notes[dataset] = f'not in {place}: {then}'
      return dataset
    # No fallback replaces these: see `data.stand_in`.
    own_place = os.path.isabs(dataset.partition(':')[2])
    absent = 'absent' if own_place else f'not in {place}'
    if optional:
      self.notes[dataset] = f'{absent}, and left out'
      return ''
    self.notes[dataset] = f'{absent}: the study would stop there'
    return dataset

  def load(self, split: str, spec: str) -> Examples:
    """Runs `Study.load`; missing data are described by published sizes."""
    folder = self.config['data']['data_dir']
    if data.is_here(self.dataset, data_dir=folder):
      return super().load(split, spec)
    size = specs.image_size(self.config)
    return self._described(self.dataset, folder, split, spec, size)

  def load_other(
    self, dataset: str, data_dir: str, *, split: str, spec: str, image_size: int
  ) -> Examples:
    """Runs `Study.load_other`; missing data are described as in `load`."""
    folder = data_dir or self.config['data']['data_dir']
    name = self.obtain(dataset, folder)
    if data.is_here(name, data_dir=folder):
      return super().load_other(
        dataset, data_dir, split=split, spec=spec, image_size=image_size
      )
    return self._described(name, folder, split, spec, image_size)

  def _described(
    self, dataset: str, data_dir: str, split: str, spec: str, image_size: int
  ) -> Examples:
    found = data.describe_examples(
      dataset=dataset, split=split, spec=spec, image_size=image_size,
      classes=self.classes if dataset == self.dataset else (),
    )  # fmt: skip
    if found is None:
      raise Absent(f'{dataset} must be in {data_dir or "data"}.')
    return found
