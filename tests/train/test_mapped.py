"""A model of a study that reads a checkpoint's classes as the data set's."""

import jax
import numpy as np
import pytest

from overlap.config import schema
from overlap.core import errors
from overlap.data.examples import ArrayExamples
from overlap.predict import forward as predict_forward
from overlap.study import specs
from overlap.train import mapped, trainer
from overlap.train.task import Task

TARGETS = ('dog', 'cat')
NAMES = 'tabby\npoodle\noak\nbeagle\n'
PAIRS = 'beagle,dog\npoodle,dog\ntabby,cat\n'


@pytest.fixture
def settings(tmp_path):
  """Of a model, with files of names and pairs."""

  def make(names=NAMES, pairs=PAIRS, **flat):
    (tmp_path / 'names.txt').write_text(names)
    (tmp_path / 'weights.npz').touch()
    (tmp_path / 'pairs.csv').write_text(f'source_class,target_class\n{pairs}')
    config = schema.model(
      'vit', patch_size=4, hidden_size=8, depth=1, num_heads=2
    )
    config.update_from_flattened_dict(
      {
        'init.checkpoint': str(tmp_path / 'weights.npz'),
        'head.fit': 'class_mapping',
        'head.mapping': str(tmp_path / 'pairs.csv'),
        'head.source_classes': str(tmp_path / 'names.txt'),
        'train.total_steps': 0,
      }
      | flat
    )
    return schema._plain(config.to_dict())

  return make


def examples():
  rng = np.random.default_rng(0)
  return ArrayExamples(
    dataset='noise',
    split='test',
    ids=np.array([f'test/{i}' for i in range(6)]),
    class_names=TARGETS,
    images=rng.integers(0, 256, (6, 8, 8, 3)).astype(np.uint8),
    labels=rng.integers(0, 2, 6).astype(np.int32),
  )


@pytest.mark.parametrize('reduction', ['logsumexp', 'max'])
def test_predictions_are_of_the_checkpoint_s_head(
  settings, tmp_path, monkeypatch, reduction
):
  given, split = settings(**{'head.reduction': reduction}), examples()
  specs.check_specs(
    {
      'models': {'toy': given},
      'data': {'dataset': 'idx:noise', 'fallback': '', 'splits': {}},
      'transfer': {'dataset': '', 'splits': {}},
    }
  )
  task = Task(
    name='toy',
    model=specs.build_for(given, TARGETS),
    model_input=specs.model_input(given, split),
    settings=given,
    train=split,
    heldout=None,
    folder=tmp_path / 'run',
    num_threads=1,
    batch_size=8,
  )
  rng = np.random.default_rng(1)
  variables = jax.tree.map(
    lambda leaf: rng.normal(0, 0.5, leaf.shape).astype('f'),
    trainer.template(task),
  )
  assert variables['params']['head']['kernel'].shape == (8, 4)

  def fill(name, state, *, template, skip_head, initial, what):
    assert (name, skip_head) == ('vit', False)
    assert (state['leaf'].tolist(), initial) == ([1.0], None)
    assert what == str(tmp_path / 'weights.npz')
    return variables

  np.savez(tmp_path / 'weights.npz', leaf=np.ones(1))
  monkeypatch.setattr(trainer.checkpoints, 'fill', fill)
  loaded, _ = trainer.train_model(task)
  forward = predict_forward.forward_function(task.model, task.model_input)
  (outputs,) = predict_forward.run_forward(forward, loaded, split, batch_size=8)
  plain = specs.build_model(given, num_classes=4)
  plain_forward = predict_forward.forward_function(plain, task.model_input)
  (source,) = predict_forward.run_forward(
    plain_forward, loaded, split, batch_size=8
  )
  dogs, cats = source.logits[:, [1, 3]], source.logits[:, 0]
  want = (
    np.log(np.exp(dogs).sum(1)) if reduction == 'logsumexp' else dogs.max(1)
  )
  np.testing.assert_allclose(
    outputs.logits, np.stack([want, cats], axis=1), rtol=1e-4, atol=1e-5
  )
  np.testing.assert_array_equal(outputs.features, source.features)


@pytest.mark.parametrize(
  ('flat', 'text'),
  [
    ({'init.checkpoint': ''}, r'toy\.init\.checkpoint'),
    ({'head.mapping': ''}, r'toy\.head\.mapping'),
    ({'head.source_classes': ''}, r'toy\.head\.source_classes'),
    ({'head.reduction': 'mean'}, 'logsumexp, max'),
  ],
)
def test_what_is_missing_is_one_line(settings, flat, text):
  with pytest.raises(errors.UsageError, match=text) as caught:
    mapped.check_class_mapping('toy', settings(**flat))
  assert '\n' not in str(caught.value)


@pytest.mark.parametrize(
  ('files', 'text'),
  [
    ({'names': '\n'}, 'names none'),
    ({'names': 'tabby\n'}, "'beagle'"),
    ({'pairs': 'tabby,cat\n'}, '1 of 2 have none: dog'),
  ],
)
def test_faulty_files_are_one_line(settings, files, text):
  with pytest.raises(errors.DataError, match=text) as caught:
    specs.build_for(settings(**files), TARGETS)
  assert '\n' not in str(caught.value)


def test_labels_are_the_papers_words(settings):
  given = settings(**{'init.pretrained_on': 'JFT'})
  labels = specs.labels(given, 'IN')
  assert labels == {'method': 'Sup. / JFT', 'head': 'Class Mapping'}
