"""Which format a file has, which files are meant, what models are called."""

import json
import pathlib

import numpy as np
import pandas as pd
import pytest
import safetensors.numpy

from overlap.core import errors
from overlap.ingest import formats


@pytest.mark.parametrize(
  ('path', 'expected'),
  [
    ('a/m.npy', 'npy'), ('m.NPZ', 'npz'), ('m.b.csv', 'csv'),
    ('m.pq', 'parquet'), ('m.parquet', 'parquet'), ('m.json', 'json'),
    ('m.safetensors', 'safetensors'), ('m.csv.gz', 'csv'), ('m.tsv', 'csv'),
    ('m.jsonl', 'json'), ('m.NPY.zst', 'npy'),
  ],
)  # fmt: skip
def test_the_extension_tells_the_format(path, expected):
  assert formats.choose(path) == expected


def test_the_flag_goes_before_the_extension():
  assert formats.choose('m.csv', 'timm') == 'timm'


@pytest.mark.parametrize('path', ['m.onnx', 'm', 'm.txt'])
def test_an_unknown_extension(path):
  with pytest.raises(errors.UsageError) as caught:
    formats.choose(path)
  text = str(caught.value)
  assert f'--format must say what {path} is' in text
  assert all(name in text for name in formats.FORMATS)


@pytest.mark.parametrize(
  ('path', 'way'),
  [
    (
      'm.pt',
      "numpy.savez('m.npz', logits=logits.float().cpu().numpy(), "
      'labels=labels, ids=ids)',
    ),
    ('m.pth', 'never loaded'),
    ('m.ckpt', 'never loaded'),
    ('m.pkl', "numpy.savez('m.npz', logits=logits, labels=labels, ids=ids)"),
    ('m.h5', "h5py.File('m.h5')"),
    ('m.mat', "scipy.io.loadmat('m.mat')"),
    ('m.xlsx', 'save the sheet as CSV'),
    ('m.csv.zip', 'decompress it first'),
    ('m.npz.gz', 'decompress it first'),
  ],
)
def test_how_to_save_what_is_not_read(tmp_path, path, way):
  with pytest.raises(errors.UsageError) as caught:
    formats.choose(path)
  assert way in str(caught.value)
  (tmp_path / path).touch()
  with pytest.raises(errors.DataError) as found:
    formats.files(str(tmp_path))
  assert way in str(found.value)


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
    (['x/m.csv.gz', 'y/n.jsonl'], '', ['m', 'n']),
  ],
)
def test_models_are_called_after_their_files(paths, name, expected):
  assert formats.model_names(paths, name) == expected


# Five classes in their order, and the best first with and without indices.
FIVE = np.random.default_rng(0).normal(size=(9, 5))
ORDER = np.argsort(-FIVE, axis=1)
SORTED = np.take_along_axis(FIVE, ORDER, axis=1)
IDS = [f'{i}.jpg' for i in range(9)]


def scores(found) -> np.ndarray:
  return np.concatenate([block for _, block in found.blocks()])


@pytest.mark.parametrize('extension', ['csv', 'parquet', 'json', 'jsonl'])
def test_results_of_timm_are_recognised(tmp_path, extension):
  frame = pd.DataFrame({'filename': IDS})
  for i in range(5):
    frame[f'index_{i}'], frame[f'logit_{i}'] = ORDER[:, i], SORTED[:, i]
  path = str(tmp_path / f'm.{extension}')
  if extension == 'csv':
    frame.to_csv(path, index=False)
  elif extension == 'parquet':
    frame.to_parquet(path)
  elif extension == 'json':
    frame.set_index('filename').to_json(
      path, orient='index', double_precision=15
    )
  else:
    frame.to_json(path, orient='records', lines=True, double_precision=15)
  found = formats.read_predictions(path)
  assert found.ids.tolist() == IDS
  np.testing.assert_allclose(scores(found), FIVE, atol=1e-14)
  assert found.notes[0].startswith("read as timm's results (--format=timm)")
  form = 'json' if extension == 'jsonl' else extension
  with pytest.raises(errors.DataError, match='--format=timm reads them'):
    formats.read_predictions(path, form)


def save_sorted(path: str) -> None:
  if path.endswith('.npy'):
    np.save(path, SORTED)
  elif path.endswith('.npz'):
    np.savez(path, logits=SORTED)
  elif path.endswith('.safetensors'):
    safetensors.numpy.save_file({'logits': SORTED}, path)
  elif path.endswith('.json'):
    pathlib.Path(path).write_text(json.dumps(SORTED.tolist()))
  else:
    frame = pd.DataFrame({f'logit_{i}': SORTED[:, i] for i in range(5)})
    if path.endswith('.csv'):
      frame.to_csv(path, index=False)
    else:
      pd.DataFrame({'logits': list(SORTED)}).to_parquet(path)


@pytest.mark.parametrize(
  'form', ['npy', 'npz', 'safetensors', 'csv', 'parquet', 'json']
)
def test_rows_that_are_sorted_by_value(tmp_path, form):
  path = str(tmp_path / f'm.{form}')
  save_sorted(path)
  with pytest.raises(errors.DataError) as caught:
    formats.read_predictions(path)
  assert 'sorted by value, as torch.topk gives them' in str(caught.value)
  assert f'--format={form} where' in str(caught.value)
  np.testing.assert_array_equal(
    scores(formats.read_predictions(path, form)), SORTED
  )
