"""Small instances of every family, and timm's models as independent ones."""

import warnings

import jax
import numpy as np
import pytest

from overlap.models import checkpoints

# Images of which the gradient is compared at most.
_DRAWS = 4


@pytest.fixture
def assert_equals_timm():
  """Checks logits and features against timm's model of the same weights.

  The weights are random, and so are the scales and statistics of norms; the
  package's converter brings them over. With `gradient`, that of a sum of
  weighted logits by the images is compared too. `gain` is the variance of the
  kernels times their inputs: 2 but where examples would hardly differ, or where
  a deep model would amplify rounding until timm in float32 differs from timm in
  float64.
  """
  torch = pytest.importorskip('torch')
  with warnings.catch_warnings():
    warnings.simplefilter('ignore')
    timm = pytest.importorskip('timm')

  def check(
    model,
    family,
    timm_name,
    image,
    *,
    gradient=False,
    options=None,
    gain=2.0,
  ):
    torch.manual_seed(0)
    theirs = timm.create_model(
      timm_name, num_classes=model.num_classes, **options or {}
    ).eval()
    _randomise(theirs, torch, gain)
    rng = np.random.default_rng(0)
    state = {name: v.numpy() for name, v in theirs.state_dict().items()}
    template = jax.eval_shape(model.init, jax.random.key(0), np.zeros(image))
    variables = checkpoints.fill(family, state, template=template)
    weights = rng.normal(size=model.num_classes).astype('f')

    # Of the variables too: constants of their size take long to compile.
    def scalar(x, variables):
      logits, features = model.apply(variables, x)
      return (logits @ weights).sum(), (logits, features)

    ours = jax.jit(jax.grad(scalar, has_aux=True) if gradient else scalar)
    errors = []
    for _ in range(_DRAWS if gradient else 1):
      x = rng.normal(size=image).astype('f')
      slopes, got = ours(x, variables)
      images = torch.from_numpy(x.transpose(0, 3, 1, 2).copy())
      images.requires_grad_(gradient)
      with torch.set_grad_enabled(gradient):
        inner = theirs.forward_features(images)
        features = theirs.forward_head(inner, pre_logits=True)
        logits = theirs.forward_head(inner)
      for output, want in zip(got, (logits, features), strict=True):
        want = want.detach().numpy()
        # Examples differ, so that equality says something.
        assert np.std(want, axis=0).mean() > 0.01
        _assert_close(output, want, 1e-4)
      if gradient:
        (logits @ torch.from_numpy(weights)).sum().backward()
        want = images.grad.numpy().transpose(0, 2, 3, 1)
        errors.append(np.linalg.norm(slopes - want) / np.linalg.norm(want))
        if errors[-1] < 1e-3:
          return
    # A rounding error that takes one activation past zero changes the gradient
    # of the pixels that it sees: of a few draws one has none of these, but for
    # a gradient that is another function.
    assert not gradient or min(errors) < 1e-3, errors

  return check


def _assert_close(ours, want, part):
  atol = part * np.abs(want).max()
  np.testing.assert_allclose(ours, want, rtol=part, atol=atol)


def _randomise(theirs, torch, gain):
  with torch.no_grad():
    for name, parameter in theirs.named_parameters():
      if parameter.ndim == 1 and name.endswith('weight'):
        parameter.uniform_(0.5, 1.5)
      elif parameter.ndim == 1:
        parameter.normal_(0, 0.3)
      elif parameter.ndim == 2:
        parameter.normal_(0, parameter.shape[1] ** -0.5)
      elif parameter.ndim == 4:
        # Some families' kernels start so small that nothing passes them.
        parameter.normal_(0, (gain / parameter[0].numel()) ** 0.5)
    for name, buffer in theirs.named_buffers():
      if name.endswith('running_mean'):
        buffer.normal_(0, 0.3)
      elif name.endswith('running_var'):
        buffer.uniform_(0.5, 1.5)
