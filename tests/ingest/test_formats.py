"""Which format a file has, which files are meant, what models are called."""

import pytest

from overlap import errors
from overlap.ingest import formats


@pytest.mark.parametrize(
  ('path', 'expected'),
  [
    ('a/m.npy', 'npy'), ('m.NPZ', 'npz'), ('m.b.csv', 'csv'),
    ('m.pq', 'parquet'), ('m.parquet', 'parquet'), ('m.json', 'json'),
    ('m.safetensors', 'safetensors'),
  ],
)  # fmt: skip
def test_the_extension_tells_the_format(path, expected):
  assert formats.choose(path) == expected


def test_the_flag_goes_before_the_extension():
  assert formats.choose('m.csv', 'timm') == 'timm'


@pytest.mark.parametrize('path', ['m.pkl', 'm.pt', 'm', 'm.txt'])
def test_an_unknown_extension(path):
  with pytest.raises(errors.UsageError) as caught:
    formats.choose(path)
  text = str(caught.value)
  assert f'--format must say what {path} is' in text
  assert all(name in text for name in formats.FORMATS)


def test_an_unknown_format():
  with pytest.raises(errors.UsageError, match="Did you mean 'imagenet-x'"):
    formats.choose('m.csv', 'imagenetx')
  with pytest.raises(errors.UsageError, match="Did you mean 'imagenet-x'"):
    formats.files('absent', 'imagenetx')


@pytest.fixture
def folder(tmp_path):
  for name in ('b.npy', 'a.csv', 'c.txt', '.d.npy', 'x.json'):
    (tmp_path / name).touch()
  (tmp_path / 'inner.npy').mkdir()
  return tmp_path


def test_files_of_a_folder(folder):
  def names(*args):
    return [path.rpartition('/')[2] for path in formats.files(*args)]

  assert names(str(folder)) == ['a.csv', 'b.npy', 'x.json']
  assert names(str(folder), 'csv') == ['a.csv']
  assert names(str(folder), 'timm') == ['a.csv', 'x.json']
  assert names(f'{folder}/*.npy') == ['b.npy']
  assert names(f'{folder}/[ab].*') == ['a.csv', 'b.npy']
  assert names(f'{folder}/c.txt') == ['c.txt']


def test_a_file_whose_name_looks_like_a_pattern(tmp_path):
  path = tmp_path / 'm[1].npy'
  path.touch()
  assert formats.files(str(path)) == [str(path)]


@pytest.mark.parametrize('path', ['none', '*.xyz', 'none/*', 'inner.npy'])
def test_no_file_is_meant(folder, path):
  with pytest.raises(errors.DataError, match='where there is none'):
    formats.files(f'{folder}/{path}')


def test_nothing_was_given():
  with pytest.raises(errors.UsageError, match='got nothing'):
    formats.files('')


@pytest.mark.parametrize(
  ('paths', 'name', 'expected'),
  [
    (['x/m.npy'], '', ['m']),
    (['x/m.v2.npy', 'y/n.csv'], '', ['m.v2', 'n']),
    (['m_predictions.json'], 'cifar10.1', ['m']),
    (['m_predictions.json'], '', ['m_predictions']),
    (['_predictions.json'], 'cifar10.1', ['_predictions']),
    (['x/m.npy', 'y/m.npy'], '', ['x', 'y']),
    (['x/m.npy', 'x/m.csv'], '', ['x', 'x']),
  ],
)
def test_models_are_called_after_their_files(paths, name, expected):
  assert formats.model_names(paths, name) == expected
