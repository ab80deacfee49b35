"""A study that looks at what is there, and fetches and writes nothing."""

import functools
import os

from overlap import data, errors
from overlap.data.examples import Examples
from overlap.study import specs
from overlap.study.study import Study


class Absent(errors.DataError):
  """Data that the study would fetch, or stop at, are not here."""


class Preview(Study):
  """A study for which no data are fetched.

  Data that are not here keep their name, for models are known by it; of their
  examples no more is known than `data.describe_examples` tells, and without
  that, `examples`, `load` and the like raise `Absent`.
  """

  @functools.cached_property
  def notes(self) -> dict[str, str]:
    """Returns the notes on each data set of the study."""
    return {}

  def obtain(
    self,
    dataset: str,
    data_dir: str,
    fallback: str = '',
    *,
    optional: bool = False,
  ) -> str:
    """The data set that the study would take, as far as can be known."""
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
    # Nothing takes the place of these: see `data.stand_in`.
    own_place = os.path.isabs(dataset.partition(':')[2])
    absent = 'absent' if own_place else f'not in {place}'
    if optional:
      self.notes[dataset] = f'{absent}, and left out'
      return ''
    self.notes[dataset] = f'{absent}: the study would stop there'
    return dataset

  def load(self, split: str, spec: str) -> Examples:
    """As `Study.load`, of data that are here, or whose sizes are published."""
    folder = self.config['data']['data_dir']
    if data.is_here(self.dataset, data_dir=folder):
      return super().load(split, spec)
    size = specs.image_size(self.config)
    return self._described(self.dataset, folder, split, spec, size)

  def load_other(
    self, dataset: str, data_dir: str, *, split: str, spec: str, image_size: int
  ) -> Examples:
    """As `Study.load_other`, likewise."""
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
