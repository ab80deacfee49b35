"""Provenance on the page, from config.json and timings.json."""

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from etils import epath

from overlap.config import schema
from overlap.core import checksums as core_checksums
from overlap.core import wording
from overlap.figures import frames
from overlap.tables import table_io

# Settings of the analyses, such as the level of the intervals in the tables.
_REQUEST = 'tables/analysis.json'
# Stages in the order in which a study runs them.
_STAGES = ('train', 'predict', 'analyse', 'report')


class Fact(NamedTuple):
  """Name and value of a fact, both plain text."""

  name: str
  value: str


class Stage(NamedTuple):
  """Time of a stage over all models; `models` has the time of each model."""

  name: str
  seconds: str
  models: list[Fact]


def read_run_file(workdir: epath.PathLike, name: str) -> dict[str, Any]:
  """Reads a JSON file of the workdir; returns {} if it is absent.

  Raises:
    DataError: the file is damaged, or is `tables/analysis.json` and absent
      although the tables are complete.
  """
  path = epath.Path(workdir) / name
  if not path.exists() and not (
    name == _REQUEST and (path.parent / table_io.DONE).exists()
  ):
    return {}
  return core_checksums.read_json(path, _again(name))


def _again(name: str) -> str:
  """Returns instructions for writing a JSON file of the workdir again."""
  if name.startswith('tables/'):
    return table_io.AGAIN
  return 'delete it, and the next `overlap study` writes it again'


def title(config: Mapping[str, Any], tables: frames.Tables) -> str:
  """Returns the study's name; without a config, its data set and split."""
  first = tables['models'].iloc[0]
  name = _get(config, 'config.name')
  return str(name or f'{first["dataset"]}, {first["split"]}')


def what_was_run(
  config: Mapping[str, Any],
  request: Mapping[str, Any],
  tables: frames.Tables,
) -> list[Fact]:
  """Returns facts on data, splits, examples, models, base and analyses.

  Args:
    config: contents of `config.json`; empty if the store was filled without a
      config.
    request: contents of `tables/analysis.json`, the settings of the analyses.
    tables: tables from `figures.load`.
  """
  models = tables['models']
  first = models.iloc[0]
  data = str(first['dataset'])
  if label := _get(config, 'config.data.label'):
    data = f'{data} ({label})'
  facts = [
    Fact('Data', data),
    Fact('Evaluated on', _split(config, str(first['split']))),
    Fact('Examples', wording.count(models['n'].max())),
    Fact('Models', wording.count(len(models))),
    Fact('Base', frames.base_name(models)),
    Fact('Pairs', wording.count(len(tables['pairs']))),
  ]
  settings = _get(config, 'config.models') or {}
  learned = any(map(schema.is_learned, settings.values()))
  if learned and (trained := _get(config, 'config.data.splits.train')):
    facts.append(Fact('Trained on', str(trained)))
  options = request.get('options') or _get(config, 'config.analyses')
  calibrated = models['temperature'].notna().any()
  return facts + _analyses(options or {}, calibrated=bool(calibrated))


def software(
  config: Mapping[str, Any], timings: Mapping[str, Any]
) -> list[Fact]:
  """Returns facts on device, memory, revision, date and versions."""
  facts = []
  if device := config.get('device'):
    kind, count = device.get('kind', ''), device.get('count', 1)
    facts.append(Fact('Device', f'{count} × {kind} ({device["platform"]})'))
    if cores := device.get('cpu_cores'):
      facts.append(Fact('Processor cores', str(cores)))
  if peak := timings.get('peak_memory_bytes'):
    facts.append(Fact('Most memory held', wording.size(peak)))
  names = {
    'git_revision': 'Revision',
    'created': 'Begun',
    'config_hash': 'Config hash',
  }
  for key, name in names.items():
    if config.get(key):
      facts.append(Fact(name, str(config[key])))
  versions = config.get('versions') or {}
  if versions:
    listed = ', '.join(f'{k} {v}' for k, v in versions.items())
    facts.append(Fact('Versions', listed))
  return facts


def checksums(done: Mapping[str, Any]) -> list[Fact]:
  """Returns the SHA-256 of every CSV table, from `tables/done.json`."""
  held = done.get('tables') or {}
  return [Fact(k, str(held[k])) for k in sorted(held) if k.endswith('.csv')]


def stages(timings: Mapping[str, Any]) -> list[Stage]:
  """Returns times by stage and model, from the latest run on each split."""
  latest: dict[tuple[str, str, str], float] = {}
  for entry in timings.get('stages', ()):
    stage, model, split = (
      str(entry.get(field) or '') for field in ('stage', 'model', 'split')
    )
    latest[stage, model, split] = float(entry['seconds'])
  by_stage: dict[str, dict[str, float]] = {}
  for (stage, model, _), seconds in latest.items():
    models = by_stage.setdefault(stage, {})
    models[model] = models.get(model, 0.0) + seconds
  return [
    _stage(name, list(by_stage[name].items())) for name in _sorted(by_stage)
  ]


def config_text(config: Mapping[str, Any]) -> str:
  """Returns the resolved config as indented JSON, or ''."""
  resolved = config.get('config')
  return json.dumps(resolved, indent=2, ensure_ascii=False) if resolved else ''


def _sorted(names: Collection[str]) -> list[str]:
  known = [name for name in _STAGES if name in names]
  return known + sorted(set(names) - set(known))


def _stage(name: str, entries: Sequence[tuple[str, float]]) -> Stage:
  total = sum(seconds for _, seconds in entries)
  models = [Fact(m, wording.duration(s)) for m, s in entries if m]
  return Stage(name, wording.duration(total), models)


def _split(config: Mapping[str, Any], split: str) -> str:
  spec = _get(config, f'config.data.splits.{split}')
  return f'{split} ({spec})' if spec and spec != split else split


def _analyses(options: Mapping[str, Any], *, calibrated: bool) -> list[Fact]:
  facts = []
  if options.get('confidence'):
    level = wording.percent(options['confidence'], digits=0)
    resamples = wording.count(options.get('resamples'))
    facts.append(
      Fact(
        'Intervals',
        f'{level}; of pairs: {resamples} resamples of the examples; of means'
        f' and correlations: {_over_models(options)}',
      )
    )
  if calibrated and options.get('calibration'):
    folds = options.get('folds')
    facts.append(
      Fact('Calibration', f'{options["calibration"]}, {folds} folds')
    )
  if 'window' in options:
    facts.append(Fact('Accuracy window', _window(options['window'])))
  return facts


def _over_models(options: Mapping[str, Any]) -> str:
  if options.get('summary_interval') == 'bootstrap':
    return f'{wording.count(options.get("resamples"))} resamples of the models'
  return 'jackknife over models'


def _window(window: Any) -> str:
  if not window:
    return 'all models'
  if isinstance(window, Sequence):
    return ' to '.join(wording.percent(bound) for bound in window)
  return f'base ± {wording.number(100 * window)} points'


def _get(tree: Mapping[str, Any], path: str) -> Any:
  value: Any = tree
  for key in path.split('.'):
    if not isinstance(value, Mapping):
      return None
    value = value.get(key)
  return value
