"""What notebooks call, with arguments that can't be."""

import functools

import overlap
from overlap import notebook


def cases(case):
  """Named cases; `case` is the class."""

  def load(path, status, *told):
    def make(a):
      return functools.partial(overlap.load_study, path(a))

    return case(make, status, told)

  def broken(name, content, *told):
    def make(a):
      folder = a.case / 'w'
      for file in (
        'models.csv',
        'pairs.csv',
        'models.parquet',
        'pairs.parquet',
      ):
        a.file(f'w/tables/{file}', 'model\na\n')
      a.file(f'w/{name}', content)
      return lambda: overlap.load_study(folder)

    return case(make, 1, told or [name])

  def bring(told, status=2, **fields):
    def make(a):
      given = {'workdir': a.workdir, 'predictions': a.file('m.json', '[0]')}
      given |= {'dataset': 'shapes', 'split': 'test'} | fields
      return lambda: notebook.ingest(
        given.pop('workdir'), given.pop('predictions'), **given
      )

    return case(make, status, told)

  def compare(told, base='a', status=2, **options):
    return case(
      lambda a: lambda: notebook.compare(a.workdir, base, **options),
      status,
      told,
    )

  return {
    'a study that is not there': load(
      lambda a: a.fresh, 1, 'does not exist', 'fresh'
    ),
    'a study that is a file': load(lambda a: a.file('x'), 1, 'x'),
    'a study without tables': load(lambda a: a.case, 1, 'has none'),
    'a study with predictions alone': load(
      lambda a: a.workdir, 1, 'predictions only', 'overlap analyse'
    ),
    'a study that is a number': load(lambda a: 3, 2, 'folder', '3'),
    'a study that is nothing': load(lambda a: None, 2, 'folder', 'None'),
    'a study with a NUL': load(lambda a: 'a\0b', 2, 'folder', 'x00'),
    'a study with a name too long': load(lambda a: 'w' * 300, 1, 'www'),
    'a study of no name': load(lambda a: '', 2, 'folder', "''"),
    'a study with a table of bytes': broken('tables/models.csv', b'\xff\x00'),
    'a study with a table of other columns': broken(
      'tables/models.csv', 'x,y\n1,2\n', 'models'
    ),
    'predictions that are not there': bring(
      ["'/none.npy'"], 1, predictions='/none.npy'
    ),
    'a field that is none': bring(["'lables'", "'labels'"], lables='x'),
    'a format that is none': bring(["'npzz'", 'npz'], format='npzz'),
    'a data set that is nothing': bring(['--dataset'], dataset=''),
    'a data set that is None': bring(['--dataset'], dataset=None),
    'a base to compare that is none': compare(["'z'", 'Choices: a, b, c'], 'z'),
    'no base to compare': compare(['--base', 'Choices: a, b, c'], ''),
    'a base that is a number': compare(['3', 'Choices: a, b, c'], 3),
    'a model to compare that is none': compare(["'z'"], models=['z']),
    'an option that is none': compare(
      ["'resmples'", "'resamples'"], resmples=3
    ),
    'an option of the wrong type': compare(['resamples', "'x'"], resamples='x'),
    'a table that is none': compare(["'pars'", "'pairs'"], tables=['pars']),
    'tables that are text': compare(['tables', 'pairs'], tables='pairs'),
    'a split that is none': compare(
      ["'shapes/tset'", 'shapes/test'], dataset='shapes', split='tset'
    ),
  }
