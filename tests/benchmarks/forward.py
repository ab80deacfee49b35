"""A forward pass of ResNet-50 against timm's on PyTorch, in images a second.

  python tests/benchmarks/forward.py
  python tests/benchmarks/forward.py --models=resnet50,vit_base_patch16_224

On CPUs both sides have the same random weights and images, must give the same
logits, and are interleaved; the floor is the products' operations at the rate
of one large matrix product. On an accelerator ours runs alone, in float32 and
bfloat16, and its rate is shown as a share of the chip's matrix rate in the same
precision.
"""

import argparse
import functools
import time
import warnings
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from overlap import models
from overlap.models import checkpoints

# From the name in timm to ours.
MODELS = {'resnet50': 'resnet', 'vit_base_patch16_224': 'vit'}


def operations(function: Callable, *args: Any) -> float:
  """Floating-point operations as XLA counts them."""
  compiled = jax.jit(function).lower(*args).compile()
  return float(compiled.cost_analysis()['flops'])


def matrix_rate(dtype: Any, size: int) -> float:
  """Operations a second of one square matrix product."""
  x = jnp.ones((size, size), dtype)
  product = jax.jit(lambda a: a @ a)
  product(x).block_until_ready()
  return 2 * size**3 / least(lambda: product(x).block_until_ready(), 10)


def least(run: Callable[[], Any], repeats: int) -> float:
  seconds = []
  for _ in range(repeats):
    start = time.perf_counter()
    run()
    seconds.append(time.perf_counter() - start)
  return min(seconds)


def on_cpu(name: str, batch: int, repeats: int) -> float:
  import torch

  with warnings.catch_warnings():
    warnings.simplefilter('ignore')
    import timm

  torch.manual_seed(0)
  theirs = timm.create_model(name).eval()
  model = models.build(MODELS[name], num_classes=1000)
  x = np.random.default_rng(0).normal(size=(batch, 224, 224, 3)).astype('f')
  state = {key: value.numpy() for key, value in theirs.state_dict().items()}
  template = jax.eval_shape(model.init, jax.random.key(0), x)
  variables = checkpoints.fill(MODELS[name], state, template=template)
  variables, images = jax.device_put((variables, x))
  forward = jax.jit(model.apply)
  tensor = torch.from_numpy(x.transpose(0, 3, 1, 2).copy())

  def ours() -> np.ndarray:
    return np.asarray(forward(variables, images)[0])

  def eager() -> np.ndarray:
    with torch.inference_mode():
      return theirs(tensor).numpy()

  start = time.perf_counter()
  got = ours()
  compiling = time.perf_counter() - start
  want = eager()
  np.testing.assert_allclose(
    got, want, rtol=1e-3, atol=1e-3 * np.abs(want).max()
  )
  seconds: dict[str, list[float]] = {'ours': [], 'timm': []}
  for _ in range(repeats):
    seconds['ours'].append(least(ours, 1))
    seconds['timm'].append(least(eager, 1))
  best = {side: min(values) for side, values in seconds.items()}
  work = operations(model.apply, variables, images)
  floor = work / matrix_rate(jnp.float32, 2048)
  print(
    f'{name}, batch {batch}, float32: ours {batch / best["ours"]:.1f} images/s,'
    f' timm on PyTorch {batch / best["timm"]:.1f}; floor of '
    f'{work / 1e9:.0f} GFLOP at the rate of a matrix product '
    f'{batch / floor:.1f}; compiled in {compiling:.1f} s'
  )
  return best['timm'] / best['ours']


def _run(forward: Callable, variables: Any, images: jax.Array) -> None:
  forward(variables, images)[0].block_until_ready()


def on_accelerator(name: str, batch: int, repeats: int) -> None:
  for dtype in (jnp.float32, jnp.bfloat16):
    model = models.build(MODELS[name], num_classes=1000, dtype=dtype)
    images = jnp.zeros((batch, 224, 224, 3), jnp.float32)
    variables = jax.jit(model.init)(jax.random.key(0), images[:1])
    forward = jax.jit(model.apply)
    run = functools.partial(_run, forward, variables, images)
    run()
    best = least(run, repeats)
    work = operations(model.apply, variables, images)
    share = work / best / matrix_rate(dtype, 8192)
    print(
      f'{name}, batch {batch}, {jnp.dtype(dtype).name}: '
      f'{batch / best:.0f} images/s, {work / best / 1e12:.1f} TFLOP/s, '
      f'{100 * share:.0f} % of a matrix product'
    )


def main() -> None:
  parser = argparse.ArgumentParser()
  parser.add_argument('--models', default='resnet50')
  parser.add_argument('--batch', type=int, default=0)
  parser.add_argument('--repeats', type=int, default=5)
  args = parser.parse_args()
  names = args.models.split(',')
  if jax.default_backend() == 'cpu':
    ratios = [on_cpu(n, args.batch or 8, args.repeats) for n in names]
    print(f'forward ratio={min(ratios):.2f}')
    return
  print(f'device: {jax.devices()[0].device_kind}')
  for name in names:
    on_accelerator(name, args.batch or 256, args.repeats)


if __name__ == '__main__':
  main()
