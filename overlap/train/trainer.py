"""One model from its settings to its variables."""

import functools
from collections.abc import Callable, Iterator
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from absl import logging

from overlap import errors, inference, lookup, parallel, progress, train
from overlap.data import views
from overlap.data.examples import Examples
from overlap.models import checkpoints
from overlap.probes import selection
from overlap.train import lengths, zero_shot
from overlap.train.task import Task


def train_model(task: Task) -> tuple[Any, dict[str, Any]]:
  """Initialises or loads, trains, fits the head.

  Returns:
    The variables on the host, and what is worth recording: which weights were
    loaded, the held-out accuracy, and how the head was fitted where it was.
  """
  method = lookup.lookup(
    'training method', task.settings['method'], train.METHODS
  )
  initial, notes = _initial(task)
  variables = method(task, initial)
  if task.settings['head']['fit'] == 'lbfgs':
    variables, choice = fit_head(task, variables)
    # The head is refitted with the held-out examples: what it scores on them
    # from then on says nothing.
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
  """The variables' shapes, without computing any."""
  return abstract_variables(task.model, task.model_input)


def abstract_variables(model: nn.Module, model_input: inference.Input) -> Any:
  """The shapes of a model's variables; nothing is computed or compiled."""
  key = jax.eval_shape(lambda: jax.random.key(0))
  return jax.eval_shape(_init_function(model, model_input.shape()), key)


def initial_variables(task: Task) -> Any:
  """Random variables from the seed, or those of a checkpoint.

  A checkpoint's classifier is kept where it is the one to be used, and left
  out where the head is fitted or trained here, or made of texts. Whatever else
  the checkpoint lacks stays random where `init.strict` is off.
  """
  return _initial(task)[0]


def _initial(task: Task) -> tuple[Any, dict[str, Any]]:
  """`initial_variables`, and 'weights' where they are from a file."""
  settings = task.settings

  @functools.cache
  def random() -> Any:
    return jax.device_get(_init(task)(jax.random.key(settings['seed'])))

  path = settings['init']['checkpoint']
  if not path:
    return random(), {}
  # Before anything is compiled: a file may be absent.
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
  # Where both towers are trained here, the head waits for them.
  if fit == 'zero_shot' and settings['method'] != 'image_text':
    loaded['params']['head'] = zero_shot.head(task)
  # An empty collection has no leaf, and so is in no file.
  return {'batch_stats': {}, **loaded}, {'weights': held.record()}


def features(
  task: Task, variables: Any, examples: Examples
) -> tuple[np.ndarray, np.ndarray]:
  """Features `[n, D]` and labels `[n]` of a split, in inference mode.

  Each process computes those of its own rows, and gets all.
  """
  outputs = list(_run(task, variables, examples, 'features'))
  width = variables['params']['head']['kernel'].shape[0]
  return (
    parallel.gather_rows(
      np.concatenate(
        [np.zeros((0, width), np.float32), *(o.features for o in outputs)]
      )
    ),
    parallel.gather_rows(
      np.concatenate([np.zeros(0, np.int32), *(o.labels for o in outputs)])
    ),
  )


def fit_head(task: Task, variables: Any) -> tuple[Any, selection.Selection]:
  """Fits the classifier on frozen features by L-BFGS (Sec. 4.6, A.5).

  Raises:
    UsageError: there is no held-out split to choose the L2 strength on.
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
  # All processes have all rows: each counts as often as there are processes,
  # which leaves every mean as it is.
  choice = selection.select(
    train_features,
    train_labels,
    heldout_features,
    heldout_labels,
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
  """Top-1 accuracy over a split, as a fraction."""
  right = 0
  for outputs in _run(task, variables, examples, 'accuracy'):
    right += int(np.sum(np.argmax(outputs.logits, -1) == outputs.labels))
  total = parallel.sum_over_processes(np.asarray([right], np.int64))
  return int(total[0]) / len(examples)


def _run(
  task: Task, variables: Any, examples: Examples, what: str
) -> Iterator[inference.Outputs]:
  """The model's outputs for this process's rows of a split."""
  start, stop = parallel.own_rows(len(examples))
  outputs = inference.run(
    inference.forward_function(task.model, task.model_input),
    variables,
    examples,
    batch_size=task.batch_size,
    num_threads=task.num_threads,
    start=start,
    stop=stop,
  )
  return progress.track(
    outputs,
    total=-(-(stop - start) // task.batch_size),
    what=f'{task.name}: {what} on {examples.split}',
    unit='batch',
  )


@functools.cache
def _init_function(model: nn.Module, shape: tuple[int, ...]) -> Callable:
  """Returns the jitted `key -> variables`."""

  def init(key):
    variables = model.init({'params': key}, jnp.zeros(shape), train=False)
    return {
      'params': variables['params'],
      'batch_stats': variables.get('batch_stats', {}),
    }

  return jax.jit(init)


def _init(task: Task) -> Callable:
  return _init_function(task.model, task.model_input.shape())
