"""Feedback of a teacher from its student's next step (Pham et al. 2021).

The student takes a step of plain gradient descent on the teacher's labels; the
teacher learns to lower the student's loss on real labels after that step.
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
  """Returns a loss whose gradient is the teacher's feedback.

  Args:
    pseudo: the student's loss on the teacher's labels, `(params, targets
      [examples, classes]) -> (loss, aux)`, a mean over the unlabelled examples.
    labelled: the student's loss on real labels, `params -> (loss, aux)`.
    student: parameters of the student, treated as constants.
    logits: logits of the teacher for the unlabelled examples, `[examples,
      classes]`.
    gradient: 'exact' or 'sampled'. 'exact': the student learns the teacher's
      distribution, and its loss after the step is differentiated through the
      step. 'sampled': the student learns one class drawn from the distribution,
      and the teacher is moved towards or away from the drawn classes by the
      dot product of the student's gradients before and after the step (equation
      12 of the paper).
    step_size: step size of the student.
    key: random key of the draw.

  Returns:
    The loss; the student's targets, without gradient; and the value of
    `labelled` after the step.
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
