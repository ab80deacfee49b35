"""Loss functions of arrays, which return one value per example."""

import jax
import jax.numpy as jnp


def cross_entropy(
  logits: jax.Array, labels: jax.Array, label_smoothing: float = 0.0
) -> jax.Array:
  """Cross-entropy with label smoothing (Szegedy et al. 2016).

  Args:
    logits: logits `[examples, classes]`.
    labels: labels, int `[examples]`.
    label_smoothing: share of the target spread evenly over all classes.

  Returns:
    Losses in nats, `[examples]`.
  """
  log_probs = jax.nn.log_softmax(logits)
  picked = jnp.take_along_axis(log_probs, labels[:, None], axis=-1)[:, 0]
  smoothed = jnp.mean(log_probs, axis=-1)
  return -(1 - label_smoothing) * picked - label_smoothing * smoothed


def soft_targets(logits: jax.Array, targets: jax.Array) -> jax.Array:
  """Cross-entropy to distributions `[examples, classes]`, nats `[examples]`."""
  return -jnp.sum(targets * jax.nn.log_softmax(logits), axis=-1)


def soft_cross_entropy(
  logits: jax.Array, teacher_logits: jax.Array, temperature: float = 1.0
) -> jax.Array:
  """Distillation loss to a teacher's distribution (Hinton et al. 2015).

  Args:
    logits: logits of the student, `[examples, classes]`.
    teacher_logits: logits of the teacher, `[examples, classes]`.
    temperature: divisor of both logits; the loss is multiplied by its square,
      so that gradients keep their scale.

  Returns:
    Kullback-Leibler divergence from the teacher in nats, `[examples]`.
  """
  teacher = jax.nn.log_softmax(teacher_logits / temperature)
  student = jax.nn.log_softmax(logits / temperature)
  divergence = jnp.sum(jnp.exp(teacher) * (teacher - student), axis=-1)
  return divergence * temperature**2


def nt_xent(
  first: jax.Array, second: jax.Array, temperature: float
) -> jax.Array:
  """SimCLR's normalised temperature-scaled cross-entropy (Chen et al. 2020).

  Under `jit` over a mesh the batch is the global batch, so the negatives come
  from all devices.

  Args:
    first: projections of one view, `[examples, D]`, of any length.
    second: projections of the other view, in the same order.
    temperature: divisor of the cosines.

  Returns:
    Losses in nats, `[examples]`: the mean over the two views as anchors, each
    against the other 2·examples - 1 views.
  """
  views = _unit(jnp.concatenate([first, second]))
  similarity = views @ views.T / temperature
  count = len(views)
  similarity = jnp.where(jnp.eye(count, dtype=bool), -jnp.inf, similarity)
  partner = (jnp.arange(count) + count // 2) % count
  losses = cross_entropy_rows(similarity, partner)
  return (losses[: count // 2] + losses[count // 2 :]) / 2


def cosines(images: jax.Array, texts: jax.Array) -> jax.Array:
  """Cosine similarities of all images and all texts.

  Args:
    images: features of images, `[images, D]`, of any length.
    texts: features of texts, `[texts, D]`, of any length.

  Returns:
    Cosines `[images, texts]`.
  """
  return _unit(images) @ _unit(texts).T


def info_nce(logits: jax.Array, label_smoothing: float = 0.0) -> jax.Array:
  """CLIP's symmetric contrastive loss (Radford et al. 2021).

  Under `jit` over a mesh the batch is the global batch, so the negatives come
  from all devices.

  Args:
    logits: logits of all images and all texts, `[examples, examples]`, with
      the pairs on the diagonal.
    label_smoothing: see `cross_entropy`; ALIGN's is 0.1.

  Returns:
    Losses in nats, `[examples]`: the mean of the image-to-text and
    text-to-image cross-entropies.
  """
  labels = jnp.arange(len(logits))
  return (
    cross_entropy(logits, labels, label_smoothing)
    + cross_entropy(logits.T, labels, label_smoothing)
  ) / 2


def cross_entropy_rows(logits: jax.Array, target: jax.Array) -> jax.Array:
  """Cross-entropy where some logits are minus infinity, `[rows]`."""
  picked = jnp.take_along_axis(logits, target[:, None], axis=-1)[:, 0]
  return jax.nn.logsumexp(logits, axis=-1) - picked


def _unit(features: jax.Array) -> jax.Array:
  norms = jnp.linalg.norm(features, axis=-1, keepdims=True)
  return features / jnp.maximum(norms, 1e-12)
