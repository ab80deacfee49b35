"""Files told apart by their content, in several parts, and in folders."""

import json
import struct

import numpy as np
import pytest
import safetensors.numpy

from overlap.core import errors
from overlap.models import checkpoints
from overlap.models.checkpoints import weights


def save(path, **arrays):
  path.write_bytes(safetensors.numpy.save(arrays))
  return path


def test_headers_of_every_length_are_safetensors(tmp_path):
  """Lengths begin with the bytes of pickles, archives and msgpack too."""
  path = tmp_path / 'w.bin'
  first = set()
  for size in range(1, 300):
    save(path, **{'x' * size: np.zeros(2, np.float32)})
    assert checkpoints.load_state(path)['x' * size].tolist() == [0, 0]
    first.add(path.read_bytes()[0])
  assert {0x80, 0x88} <= first


def test_a_header_as_long_as_an_archives_first_bytes(tmp_path):
  path = tmp_path / 'w.bin'
  content = b'{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}'
  length = struct.unpack('<H', b'PK')[0]
  content = content.ljust(length) + np.arange(2, dtype='f').tobytes()
  path.write_bytes(struct.pack('<Q', length) + content)
  assert path.read_bytes().startswith(b'PK')
  assert checkpoints.load_state(path)['a'].tolist() == [0, 1]


@pytest.fixture
def sharded(tmp_path):
  """A folder as save_pretrained writes it, and its index."""
  save(tmp_path / 'model-1-of-2.safetensors', a=np.ones(2), b=np.zeros(1))
  save(tmp_path / 'model-2-of-2.safetensors', c=np.full(3, 5.0))
  index = {
    'c': 'model-2-of-2.safetensors',
    'a': 'model-1-of-2.safetensors',
    'b': 'model-1-of-2.safetensors',
  }
  path = tmp_path / 'model.safetensors.index.json'
  path.write_text(json.dumps({'metadata': {}, 'weight_map': index}))
  return path, index


def test_several_files(sharded):
  path, _ = sharded
  for given in (path, path.parent):
    held = weights.read_weights(str(given))
    assert {name: v.tolist() for name, v in held.state.items()} == {
      'c': [5, 5, 5], 'a': [1, 1], 'b': [0],
    }  # fmt: skip
    assert held.kind == 'safetensors, 2 files'
    assert held.file == str(path)


@pytest.mark.parametrize(
  ('change', 'says'),
  [
    ({'d': 'model-2-of-2.safetensors'}, "1 are absent, first 'd'"),
    ({'a': 'model-3.safetensors'}, "'model-3.safetensors' is absent"),
    ({'a': '../model-1-of-2.safetensors'}, 'own folder'),
    ({'a': '/etc/passwd'}, 'own folder'),
    ({'a': '..'}, 'own folder'),
    ({'a': ''}, 'own folder'),
    ({'a': 5}, 'own folder'),
  ],
)
def test_a_faulty_index(sharded, change, says):
  path, index = sharded
  path.write_text(json.dumps({'weight_map': index | change}))
  with pytest.raises(errors.DataError, match=says) as caught:
    checkpoints.load_state(path)
  assert str(path) in str(caught.value)
  assert str(caught.value).endswith('overlap ingest.')


@pytest.mark.parametrize(
  'content', ['', '[' * 10**5, '[]', '{"weight_map": 5}']
)
def test_an_index_that_is_none(tmp_path, content):
  path = tmp_path / 'a.index.json'
  path.write_text(content)
  with pytest.raises(errors.DataError, match=r'must hold (JSON|a .weight_map)'):
    checkpoints.load_state(path)


def test_the_weights_of_a_folder(tmp_path):
  for i, name in enumerate(
    ('pytorch_model.bin', 'open_clip_model.safetensors', 'model.safetensors')
  ):
    save(tmp_path / name, a=np.full(1, i))
    assert checkpoints.load_state(tmp_path)['a'].tolist() == [i]
    held = weights.read_weights(str(tmp_path))
    assert held.file == str(tmp_path / name)


def test_a_choice_of_names_in_any_file(tmp_path):
  path = save(
    tmp_path / 'a.safetensors', **{'ema.a': np.ones(1), 'raw.a': np.zeros(1)}
  )
  assert weights.read_weights(f'{path}#ema').state['a'].tolist() == [1]
  assert weights.read_weights(f'{path}#raw').state['a'].tolist() == [0]
  with pytest.raises(errors.DataError, match='Choices: ema, raw'):
    weights.read_weights(f'{path}#other')
