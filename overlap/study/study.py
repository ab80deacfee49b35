"""A checked config bound to a folder and to data."""

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any

from absl import logging
from etils import epath

from overlap import data, errors, lookup, parallel
from overlap.catalog import class_lists
from overlap.data.examples import Examples
from overlap.study import specs, workdir


@dataclasses.dataclass(frozen=True, eq=False)
class Study:
  """A checked config with a folder and data.

  Attributes:
    config: plain dictionaries, as `config.resolve` gives them.
    path: the workdir.
    replace: whether records of an older config may be replaced.
  """

  config: Mapping[str, Any]
  path: epath.Path
  replace: bool = False

  def begin(self) -> None:
    """Binds the folder to the config, before anything is written there.

    Not before: what fails until then leaves the folder as it was. Called by
    all processes that work together.

    Raises:
      DataError: the folder can't be written.
    """
    self._bind(parallel.group())

  # Once for each group that this process works in: what one group has begun,
  # while another found nothing to do, all of them then begin together.
  @functools.cache  # noqa: B019 (a process has one study)
  def _bind(self, group: parallel.Group) -> None:
    del group
    workdir.bind(self.path, self.config)

  @functools.cached_property
  def dataset(self) -> str:
    """The data set's name, the fallback's where the first can't be had."""
    settings = self.config['data']
    return self.obtain(
      settings['dataset'], settings['data_dir'], settings['fallback']
    )

  @functools.cached_property
  def dataset_label(self) -> str:
    """Returns the name of the data set in tables."""
    settings = self.config['data']
    if settings['label'] and self.dataset == settings['dataset']:
      return settings['label']
    return self.dataset

  @functools.cached_property
  def classes(self) -> tuple[str, ...]:
    """Names of the classes in the order of their labels; () for the data's."""
    return class_lists.read(self.config['data']['classes'])

  @functools.cache  # noqa: B019 (a process has one study)
  def examples(self, split: str) -> Examples | None:
    """A split of the study; None where the config leaves it empty."""
    spec = self.config['data']['splits'][split]
    return self.load(split, spec) if spec else None

  @property
  def reference(self) -> Examples | None:
    """The split of `specs.reference_split`; None where it is left empty."""
    return self.examples(specs.reference_split(self.config))

  def load(self, split: str, spec: str) -> Examples:
    """Examples of the study's data set.

    Args:
      split: what they are called.
      spec: which they are, such as 'train[10%:]'.
    """
    settings = self.config['data']
    return data.load_examples(
      dataset=self.dataset,
      split=split,
      spec=spec,
      data_dir=settings['data_dir'] or 'data',
      image_size=specs.image_size(self.config),
      classes=self.classes,
    )

  def load_other(
    self, dataset: str, data_dir: str, *, split: str, spec: str, image_size: int
  ) -> Examples:
    """Examples of another data set, which is fetched if need be.

    Args:
      dataset: value for `config.data.dataset`.
      data_dir: where its files are; that of `config.data` if empty.
      split: what they are called.
      spec: which they are, such as 'train[10%:]'.
      image_size: see `data.load_examples`.
    """
    data_dir = data_dir or self.config['data']['data_dir']
    return data.load_examples(
      dataset=self.obtain(dataset, data_dir),
      split=split,
      spec=spec,
      data_dir=data_dir or 'data',
      image_size=image_size,
    )

  @functools.cached_property
  def transfer_dataset(self) -> str:
    """The data set that features are probed on; '' for none.

    There is none, and a line, where it can't be had and need not be, and where
    the study itself had to fall back on it.
    """
    settings = self.config['transfer']
    name = settings['dataset']
    if not name:
      return ''
    if name == self.dataset != self.config['data']['dataset']:
      logging.warning('no transfer to %s: it is what models learn', name)
      return ''
    folder = settings['data_dir'] or self.config['data']['data_dir']
    return self.obtain(name, folder, optional=settings['optional'])

  @functools.cache  # noqa: B019 (a process has one study)
  def transfer_examples(self, split: str) -> Examples | None:
    """A split of the data set that features are probed on; None for none.

    Args:
      split: a key of `config.transfer.splits`.
    """
    settings = self.config['transfer']
    spec = settings['splits'][split]
    if not (spec and self.transfer_dataset):
      return None
    # As large as the study's own images, for which the models were made.
    size = specs.image_size(self.config)
    own = None if size else self.reference
    return self.load_other(
      self.transfer_dataset,
      settings['data_dir'],
      split=f'{specs.TRANSFER}{split}',
      spec=spec,
      image_size=size or (own.image_size if own else 0),
    )

  def selected(self, model: str | None, source: str = 'train') -> list[str]:
    """All models that are made here, teachers first, or the one asked for.

    Args:
      model: the one asked for; None for all.
      source: 'train', or 'probe' for those that are probes.
    """
    order = specs.training_order(self.config)
    if model is not None:
      order = [lookup.check('model of this study', model, order)]
    return [
      name for name in order if self.config['models'][name]['source'] == source
    ]

  def obtain(
    self,
    dataset: str,
    data_dir: str,
    fallback: str = '',
    *,
    optional: bool = False,
  ) -> str:
    """Makes sure that a data set is there; returns its or the fallback's name.

    The primary process fetches it, the others wait. One that can't be had
    gives '' and a line where it is optional.
    """
    if not parallel.is_primary():
      parallel.barrier(f'data {dataset}')
    try:
      name = data.obtain(
        dataset, data_dir=data_dir or 'data', fallback=fallback
      )
    except errors.DataError as e:
      if not optional:
        raise
      logging.warning('no transfer to %s: %s', dataset, e)
      name = ''
    if parallel.is_primary():
      parallel.barrier(f'data {dataset}')
    return name
