"""Training of one model, from its settings to its variables."""

import functools
from collections.abc import Callable, Iterator
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from absl import logging

from overlap import train
from overlap.core import errors, lookup, progress
from overlap.data import views
from overlap.data.examples import Examples
from overlap.distributed import processes
from overlap.models import checkpoints
from overlap.predict import forward
from overlap.probes import selection
from overlap.train import lengths, zero_shot
from overlap.train.task import Task


def train_model(task: Task) -> tuple[Any, dict[str, Any]]:
  """Initialises or loads a model, trains it and fits its head.

  Returns:
    The variables on the host, and notes to record: which weights were loaded,
    the held-out accuracy, and the fit of the head if there was one.
  """
  method = lookup.lookup(
    'training method', task.settings['method'], train.METHODS
  )
  initial, notes = _initial(task)
  variables = method(task, initial)
  if task.settings['head']['fit'] == 'lbfgs':
    variables, choice = fit_head(task, variables)
    # The head is refitted on the held-out examples too, so its accuracy on them
    # is no longer meaningful: record the one before.
    chosen = choice.strengths.index(choice.l2)
    notes |= {
      'head': choice.record(),
      'heldout_accuracy': choice.accuracies[chosen],
    }
  elif task.heldout is not None:
    notes['heldout_accuracy'] = accuracy(task, variables, task.heldout)
  if 'heldout_accuracy' in notes:
    logging.info(
      '%s: held-out accuracy %.2f %%',
      task.name,
      100 * notes['heldout_accuracy'],
    )
  return variables, notes


def template(task: Task) -> Any:
  """Returns the shapes of the variables without computing any."""
  return abstract_variables(task.model, task.model_input)


def abstract_variables(model: nn.Module, model_input: forward.Input) -> Any:
  """Returns the shapes of a model's variables without compiling anything."""
  key = jax.eval_shape(lambda: jax.random.key(0))
  return jax.eval_shape(_init_function(model, model_input.shape()), key)


def initial_variables(task: Task) -> Any:
  """Returns random variables from the seed, or those of a checkpoint.

  The checkpoint's classifier is kept if it is used as it is, and left out if
  the head is fitted, trained or made of texts. Anything else missing from the
  checkpoint stays random if `init.strict` is off.
  """
  return _initial(task)[0]


def _initial(task: Task) -> tuple[Any, dict[str, Any]]:
  """Returns `initial_variables`, and 'weights' if they come from a file."""
  settings = task.settings

  @functools.cache
  def random() -> Any:
    return jax.device_get(_init(task)(jax.random.key(settings['seed'])))

  path = settings['init']['checkpoint']
  if not path:
    return random(), {}
  # Before anything is compiled, since the file may be missing.
  held = checkpoints.read_logged(path)
  fit = settings['head']['fit']
  new_head = fit in ('lbfgs', 'zero_shot') or (
    fit == 'trained' and lengths.is_trained(settings['train'])
  )
  loaded = checkpoints.fill(
    settings['architecture']['name'],
    held.state,
    template=template(task),
    skip_head=new_head,
    initial=None if settings['init']['strict'] else random(),
    what=held.file,
  )
  if new_head:
    # DeiT has two.
    for name in ('head', 'head_dist'):
      if name in random()['params']:
        loaded['params'][name] = random()['params'][name]
  # If both towers are trained here, the head is made after them.
  if fit == 'zero_shot' and settings['method'] != 'image_text':
    loaded['params']['head'] = zero_shot.head(task)
  # Empty collections have no leaves, and so are missing in files.
  return {'batch_stats': {}, **loaded}, {'weights': held.record()}


def features(
  task: Task, variables: Any, examples: Examples
) -> tuple[np.ndarray, np.ndarray]:
  """Returns features `[n, D]` and labels `[n]` of a split, in inference mode.

  Each process computes the features of its own rows; all get all rows.
  """
  outputs = list(_run(task, variables, examples, 'features'))
  width = variables['params']['head']['kernel'].shape[0]
  return (
    processes.gather_rows(
      np.concatenate(
        [np.zeros((0, width), np.float32), *(o.features for o in outputs)]
      )
    ),
    processes.gather_rows(
      np.concatenate([np.zeros(0, np.int32), *(o.labels for o in outputs)])
    ),
  )


def fit_head(task: Task, variables: Any) -> tuple[Any, selection.Selection]:
  """Fits the classifier on frozen features by L-BFGS (Sec. 4.6, A.5).

  Raises:
    UsageError: there is no held-out split to select the L2 strength on.
  """
  settings = task.settings['head']
  if task.heldout is None:
    raise errors.UsageError(
      f"config.models.{task.name}.head.fit='lbfgs' chooses its L2 strength on "
      "the held-out split, got config.data.splits.heldout=''."
    )
  logging.info('%s: features for the L-BFGS head', task.name)
  train_features, train_labels = features(
    task, variables, views.sample(task.train, settings['max_examples'])
  )
  heldout_features, heldout_labels = features(task, variables, task.heldout)
  train = slice(*processes.own_rows(len(train_labels)))
  heldout = slice(*processes.own_rows(len(heldout_labels)))
  choice = selection.select(
    train_features[train],
    train_labels[train],
    heldout_features[heldout],
    heldout_labels[heldout],
    num_classes=len(task.train.class_names),
    strengths=tuple(settings['strengths']),
    normalisation='standardise',
    max_iterations=settings['max_iterations'],
  )
  fitted = choice.probe.raw_params()
  params = dict(variables['params'])
  # DeiT's second head reads the same features: both give the fitted logits.
  params |= {name: fitted for name in ('head', 'head_dist') if name in params}
  return dict(variables) | {'params': params}, choice


def accuracy(task: Task, variables: Any, examples: Examples) -> float:
  """Returns the top-1 accuracy over a split, as a fraction."""
  right = 0
  for outputs in _run(task, variables, examples, 'accuracy'):
    right += int(np.sum(np.argmax(outputs.logits, -1) == outputs.labels))
  total = processes.sum_over_processes(np.asarray([right], np.int64))
  return int(total[0]) / len(examples)


def _run(
  task: Task, variables: Any, examples: Examples, what: str
) -> Iterator[forward.Outputs]:
  """Yields the model's outputs for this process's rows of a split."""
  start, stop = processes.own_rows(len(examples))
  batch_size = processes.own_batch(task.batch_size)
  outputs = forward.run_forward(
    forward.forward_function(task.model, task.model_input),
    variables,
    examples,
    batch_size=batch_size,
    num_threads=task.num_threads,
    start=start,
    stop=stop,
  )
  return progress.track(
    outputs,
    total=-(-(stop - start) // batch_size),
    what=f'{task.name}: {what} on {examples.split}',
    unit='batch',
  )


@functools.cache
def _init_function(model: nn.Module, shape: tuple[int, ...]) -> Callable:
  """Returns the jitted function `key -> variables`."""

  def init(key):
    variables = model.init({'params': key}, jnp.zeros(shape), train=False)
    return {
      'params': variables['params'],
      'batch_stats': variables.get('batch_stats', {}),
    }

  return jax.jit(init)


def _init(task: Task) -> Callable:
  return _init_function(task.model, task.model_input.shape())
