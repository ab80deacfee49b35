"""Losses of logits `[problems, classes, examples]`, each with its gradient.

Written to keep float32 precision where an example is fitted well: a
probability near 1 is never subtracted from 1, and a loss near 0 is never a
difference of large numbers. Line searches need that near the optimum.
"""

import jax
import jax.numpy as jnp


def softmax(
  logits: jax.Array, labels: jax.Array, weights: jax.Array
) -> tuple[jax.Array, jax.Array, jax.Array]:
  """Softmax cross-entropy with one label per example.

  Args:
    logits: logits `[p, k, n]`.
    labels: labels, int `[n]`.
    weights: weights of the examples, `[n]`.

  Returns:
    Weighted sums of the losses `[p, 1]` in nats; gradients with respect to the
    logits, `[p, k, n]`; and weighted sums of the traces of the Hessians with
    respect to the logits, `[p, 1]`.
  """
  label = (jnp.arange(logits.shape[1])[:, None] == labels[None])[None]
  own = jnp.sum(jnp.where(label, logits, 0), axis=1, keepdims=True)
  rivals = jnp.where(label, -jnp.inf, logits - own)
  # With a single class there are no rivals.
  top = jnp.maximum(jnp.max(rivals, axis=1, keepdims=True), 0)
  exponentials = jnp.exp(rivals - top)
  rest = jnp.sum(exponentials, axis=1, keepdims=True)
  total = rest + jnp.exp(-top)
  loss = jnp.where(top > 0, top + jnp.log(total), jnp.log1p(rest))
  weights = weights[None, None]
  # Probability of each class; for the label, one minus its probability.
  probs = jnp.where(label, rest, exponentials) / total
  grad = jnp.where(label, -probs, probs) * weights
  bend = jnp.sum(probs * (1 - probs), axis=1, keepdims=True) * weights
  return jnp.sum(loss * weights, axis=2), grad, jnp.sum(bend, axis=2)


def sigmoid(
  logits: jax.Array, labels: jax.Array, weights: jax.Array
) -> tuple[jax.Array, jax.Array, jax.Array]:
  """Binary cross-entropy of each class on its own.

  Args:
    logits: logits `[p, k, n]`.
    labels: labels `[k, n]`, 1 where the example has the class, else 0.
    weights: weights of the examples, `[n]`.

  Returns:
    Weighted sums of the losses `[p, k]` in nats, gradients with respect to the
    logits `[p, k, n]`, and weighted sums of the second derivatives `[p, k]`.
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
