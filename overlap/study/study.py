"""Study: a checked config with a folder and data."""

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any

from absl import logging
from etils import epath

from overlap import data
from overlap.catalog import class_lists
from overlap.core import errors, lookup
from overlap.data.examples import Examples
from overlap.distributed import processes
from overlap.study import specs
from overlap.workdir import layout


@dataclasses.dataclass(frozen=True, eq=False)
class Study:
  """Checked config with a folder and data.

  Attributes:
    config: config as plain dictionaries, from `schema.resolve`.
    path: path of the workdir.
    replace: whether records of an older config may be replaced.
  """

  config: Mapping[str, Any]
  path: epath.Path
  replace: bool = False

  def begin(self) -> None:
    """Binds the folder to the config; call it before anything is written.

    It is not done earlier, so that a run that fails before leaves the folder
    unchanged. All processes that work together call it.

    Raises:
      DataError: the folder can't be written.
    """
    self._bind(processes.group())

  # Once per group of this process: if only one group had something to write,
  # all processes together still bind the folder later.
  @functools.cache  # noqa: B019 (a process has one study)
  def _bind(self, group: processes.Group) -> None:
    del group
    layout.bind(self.path, self.config)

  @functools.cached_property
  def dataset(self) -> str:
    """Name of the data set, or of the fallback if it is not available."""
    settings = self.config['data']
    return self.obtain(
      settings['dataset'], settings['data_dir'], settings['fallback']
    )

  @functools.cached_property
  def dataset_label(self) -> str:
    """Name of the data set in tables."""
    settings = self.config['data']
    if settings['label'] and self.dataset == settings['dataset']:
      return settings['label']
    return self.dataset

  @functools.cached_property
  def classes(self) -> tuple[str, ...]:
    """Names of the classes in the order of their labels; () for the data's."""
    return class_lists.read_class_list(self.config['data']['classes'])

  @functools.cache  # noqa: B019 (a process has one study)
  def examples(self, split: str) -> Examples | None:
    """Returns a split of the study; None if the config leaves it empty."""
    spec = self.config['data']['splits'][split]
    return self.load(split, spec) if spec else None

  @property
  def reference(self) -> Examples | None:
    """Examples of `specs.reference_split`; None if it is left empty."""
    return self.examples(specs.reference_split(self.config))

  def load(self, split: str, spec: str) -> Examples:
    """Loads examples of the study's data set.

    Args:
      split: name of the split.
      spec: specification of the split, such as 'train[10%:]'.
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
    """Loads examples of another data set, which is fetched if necessary.

    Args:
      dataset: data set, as for `config.data.dataset`.
      data_dir: folder of its files; that of `config.data` if empty.
      split: name of the split.
      spec: specification of the split, such as 'train[10%:]'.
      image_size: side of the images, see `data.load_examples`.
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
    """Name of the data set to probe features on; '' for none.

    It is '', with a warning, if the data set is optional and not available, or
    if it is the fallback that the study itself uses.
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
    """Returns a split of the data set to probe features on; None for none.

    Args:
      split: a key of `config.transfer.splits`.
    """
    settings = self.config['transfer']
    spec = settings['splits'][split]
    if not (spec and self.transfer_dataset):
      return None
    # The size of the study's own images, for which the models were made.
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
    """Returns the models made here, teachers first, or the requested one.

    Args:
      model: name of the requested model; None for all.
      source: source of the models, such as 'train' or 'probe'.
    """
    order = specs.training_order(self.config)
    if model is not None:
      order = [lookup.check_choice('model of this study', model, order)]
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
    """Obtains a data set; returns its name or the fallback's.

    The primary process fetches it while the others wait. If an optional data
    set is not available, logs a warning and returns ''.
    """
    if not processes.is_primary():
      processes.barrier(f'data {dataset}')
    try:
      name = data.obtain(
        dataset, data_dir=data_dir or 'data', fallback=fallback
      )
    except errors.DataError as e:
      if not optional:
        raise
      logging.warning('no transfer to %s: %s', dataset, e)
      name = ''
    if processes.is_primary():
      processes.barrier(f'data {dataset}')
    return name
