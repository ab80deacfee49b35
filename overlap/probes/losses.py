"""Losses of logits `[problems, classes, examples]`, each with its gradient.

Written so that float32 keeps its digits where an example is fitted well: a
probability near 1 is never subtracted from 1, and a loss near 0 is never a
difference of large numbers. Line searches need that near the optimum.
"""

import jax
import jax.numpy as jnp


def softmax(
  logits: jax.Array, labels: jax.Array, weights: jax.Array
) -> tuple[jax.Array, jax.Array, jax.Array]:
  """Cross-entropy of one class an example.

  Args:
    logits: `[p, k, n]`.
    labels: int `[n]`.
    weights: `[n]`, of the examples.

  Returns:
    The weighted sums of the losses `[p, 1]` in nats; the gradients by the
    logits, `[p, k, n]`; and the weighted sums of the losses' curvatures by
    the logits, `[p, 1]`.
  """
  label = (jnp.arange(logits.shape[1])[:, None] == labels[None])[None]
  own = jnp.sum(jnp.where(label, logits, 0), axis=1, keepdims=True)
  rivals = jnp.where(label, -jnp.inf, logits - own)
  # Of a single class there are no rivals.
  top = jnp.maximum(jnp.max(rivals, axis=1, keepdims=True), 0)
  exponentials = jnp.exp(rivals - top)
  rest = jnp.sum(exponentials, axis=1, keepdims=True)
  total = rest + jnp.exp(-top)
  loss = jnp.where(top > 0, top + jnp.log(total), jnp.log1p(rest))
  weights = weights[None, None]
  # The probability of each class; of the label, that of all others.
  probs = jnp.where(label, rest, exponentials) / total
  grad = jnp.where(label, -probs, probs) * weights
  bend = jnp.sum(probs * (1 - probs), axis=1, keepdims=True) * weights
  return jnp.sum(loss * weights, axis=2), grad, jnp.sum(bend, axis=2)


def sigmoid(
  logits: jax.Array, labels: jax.Array, weights: jax.Array
) -> tuple[jax.Array, jax.Array, jax.Array]:
  """Binary cross-entropy of each class by itself.

  Args:
    logits: `[p, k, n]`.
    labels: `[k, n]`, 1 where the example has the class, else 0.
    weights: `[n]`, of the examples.

  Returns:
    The weighted sums of the losses `[p, k]`, the gradients `[p, k, n]`, and
    the weighted sums of the curvatures `[p, k]`.
  """
  sign = jnp.where(labels > 0, -1.0, 1.0)[None]
  wrong = sign * logits
  weights = weights[None, None]
  prob = jax.nn.sigmoid(wrong)
  return (
    jnp.sum(jax.nn.softplus(wrong) * weights, axis=2),
    sign * prob * weights,
    jnp.sum(prob * (1 - prob) * weights, axis=2),
  )
