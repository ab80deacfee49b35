"""What a model starts from where it is given a checkpoint."""

import jax
import numpy as np
import pytest

from overlap.config import schema
from overlap.core import errors
from overlap.data.examples import ArrayExamples
from overlap.study import specs
from overlap.train import checkpoint, trainer
from overlap.train.task import Task

SMALL = {'patch_size': 4, 'hidden_size': 16, 'depth': 1, 'num_heads': 2}
EXAMPLES = ArrayExamples(
  dataset='noise',
  split='train',
  ids=np.arange(8).astype(str),
  class_names=('a', 'b', 'c'),
  images=np.zeros((8, 8, 8, 1), np.uint8),
  labels=np.zeros(8, np.int32),
)


def task(folder, *, num_classes=3, steps=0, options=None, **flat):
  config = schema.model('vit', **SMALL | (options or {}))
  config.update_from_flattened_dict({'train.total_steps': steps} | flat)
  settings = schema._plain(config.to_dict())
  return Task(
    name='toy',
    model=specs.build_model(settings, num_classes=num_classes),
    model_input=specs.model_input(settings, EXAMPLES),
    settings=settings,
    train=EXAMPLES,
    heldout=None,
    folder=folder,
    num_threads=1,
    batch_size=8,
  )


@pytest.fixture
def saved(tmp_path):
  """The checkpoint of a study's model of other classes: its folder."""

  def save(num_classes=3, options=None, **flat):
    made = task(tmp_path, num_classes=num_classes, options=options, seed=7)
    variables = trainer.initial_variables(made)
    variables['params'] |= {
      name: np.zeros(shape, 'f') for name, shape in flat.items()
    }
    folder = tmp_path / 'models' / 'other' / 'checkpoint'
    checkpoint.save_variables(folder, variables)
    return str(folder), jax.device_get(variables)

  return save


def test_the_checkpoint_of_another_study_is_read_as_it_is(tmp_path, saved):
  folder, variables = saved()
  got = trainer.initial_variables(task(tmp_path, **{'init.checkpoint': folder}))
  jax.tree.map(np.testing.assert_array_equal, got, variables)


@pytest.mark.slow_except('False')
@pytest.mark.parametrize('distilled', [False, True])
def test_heads_of_other_classes_are_left_out_to_train_new_ones(
  tmp_path, saved, distilled
):
  options = {'distilled': distilled}
  folder, variables = saved(num_classes=5, options=options)
  wanted = task(
    tmp_path, steps=2, options=options, **{'init.checkpoint': folder}
  )
  got = trainer.initial_variables(wanted)
  template = trainer.template(wanted)
  assert jax.tree.structure(got) == jax.tree.structure(template)
  assert got['params']['head']['kernel'].shape == (16, 3)
  assert ('head_dist' in got['params']) == distilled
  np.testing.assert_array_equal(
    got['params']['positions'], variables['params']['positions']
  )
  with pytest.raises(errors.DataError, match=r'head/kernel has shape'):
    trainer.initial_variables(
      task(tmp_path, options=options, **{'init.checkpoint': folder})
    )


def test_a_checkpoint_of_another_depth_is_refused_unless_told_otherwise(
  tmp_path, saved, caplog
):
  folder, variables = saved(extra=(2,))
  flat = {'init.checkpoint': folder}
  deeper = task(tmp_path, options={'depth': 2}, **flat)
  with pytest.raises(errors.DataError) as caught:
    trainer.initial_variables(deeper)
  text = str(caught.value)
  assert text.count(' is missing; ') == 5
  assert 'params/block2/' in text
  assert 'and 8 more' in text
  assert '\n' not in text

  lenient = task(
    tmp_path, options={'depth': 2}, **flat | {'init.strict': False}
  )
  got = trainer.initial_variables(lenient)
  random = trainer.initial_variables(task(tmp_path, options={'depth': 2}))
  for name, leaves in got['params'].items():
    of = random if name == 'block2' else variables
    jax.tree.map(np.testing.assert_array_equal, leaves, of['params'][name])
  assert 'initial values: 12 of 32 (params/block2/' in caplog.text
  assert 'ignored as extra: 1 (params/extra)' in caplog.text
