"""Tests of overlap.data.augment.on_host, against the operations on batches."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from overlap.core import errors
from overlap.data import augment, images, pipeline
from overlap.data.augment import (
  geometry,
  on_host,
  on_host_rand_augment,
  rand_augment,
)
from overlap.data.examples import ArrayExamples, Examples
from overlap.data.preparation import Preparation

POLICY = 'resized_crop|flip|randaugment'
HOW = Preparation(48, interpolation='bilinear')


def photograph(height, width, channels=3, seed=0):
  """Smooth, so that how an edge is interpolated is of little matter."""
  rng = np.random.default_rng(seed)
  coarse = rng.random((1, 6, 6, channels), np.float32)
  shape = (1, height, width, channels)
  smooth = jax.image.resize(jnp.asarray(coarse), shape, 'cubic')
  return np.asarray(jnp.clip(smooth * 255, 0, 255)).astype(np.uint8)[0]


class Originals(Examples):
  """Photographs of different sizes, which `read` makes square."""

  sizes = ((70, 50), (40, 90), (64, 64), (33, 47), (81, 35))

  def __init__(self):
    super().__init__(
      dataset='photographs', split='train', class_names=['a'], channels=3,
      ids=[str(i) for i in range(5)], image_size=8,
    )  # fmt: skip
    self.photographs = [
      photograph(*size, seed=i) for i, size in enumerate(self.sizes)
    ]

  def read(self, indices):
    raise AssertionError('the squares were read')

  def read_originals(self, indices, make, shape):
    made = [
      make(i, images.from_array(self.photographs[j]))
      for i, j in enumerate(indices)
    ]
    return np.stack(made), np.zeros(len(indices), int)


@pytest.mark.parametrize('shape', [(40, 40), (37, 52), (30, 21)])
def test_the_box_is_that_of_the_operation_on_batches(monkeypatch, shape):
  drawn = np.random.default_rng(0).random((50, 22), np.float32)
  drawn[0, 10:20] = 0  # Narrow ...
  drawn[0, :10] = 1 - 1e-6  # ... and as large as the image: none fits.
  monkeypatch.setattr(
    geometry.draws, 'uniform',
    lambda *_: jnp.asarray(drawn).T[:, :, None, None, None],
  )  # fmt: skip
  scale, ratio = (0.08, 1.0), (3 / 4, 4 / 3)
  expected = geometry.random_boxes(
    jax.random.key(0), (50, *shape, 3), scale=scale, ratio=ratio
  )
  got = [on_host.random_box(row, *shape, scale, ratio) for row in drawn]
  np.testing.assert_allclose(got, np.stack(expected, 1), rtol=1e-4, atol=1e-3)
  assert got[0] == (0, 0, *shape)


@pytest.mark.parametrize(
  ('shape', 'channels'), [((120, 90), 3), ((33, 70), 3), ((64, 64), 1)]
)
def test_the_cut_is_that_of_the_operation_on_batches(shape, channels):
  image = photograph(*shape, channels)
  one = on_host.build('resized_crop', 1, HOW)
  draws = np.random.default_rng(1).random((8, one.num_draws))
  for row in draws:
    top, left, height, width = on_host.random_box(
      row, *shape, (0.08, 1.0), (3 / 4, 4 / 3)
    )
    expected = geometry.crop_and_resize(
      jnp.asarray(image[None], jnp.float32) / 255,
      geometry._resampling(
        jnp.array([top]), jnp.array([height]), shape[0], HOW.size
      ),
      geometry._resampling(
        jnp.array([left]), jnp.array([width]), shape[1], HOW.size
      ),
    )[0]
    made = one.make(images.from_array(image), row)
    assert made.shape == (48, 48, channels)
    np.testing.assert_allclose(made, expected * 255, atol=1.6)


@pytest.mark.parametrize('channels', [3, 1])
@pytest.mark.parametrize('sign', [-1, 1])
@pytest.mark.parametrize('name', rand_augment.OPERATIONS)
def test_randaugment_does_what_the_operation_on_batches_does(
  name, sign, channels
):
  image = photograph(40, 60, channels)
  made = images.to_array(
    on_host_rand_augment.apply_operation(
      images.from_array(image), name, sign, 0.9, 0.5
    )
  )
  code = rand_augment.OPERATIONS.index(name)
  expected = rand_augment.apply_operation(
    jnp.asarray(image[None], jnp.float32) / 255,
    jnp.full((1, 1, 1, 1), code),
    jnp.full((1, 1, 1, 1), float(sign)),
    strength=0.9,
    fill=0.5,
  )
  expected = np.asarray(expected)[0] * 255
  difference = np.abs(made - expected)
  # Pillow does not blend a warped image's border with what is around it, and
  # where levels are lifted apart, one level too many is several.
  assert np.mean(difference > 2) < 0.05
  assert np.median(difference) <= 1


def test_draws_of_a_layer_choose_among_all_operations(monkeypatch):
  chosen = []
  monkeypatch.setattr(
    on_host_rand_augment, 'apply_operation',
    lambda image, *what: chosen.append(what) or image,
  )  # fmt: skip
  one = on_host.build('resized_crop|randaugment(2, 5)', 2, HOW)
  rng = np.random.default_rng(0)
  for row in rng.random((400, one.num_draws)):
    one.make(images.from_array(photograph(9, 9)), row)
  names = [name for name, *_ in chosen]
  counts = [names.count(name) for name in rand_augment.OPERATIONS]
  assert sum(counts) == 800
  # 57.1 expected, with a standard deviation of 7.3.
  assert 25 < min(counts) <= max(counts) < 90
  assert {what[1:] for what in chosen} == {(-1, 0.5, 0.5), (1, 0.5, 0.5)}


def test_a_flip_mirrors_half_of_the_images():
  image = photograph(48, 48)
  plain = on_host.build('resized_crop((1, 1), (1, 1))|flip', 2, HOW)
  made = [
    plain.make(images.from_array(image), row)
    for row in np.random.default_rng(0).random((40, plain.num_draws))
  ]
  mirrored = [np.array_equal(one, image[:, ::-1]) for one in made]
  same = [np.array_equal(one, image) for one in made]
  assert sum(mirrored) + sum(same) == 40
  assert 8 < sum(mirrored) < 32


def test_batches_are_made_of_originals_step_by_step():
  one = on_host.build(POLICY, 3, HOW)

  def batches(start=0, index=0, count=1, seed=3):
    return list(
      pipeline.batches(
        Originals(), batch_size=4, seed=seed, start_step=start, total_steps=6,
        process_index=index, process_count=count, on_host=one,
      )
    )  # fmt: skip

  whole = batches()
  assert [batch['image'].shape for batch in whole] == 6 * [(4, 48, 48, 3)]
  # A run that goes on, and two processes, see what an unbroken one would.
  for got, expected in zip(batches(start=4), whole[4:], strict=True):
    np.testing.assert_array_equal(got['image'], expected['image'])
  halves = zip(batches(index=0, count=2), batches(index=1, count=2))
  for (first, second), expected in zip(halves, whole, strict=True):
    both = np.concatenate([first['image'], second['image']])
    np.testing.assert_array_equal(both, expected['image'])
  # Neither is a photograph cut twice in one way, nor by two seeds.
  every = np.concatenate([batch['image'] for batch in whole])
  assert len(np.unique(every.reshape(24, -1), axis=0)) == 24
  assert not np.array_equal(batches(seed=4)[0]['image'], whole[0]['image'])


def test_two_views_of_an_image_are_cut_independently():
  one = on_host.build('resized_crop', 1, HOW, views=2)
  (batch,) = pipeline.batches(
    Originals(), batch_size=3, seed=0, total_steps=1, on_host=one
  )
  assert batch['image'].shape == (3, 2, 48, 48, 3)
  first, second = batch['image'][:, 0], batch['image'][:, 1]
  assert all(not np.array_equal(a, b) for a, b in zip(first, second))


def test_images_in_memory_are_their_own_originals():
  pixels = np.stack([photograph(20, 20, seed=i) for i in range(3)])
  examples = ArrayExamples(
    dataset='d', split='s', images=pixels, labels=np.arange(3),
    ids=['a', 'b', 'c'], class_names=['x', 'y', 'z'],
  )  # fmt: skip
  whole = on_host.build(
    'resized_crop((1, 1), (1, 1))', 1, Preparation(20, channel_order='bgr')
  )
  (batch,) = pipeline.batches(
    examples, batch_size=3, seed=0, total_steps=1, on_host=whole
  )
  np.testing.assert_array_equal(
    batch['image'], pixels[batch['label']][..., ::-1]
  )


def test_without_antialiasing_a_box_is_resized_as_tensorflow_does():
  image = photograph(90, 70)
  one = on_host.build(
    'resized_crop((1, 1), (1, 1))', 1, Preparation(35, antialias=False)
  )
  made = one.make(images.from_array(image), np.zeros(one.num_draws))
  # The square of the area of the image does not fit: all of it is taken.
  assert made.shape == (35, 35, 3)
  np.testing.assert_allclose(made[17, 17], image[45, 35], atol=12)


@pytest.mark.parametrize(
  ('spec', 'count', 'match'),
  [
    ('flip|resized_crop', 1, 'must be a resized_crop'),
    ('resized_crop|grayscale', 2, "perhaps followed by flip, .*'resized_crop"),
    ('resized_crop', 2, '0 to 1 can be taken, got 2'),
    ('resized_crop(size=9)', 1, 'got size=9'),
    ('resized_crop((2, 3))', 1, 'scale'),
    ('resized_crop|flp', 2, "'flip'"),
  ],
)
def test_what_can_not_be_done_is_one_line(spec, count, match):
  with pytest.raises(errors.UsageError, match=match):
    on_host.build(spec, count, HOW)


@pytest.mark.parametrize('count', [0, 1, 2, 3])
def test_a_policy_taken_apart_is_the_policy(count):
  spec = 'resized_crop((0.5, 1))|flip(probability=0.25)|randaugment(1, 7)'
  first, rest = augment.split(spec, count)
  assert [name for name, _ in first] == [
    'resized_crop', 'flip', 'randaugment'
  ][:count]  # fmt: skip
  assert len(rest.split('|')) == max(3 - count, 1)
  whole = jnp.asarray(photograph(16, 16)[None], jnp.float32) / 255
  built = augment.build(rest)(jax.random.key(0), whole)
  if count == 3:
    assert rest == 'none'
    np.testing.assert_array_equal(built, whole)
  if count == 0:
    np.testing.assert_array_equal(
      built, augment.build(spec)(jax.random.key(0), whole)
    )
  assert dict(augment.split(spec, 3)[0]) == {
    'resized_crop': {'scale': (0.5, 1)},
    'flip': {'probability': 0.25},
    'randaugment': {'layers': 1, 'magnitude': 7},
  }
