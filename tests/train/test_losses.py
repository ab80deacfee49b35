"""Losses against their definitions, one example at a time."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from overlap.train import losses

torch = pytest.importorskip('torch')


def random(shape, seed=0):
  return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


@pytest.mark.parametrize('smoothing', [0.0, 0.1, 0.9])
@pytest.mark.parametrize(('examples', 'classes'), [(1, 2), (7, 10), (3, 1)])
def test_cross_entropy_equals_pytorch(examples, classes, smoothing):
  logits = 5 * random((examples, classes))
  labels = np.arange(examples) % classes
  expected = torch.nn.functional.cross_entropy(
    torch.tensor(logits),
    torch.tensor(labels),
    label_smoothing=smoothing,
    reduction='none',
  ).numpy()
  got = losses.cross_entropy(jnp.array(logits), jnp.array(labels), smoothing)
  np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize('temperature', [1.0, 4.0])
def test_soft_cross_entropy_equals_pytorch(temperature):
  student, teacher = random((5, 4)), 3 * random((5, 4), 1)
  expected = (
    torch.nn.functional.kl_div(
      torch.log_softmax(torch.tensor(student) / temperature, -1),
      torch.softmax(torch.tensor(teacher) / temperature, -1),
      reduction='none',
    )
    .sum(-1)
    .numpy()
    * temperature**2
  )
  got = losses.soft_cross_entropy(
    jnp.array(student), jnp.array(teacher), temperature
  )
  np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-6)
  same = losses.soft_cross_entropy(
    jnp.array(teacher), jnp.array(teacher), temperature
  )
  np.testing.assert_allclose(same, 0, atol=1e-6)


def naive_nt_xent(first, second, temperature):
  """Equation 1 of Chen et al. 2020, anchor by anchor in float64."""
  views = np.concatenate([first, second]).astype(np.float64)
  views /= np.linalg.norm(views, axis=1, keepdims=True)
  count = len(first)

  def anchor(i, j):
    cosines = np.exp(views @ views[i] / temperature)
    others = sum(c for k, c in enumerate(cosines) if k != i)
    return -np.log(cosines[j] / others)

  return np.array(
    [(anchor(i, i + count) + anchor(i + count, i)) / 2 for i in range(count)]
  )


@pytest.mark.parametrize('examples', [1, 2, 7])
def test_nt_xent_equals_the_definition(examples):
  first, second = random((examples, 6)), random((examples, 6), 1)
  got = losses.nt_xent(jnp.array(first), jnp.array(second), 0.3)
  np.testing.assert_allclose(
    got, naive_nt_xent(first, second, 0.3), rtol=1e-4, atol=1e-5
  )


@pytest.mark.parametrize('examples', [1, 2, 7])
@pytest.mark.parametrize('smoothing', [0.0, 0.1])
def test_info_nce_equals_the_definition(examples, smoothing):
  """Radford et al. 2021, figure 3, pair by pair in float64."""
  images, texts = random((examples, 6)), 3 * random((examples, 6), 1)
  scale = 7.0

  def unit(x):
    return x.astype(np.float64) / np.linalg.norm(x, axis=1, keepdims=True)

  def choose(anchor, others, right):
    scores = scale * others @ anchor
    logs = scores - np.log(np.sum(np.exp(scores)))
    return -(1 - smoothing) * logs[right] - smoothing * logs.mean()

  first, second = unit(images), unit(texts)
  expected = [
    (choose(first[i], second, i) + choose(second[i], first, i)) / 2
    for i in range(examples)
  ]
  logits = scale * losses.cosines(jnp.array(images), jnp.array(texts))
  got = losses.info_nce(logits, smoothing)
  np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-5)


def test_nt_xent_has_finite_gradients_at_zero_features():
  grads = jax.grad(lambda x: jnp.mean(losses.nt_xent(x, x + 0.0, 0.5)))(
    jnp.ones((3, 4))
  )
  assert np.all(np.isfinite(grads))
