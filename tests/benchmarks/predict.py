"""Prediction into the store against a bare jitted loop over arrays in memory.

  python tests/benchmarks/predict.py

Both sides run the quickstart's ResNet at the same batch size over the same
images, interleaved, and must give the same logits. Ours also reads through
the pipeline, pads, fetches, and writes logits and features with checksums.
The floor is the bare loop: the forward passes alone. Beside it stand the
bytes that ours writes. The last lines show that peak memory does not grow
with the number of examples. Random images serve: the work does not depend
on what is in them.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time

import jax
import numpy as np

from overlap import store
from overlap.config import schema
from overlap.data.examples import ArrayExamples
from overlap.predict import forward as predict_forward
from overlap.predict import to_store
from overlap.study import specs


def make_examples(count: int) -> ArrayExamples:
  """Random grey 28×28 images."""
  rng = np.random.default_rng(0)
  return ArrayExamples(
    dataset='random',
    split='test',
    ids=np.array([f'test/{i:07d}' for i in range(count)]),
    class_names=tuple('0123456789'),
    images=rng.integers(0, 256, (count, 28, 28, 1), dtype=np.uint8),
    labels=rng.integers(0, 10, count).astype(np.int32),
  )


def quickstart_resnet(examples):
  """The quickstart's base, its forward function and random variables."""
  sys.path.insert(0, '.')
  from configs import quickstart

  settings = schema.resolve(quickstart.get_config())['models']['base']
  model = specs.build_model(settings, num_classes=10)
  model_input = specs.model_input(settings, examples)
  variables = jax.jit(model.init)(
    jax.random.key(0), np.zeros(model_input.shape(), np.float32)
  )
  return predict_forward.forward_function(model, model_input), dict(variables)


def bare(forward, variables, images, batch_size):
  """A jitted loop over batches in memory, as one writes it by hand."""
  logits = []
  for start in range(0, len(images), batch_size):
    outputs = forward(variables, images[start : start + batch_size])
    logits.append(outputs['logits'])
  return np.concatenate([np.asarray(batch) for batch in logits])


def ours(forward, variables, examples, batch_size, folder):
  """`overlap predict`'s own function, into a fresh store."""
  to_store.ensure_examples(folder, examples)
  to_store.predict(
    workdir=folder,
    name='resnet',
    forward=forward,
    variables=variables,
    examples=examples,
    batch_size=batch_size,
    num_threads=2,
    record={'config_hash': '', 'method': '', 'head': ''},
  )
  return folder


def peak_memory(count: int, batch_size: int) -> int:
  """Peak MiB of a process of its own that predicts `count` examples."""
  done = subprocess.run(
    [sys.executable, __file__, f'--memory={count}', f'--batch={batch_size}'],
    capture_output=True,
    text=True,
    check=True,
  )
  return json.loads(done.stdout.strip().split('\n')[-1])


class Streamed(ArrayExamples):
  """Examples that are made when asked for, so that they take no memory."""

  def fetch(self, indices):
    images = (indices[:, None, None, None] % 251).astype(np.uint8)
    return {
      'image': np.broadcast_to(images, (len(indices), 28, 28, 1)).copy(),
      'label': (indices % 10).astype(np.int32),
    }


def run_memory(count: int, batch_size: int) -> None:
  """Predicts `count` streamed examples, prints this process's peak in MiB."""
  few = make_examples(1)
  forward, variables = quickstart_resnet(few)
  examples = Streamed(
    dataset='random',
    split='test',
    ids=np.char.mod('test/%07d', np.arange(count)),
    class_names=few.class_names,
    images=np.broadcast_to(np.zeros(1, np.uint8), (count, 28, 28, 1)),
    labels=(np.arange(count) % 10).astype(np.int32),
  )
  with tempfile.TemporaryDirectory() as folder:
    ours(forward, variables, examples, batch_size, folder)
  print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)


def main() -> None:
  parser = argparse.ArgumentParser()
  parser.add_argument('--examples', type=int, default=60_000)
  parser.add_argument('--batch', type=int, default=512)
  parser.add_argument('--repeats', type=int, default=5)
  parser.add_argument('--memory', type=int, default=0)
  args = parser.parse_args()
  if args.memory:
    run_memory(args.memory, args.batch)
    return
  examples = make_examples(args.examples)
  images = examples.fetch(np.arange(args.examples))['image']
  forward, variables = quickstart_resnet(examples)
  jitted = jax.jit(forward)
  seconds: dict[str, list[float]] = {'bare': [], 'ours': []}
  for repeat in range(args.repeats + 1):
    start = time.perf_counter()
    expected = bare(jitted, variables, images, args.batch)
    between = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
      begin = time.perf_counter()
      ours(forward, variables, examples, args.batch, folder)
      end = time.perf_counter()
      got = store.Store(folder).read('random', 'test', 'resnet')
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-4)
    if repeat:  # The first round compiles.
      seconds['bare'].append(between - start)
      seconds['ours'].append(end - begin)
  rates = {
    name: args.examples / statistics.median(values)
    for name, values in seconds.items()
  }
  print(
    f'device: {jax.devices()[0].device_kind}, {args.examples} images of '
    f'28x28, batch {args.batch}, median of {args.repeats}'
  )
  print(f'bare jitted loop: {rates["bare"]:.0f} images/s (the floor)')
  print(
    f'overlap predict:  {rates["ours"]:.0f} images/s, writing '
    f'{args.examples * (10 + 64) * 4 / 1e6:.1f} MB'
  )
  for count in (20_000, 80_000):
    print(
      f'peak memory with {count} examples: {peak_memory(count, args.batch)} MiB'
    )
  print(f'predict ratio={rates["ours"] / rates["bare"]:.3f}')


if __name__ == '__main__':
  main()
