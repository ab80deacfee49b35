"""Policies written as text, and what holds for every one of them."""

import jax
import numpy as np
import pytest
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from overlap.core import errors, lookup
from overlap.data import augment
from overlap.data.augment import policy

EVERY = [
  'crop(2)|flip',
  "crop(1, mode='reflect')|grayscale(0.5)|blur",
  'resized_crop((0.2, 1))',
  'color_jitter',
  'randaugment(2, 9)',
  'simclr',
]
SHAPES = [(1, 7, 5, 1), (6, 9, 6, 3), (5, 8, 8, 1)]


def shapes_and_policies():
  return [
    pytest.param(spec, shape, id=f'{spec}-{"x".join(map(str, shape))}')
    for spec in EVERY
    for shape in SHAPES
  ]


@pytest.mark.slow_except(*(f'{spec}-6x9x6x3' for spec in EVERY))
@pytest.mark.parametrize(('spec', 'shape'), shapes_and_policies())
def test_every_policy(make_images, spec, shape):
  images, key = make_images(*shape), jax.random.key(1)
  apply = augment.build(spec)
  compiled = jax.jit(apply)
  result = np.asarray(compiled(key, images))

  assert result.shape == images.shape
  assert result.dtype == np.float32
  assert np.all((result >= 0) & (result <= 1))
  # The key decides, and nothing else.
  np.testing.assert_array_equal(result, compiled(key, images))
  if shape[0] > 1:
    other = np.asarray(compiled(jax.random.key(2), images))
    assert np.abs(result - other).max() > 0.01
  # An example does not feel its neighbours.
  for i in {0, shape[0] - 1}:
    others = make_images(*shape, seed=7)
    others[i] = images[i]
    np.testing.assert_array_equal(compiled(key, others)[i], result[i])


@pytest.mark.slow_except('color_jitter', 'crop(2)|flip')
@pytest.mark.parametrize('spec', EVERY)
def test_jit_equals_no_jit(make_images, spec):
  images, key = make_images(6, 9, 6, 3), jax.random.key(1)
  apply = augment.build(spec)
  result, expected = apply(key, images), jax.jit(apply)(key, images)
  # Rounding may tip a value to the next of 256 levels.
  wrong = np.abs(np.asarray(result) - np.asarray(expected)) > 1e-4
  assert wrong.mean() < 2e-3


@pytest.mark.slow_except('crop(2)|flip-3', 'randaugment(2, 9)-3', 'simclr-1')
@pytest.mark.parametrize('channels', [1, 3])
@pytest.mark.parametrize('spec', EVERY)
def test_sharded_equals_whole(make_images, spec, channels):
  apply, key = augment.build(spec), jax.random.key(0)
  images = make_images(8, 10, 9, channels)
  whole = jax.jit(apply)(key, images)
  mesh = jax.make_mesh((4,), ('data',), axis_types=(AxisType.Auto,))
  rows = NamedSharding(mesh, PartitionSpec('data'))
  compiled = jax.jit(apply, out_shardings=rows).lower(
    key, jax.device_put(images, rows)
  )
  compiled = compiled.compile()
  result = compiled(key, jax.device_put(images, rows))
  assert len(result.sharding.device_set) == 4
  np.testing.assert_allclose(result, whole, atol=1e-5)
  # Images never travel between devices.
  text = compiled.as_text()
  for collective in ('all-gather', 'all-to-all', 'collective-permute'):
    assert f' {collective}(' not in text


def test_operations_follow_their_order(make_images):
  images, key = make_images(4, 8, 8, 1), jax.random.key(3)
  result = augment.build('crop(2) | flip(1.0)|blur(probability=1)')(key, images)
  keys = [jax.random.fold_in(key, place) for place in range(3)]
  expected = augment.random_crop(keys[0], images, padding=2)
  expected = augment.random_flip(keys[1], expected, probability=1.0)
  expected = augment.random_blur(keys[2], expected, probability=1)
  np.testing.assert_array_equal(result, expected)


def test_arguments_by_place_and_by_name_are_the_same(make_images):
  images, key = make_images(4, 8, 8, 3), jax.random.key(0)
  by_place = augment.build('resized_crop((0.2, 1), (1, 1.5))')
  by_name = augment.build('resized_crop(ratio=(1, 1.5), scale=(0.2, 1))')
  np.testing.assert_array_equal(by_place(key, images), by_name(key, images))


def test_none_keeps_the_images(make_images):
  images = make_images(2, 5, 5, 1)
  assert augment.build('none')(jax.random.key(0), images) is images


def test_the_same_text_is_the_same_function():
  assert augment.build('crop(3)|flip') is augment.build('crop(3)|flip')


def test_every_operation_of_the_table_resolves():
  for name in policy.OPERATIONS:
    assert callable(lookup.lookup('augmentation', name, policy.OPERATIONS))


@pytest.mark.parametrize(
  ('spec', 'match'),
  [
    ('', 'like'),
    ('crop(2', "got 'crop\\(2'"),
    ('crop(2)|', 'policy'),
    ('crop(2)+flip', 'policy'),
    ('crop(2).flip', 'policy'),
    ('crop(2)(3)', 'policy'),
    ("__import__('os').system('true')", 'policy'),
    ('crop(__import__)', 'policy'),
    ('crop(1 + 1)', 'policy'),
    ('crop([2])', 'policy'),
    ('crop(True)', 'policy'),
    ('crop(*(2,))', 'policy'),
    ("crop(**{'padding': 2})", 'policy'),
    ('lambda: 1', 'policy'),
    ('(' * 300 + ')' * 300, 'policy'),
    ('flp', "Did you mean 'flip'"),
    ('flip|rand_augment(2, 9)', "Did you mean 'randaugment'"),
    ('crop', 'crop must be given padding'),
    ('crop()', 'padding: a whole number, mode: a string'),
    ('crop(2.5)', 'padding of crop must be a whole number, got 2.5'),
    ("crop('2')", 'whole number'),
    ('crop(-1)', 'padding must be at least 0, got -1'),
    ("crop(2, mode='wrap')", 'reflect'),
    ('crop(2, pading=3)', "Did you mean 'padding'"),
    ('crop(2, padding=3)', 'twice'),
    ('flip(probability=0.1, probability=0.2)', 'twice'),
    ("crop(1, 'edge', 3)", 'at most 2 arguments'),
    ('none(1)', 'at most 0 arguments'),
    ('flip(2)', 'probability must be 0 … 1'),
    ('resized_crop(0.2)', 'pair of numbers, got 0.2'),
    ('resized_crop((0.2, 0.3, 0.4))', 'pair of numbers'),
    ('resized_crop((0.5, 0.2))', 'scale must be'),
    ('randaugment(0)', 'layers'),
    ('randaugment(2, 99)', 'magnitude'),
    ('simclr(strength=-1)', 'strength'),
  ],
)
def test_text_that_is_no_policy(spec, match):
  with pytest.raises(errors.UsageError, match=match):
    augment.build(spec)


def test_images_of_another_kind_are_refused():
  with pytest.raises(errors.DataError, match='float32'):
    augment.build('flip')(jax.random.key(0), np.zeros((1, 4, 4, 3), np.uint8))
