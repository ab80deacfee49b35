"""Class mappings against a loop over classes, and faults in their files."""

import jax
import numpy as np
import pytest

from overlap import models
from overlap.core import errors
from overlap.models import class_mapping

SOURCES = ('tabby', 'persian', 'poodle', 'oak', 'beagle')
TARGETS = ('dog', 'cat', 'tree')
PAIRS = [
  ('beagle', 'dog'),
  ('tabby', 'cat'),
  ('poodle', 'dog'),
  ('persian', 'cat'),
  ('oak', 'tree'),
]


def table(pairs=PAIRS, targets=TARGETS, **options):
  return class_mapping.table(
    pairs, source_classes=SOURCES, target_classes=targets, **options
  )


def naive(logits, pairs, targets, reduction):
  """One number at a time."""
  result = np.full((len(logits), len(targets)), -np.inf)
  for i, row in enumerate(logits):
    for j, target in enumerate(targets):
      of = [row[SOURCES.index(s)] for s, t in pairs if t == target]
      if of and reduction == 'max':
        result[i, j] = max(of)
      elif of:
        result[i, j] = np.log(sum(np.exp(np.float64(v)) for v in of))
  return result


@pytest.mark.parametrize('reduction', class_mapping.REDUCTIONS)
@pytest.mark.parametrize('examples', [0, 1, 4])
@pytest.mark.parametrize(
  ('pairs', 'targets'),
  [
    (PAIRS, TARGETS),
    ([*PAIRS, ('oak', 'dog')], TARGETS),  # A source of two targets.
    (PAIRS, (*TARGETS, 'car')),
    ([], TARGETS),
  ],
)
def test_it_equals_a_loop(reduction, examples, pairs, targets):
  logits = np.random.default_rng(0).normal(size=(examples, 5)).astype('f') * 3
  sources = table(pairs, targets, allow_unmapped=True)
  got = class_mapping.map_logits(logits, sources, reduction=reduction)
  want = naive(logits, pairs, targets, reduction)
  assert got.shape == want.shape
  np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)


def test_probabilities_of_a_partition_add_up():
  logits = np.random.default_rng(0).normal(size=(3, 5)).astype('f')
  got = jax.nn.softmax(class_mapping.map_logits(logits, table()))
  probs = np.asarray(jax.nn.softmax(logits))
  np.testing.assert_allclose(got[:, 0], probs[:, 2] + probs[:, 4], rtol=1e-5)
  np.testing.assert_allclose(got[:, 1], probs[:, :2].sum(1), rtol=1e-5)


def test_large_logits_stay_finite():
  logits = np.full((1, 5), 1e30, 'f')
  assert np.isfinite(class_mapping.map_logits(logits, table())).all()
  slopes = jax.grad(
    lambda x: class_mapping.map_logits(
      x, table(PAIRS[:2], ('dog', 'cat'))
    ).sum()
  )(logits)
  np.testing.assert_array_equal(slopes, [[1, 0, 0, 0, 1]])


def test_a_table_is_ascending_and_filled_up():
  np.testing.assert_array_equal(table(), [[2, 4], [0, 1], [3, -1]])
  unmapped = table(targets=(*TARGETS, 'car'), allow_unmapped=True)
  np.testing.assert_array_equal(unmapped[3], [-1, -1])


@pytest.mark.parametrize(
  ('pairs', 'targets', 'text'),
  [
    ([*PAIRS, ('tabbi', 'cat')], TARGETS, "5 source.*'tabbi'.*'tabby'"),
    ([*PAIRS, ('tabby', 'dogs')], TARGETS, "3 target.*'dogs'.*'dog'"),
    ([*PAIRS, PAIRS[0]], TARGETS, "'beagle' and 'dog' twice"),
    (PAIRS, (*TARGETS, 'car'), '1 of 4 have none: car'),
    ([], TARGETS, '3 of 3 have none: dog, cat, tree'),
    (PAIRS, (*TARGETS, 'cat'), 'got 1 that come again'),
  ],
)
def test_a_wrong_mapping_is_one_line(pairs, targets, text):
  with pytest.raises(errors.DataError, match=text) as caught:
    table(pairs, targets)
  assert '\n' not in str(caught.value)


@pytest.mark.slow
@pytest.mark.parametrize('reduction', class_mapping.REDUCTIONS)
def test_a_mapped_model_has_the_model_s_variables_and_features(reduction):
  model = models.build(
    'resnet', num_classes=5, stage_sizes=(1,), width=8, stem='small'
  )
  rows = tuple(map(tuple, table().tolist()))
  mapped = class_mapping.Mapped(model, rows, reduction)
  x = np.random.default_rng(0).normal(size=(3, 8, 8, 1)).astype('f')
  variables = jax.jit(model.init)(jax.random.key(0), x)
  same = jax.jit(mapped.init)(jax.random.key(0), x)
  jax.tree.map(np.testing.assert_array_equal, same, variables)
  logits, features = jax.jit(model.apply)(variables, x)
  got = jax.jit(mapped.apply)(variables, x)
  want = naive(np.asarray(logits), PAIRS, TARGETS, reduction)
  np.testing.assert_allclose(got[0], want, rtol=1e-5, atol=1e-5)
  np.testing.assert_allclose(got[1], features, rtol=1e-5, atol=1e-5)
  _, updates = mapped.apply(variables, x, train=True, mutable=['batch_stats'])
  assert jax.tree.structure(updates['batch_stats']) == jax.tree.structure(
    variables['batch_stats']
  )
  assert hash(mapped) == hash(class_mapping.Mapped(model, rows, reduction))


def test_an_unknown_reduction_is_one_line():
  with pytest.raises(errors.UsageError, match='logsumexp, max'):
    class_mapping.map_logits(np.zeros((1, 5)), table(), reduction='mean')


def test_a_file_is_read_by_its_columns(tmp_path):
  path = tmp_path / 'mapping.csv'
  path.write_text('target_class,note,source_class\ndog,,beagle\ncat,x, tabby\n')
  assert class_mapping.read_pairs(path) == [('beagle', 'dog'), ('tabby', 'cat')]
  path.write_text('\ufeffsource_class,target_class\n"a, b",c\n')
  assert class_mapping.read_pairs(path) == [('a, b', 'c')]


@pytest.mark.parametrize(
  ('content', 'text'),
  [
    ('', 'lacks source_class, target_class'),
    ('source,target_class\na,b\n', 'lacks source_class'),
    ('source_class,target_class\na,b\nc\n', "'c' and '' in line 3"),
    ('source_class,target_class\n,b\n', "'' and 'b' in line 2"),
  ],
)
def test_a_faulty_file_is_one_line(tmp_path, content, text):
  path = tmp_path / 'mapping.csv'
  path.write_text(content)
  with pytest.raises(errors.DataError, match=text) as caught:
    class_mapping.read_pairs(path)
  assert '\n' not in str(caught.value)


def test_a_missing_file_is_one_line(tmp_path):
  with pytest.raises(errors.DataError, match='a readable file'):
    class_mapping.read_pairs(tmp_path / 'none.csv')
