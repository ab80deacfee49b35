"""Small instances of every family, and timm's models as independent ones."""

import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import traverse_util

_STATISTICS = {'running_mean': 'mean', 'running_var': 'var'}


@pytest.fixture
def count_parameters():
  """Counts a model's parameters without computing them."""

  def count(model, image=(1, 224, 224, 3)):
    variables = jax.eval_shape(model.init, jax.random.key(0), jnp.zeros(image))
    return sum(leaf.size for leaf in jax.tree.leaves(variables['params']))

  return count


@pytest.fixture
def assert_equals_timm():
  """Checks logits and features against timm's model of the same weights.

  The weights are random, and so are the scales and statistics of norms.
  `rename` takes the name of a layer in timm to ours; `join` may take tensors
  that are no layer's out of timm's state, and returns our leaves for them.
  """
  torch = pytest.importorskip('torch')
  with warnings.catch_warnings():
    warnings.simplefilter('ignore')
    timm = pytest.importorskip('timm')

  def check(model, timm_name, rename, image, *, join=None, **timm_options):
    torch.manual_seed(0)
    theirs = timm.create_model(
      timm_name, num_classes=model.num_classes, **timm_options
    ).eval()
    _randomise(theirs, torch)
    state = {name: v.numpy() for name, v in theirs.state_dict().items()}
    x = np.random.default_rng(0).normal(size=image).astype('f')
    template = jax.eval_shape(model.init, jax.random.key(0), x)
    leaves = join(state) if join else {}
    leaves |= _leaves(state, rename)
    wanted = traverse_util.flatten_dict(template, sep='/')
    assert leaves.keys() == wanted.keys()
    variables = traverse_util.unflatten_dict(
      {k: leaves[k].reshape(wanted[k].shape) for k in wanted}, sep='/'
    )
    got, got_features = jax.jit(model.apply)(variables, x)
    with torch.no_grad():
      images = torch.from_numpy(x.transpose(0, 3, 1, 2).copy())
      inner = theirs.forward_features(images)
      features = theirs.forward_head(inner, pre_logits=True)
      logits = theirs.forward_head(inner)
    for ours, want in [(got, logits.numpy()), (got_features, features.numpy())]:
      # Examples differ, so that equality says something.
      assert np.std(want, axis=0).mean() > 0.01
      atol = 1e-4 * np.abs(want).max()
      np.testing.assert_allclose(ours, want, rtol=1e-4, atol=atol)

  return check


def _randomise(theirs, torch):
  with torch.no_grad():
    for name, parameter in theirs.named_parameters():
      if parameter.ndim == 1 and name.endswith('weight'):
        parameter.uniform_(0.5, 1.5)
      elif parameter.ndim == 1:
        parameter.normal_(0, 0.3)
      elif parameter.ndim == 2:
        parameter.normal_(0, parameter.shape[1] ** -0.5)
    for name, buffer in theirs.named_buffers():
      if name.endswith('running_mean'):
        buffer.normal_(0, 0.3)
      elif name.endswith('running_var'):
        buffer.uniform_(0.5, 1.5)


def _leaves(state, rename):
  leaves = {}
  for name, value in state.items():
    layer, _, kind = name.rpartition('.')
    if kind == 'num_batches_tracked':
      continue
    path = rename(layer)
    if kind in _STATISTICS:
      leaves[f'batch_stats/{path}/{_STATISTICS[kind]}'] = value
    elif kind == 'bias':
      leaves[f'params/{path}/bias'] = value
    elif value.ndim == 1:
      leaves[f'params/{path}/scale'] = value
    else:
      # Outputs and inputs come first there and last here.
      axes = (2, 3, 1, 0) if value.ndim == 4 else (1, 0)
      leaves[f'params/{path}/kernel'] = value.transpose(axes)
  return leaves
