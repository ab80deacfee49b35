"""Feedback of a teacher from its student's next step (Pham et al. 2021).

The student's step is one of plain gradient descent on the teacher's labels;
the teacher is to lower the student's loss on real labels after it.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax

from overlap.train import losses

GRADIENTS = ('exact', 'sampled')


def loss(
  pseudo: Callable[[Any, jax.Array], tuple[jax.Array, Any]],
  labelled: Callable[[Any], tuple[jax.Array, Any]],
  student: Any,
  logits: jax.Array,
  *,
  gradient: str,
  step_size: float,
  key: jax.Array,
) -> tuple[jax.Array, jax.Array, tuple[jax.Array, Any]]:
  """A loss whose gradient is the teacher's.

  Args:
    pseudo: the student's loss, `(params, targets [examples, classes]) ->
      (loss, anything)`, a mean over the unlabelled examples.
    labelled: its loss on real labels, `params -> (loss, anything)`.
    student: its parameters, by which nothing is differentiated here.
    logits: logits of the teacher for the unlabelled examples, `[examples,
      classes]`.
    gradient: 'exact': the student learns the teacher's distribution, and its
      loss after the step is differentiated through the step; or 'sampled': it
      learns one class drawn from it, and the teacher is led towards the drawn
      classes, or away from them, by the product of the student's gradients
      before and after the step, the paper's equation 12.
    step_size: size of the student's step.
    key: key of the draw.

  Returns:
    The loss, the student's targets, not to be differentiated, and what
    `labelled` gives after the step.
  """
  student = jax.lax.stop_gradient(student)
  exact = gradient == 'exact'
  if exact:
    targets = jax.nn.softmax(logits)
  else:
    drawn = jax.random.categorical(key, jax.lax.stop_gradient(logits))
    targets = jax.nn.one_hot(drawn, logits.shape[-1], dtype=logits.dtype)
  before, _ = jax.grad(pseudo, has_aux=True)(student, targets)
  after = jax.tree.map(lambda p, g: p - step_size * g, student, before)
  fixed = jax.lax.stop_gradient(targets)
  if exact:
    result = labelled(after)
    return result[0], fixed, jax.lax.stop_gradient(result)
  result, slope = jax.value_and_grad(labelled, has_aux=True)(after)
  product = step_size * optax.tree.vdot(slope, before)
  towards = jnp.mean(losses.soft_targets(logits, fixed))
  return jax.lax.stop_gradient(product) * towards, fixed, result
