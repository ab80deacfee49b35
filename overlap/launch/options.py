"""Options of a launcher."""

import dataclasses
import pathlib

from overlap.config import sweeps
from overlap.core import errors, files
from overlap.launch import units


@dataclasses.dataclass(frozen=True)
class Options:
  """Flags of the launcher; see launch/sweep.py for their descriptions."""

  config: str
  sweep: str
  workdir: str
  executor: str = 'local'
  parallel: int = 0
  retries: int = 3
  stages: tuple[str, ...] = ('train', 'predict')
  again: tuple[str, ...] = ()
  further: tuple[str, ...] = ()
  state: str = ''
  program: tuple[str, ...] = ()
  devices: str = 'auto'
  tpus: tuple[str, ...] = ()
  sbatch: tuple[str, ...] = ()
  resources: tuple[str, ...] = ()

  def make_sweep(self) -> units.Sweep:
    """Returns the units, see `units.make_units`.

    Raises:
      UsageError: a flag is missing, or a unit would fail to start.
    """
    for name in ('config', 'sweep', 'workdir'):
      if not getattr(self, name):
        raise errors.UsageError(f'--{name} must be given, got nothing.')
    return units.make_units(
      self.config,
      self.sweep,
      self.absolute_workdir,
      further=self.further,
      stages=self.stages,
    )

  @property
  def absolute_workdir(self) -> str:
    """Absolute path or URL of the workdir."""
    if '://' in self.workdir:
      return self.workdir.rstrip('/')
    return str(pathlib.Path(self.workdir).absolute())

  @property
  def state_folder(self) -> pathlib.Path:
    """Returns the local folder of the units' states and logs."""
    if self.state:
      return pathlib.Path(self.state).absolute()
    workdir = self.absolute_workdir
    if '://' not in workdir:
      return pathlib.Path(workdir) / 'sweep'
    name = f'{sweeps.safe(workdir)[-60:]}_{files.digest(workdir)[:8]}'
    return units.ROOT / 'workdir' / 'sweeps' / name
