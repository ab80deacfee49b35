"""Orbax's folders: what is read, which of several, what is refused."""

import pathlib

import flax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import orbax.checkpoint as ocp
import pytest
from flax.training import checkpoints as flax_checkpoints

from overlap.core import errors
from overlap.models import checkpoints
from overlap.models.checkpoints import orbax_folder
from overlap.train import checkpoint as our_checkpoint


def tree(value=1.0):
  return {
    'step': 3,
    'params': {
      'head': {'kernel': jnp.full((2, 3), value)},
      'half': jnp.array([1.5, -2], jnp.bfloat16),
    },
    'model_state': {'batch_stats': {'norm': {'mean': jnp.zeros(3)}}},
    'opt_state': ({'mu': jnp.ones(4)}, None),
    'name': 'a text',
  }


def check(path, value=1.0):
  got = checkpoints.load_state(checkpoints.resolve(str(path)))
  assert list(got) == [
    'batch_stats/norm/mean',
    'params/half',
    'params/head/kernel',
  ]
  assert got['params/head/kernel'].tolist() == [[value] * 3] * 2
  assert got['params/half'].dtype == ml_dtypes.bfloat16
  assert got['params/half'].astype('f').tolist() == [1.5, -2]
  assert all(isinstance(values, np.ndarray) for values in got.values())


def standard(path):
  with ocp.StandardCheckpointer() as checkpointer:
    checkpointer.save(path, {k: v for k, v in tree().items() if k != 'name'})


def pytree(path):
  ocp.PyTreeCheckpointer().save(path, tree())


def one_file_an_array(path):
  ocp.PyTreeCheckpointer(use_ocdbt=False).save(path, tree())


def manager(path):
  with ocp.CheckpointManager(path) as made:
    for step, value in [(5, 2.0), (10, 1.0)]:
      made.save(step, args=ocp.args.PyTreeSave(tree(value)))


def manager_of_items(path):
  with ocp.CheckpointManager(path) as made:
    items = ocp.args.Composite(
      meta=ocp.args.JsonSave({'a': 1}), state=ocp.args.PyTreeSave(tree())
    )
    made.save(7, args=items)


def of_flax(path):
  for step, value in [(900, 2.0), (1000, 1.0)]:
    flax_checkpoints.save_checkpoint(path, tree(value), step, keep=2)


def of_flax_before_orbax(path):
  with flax.config.temp_flip_flag('use_orbax_checkpointing', False):
    of_flax(path)
  assert (path / 'checkpoint_1000').is_file()


@pytest.mark.parametrize(
  'save',
  [
    standard,
    pytree,
    one_file_an_array,
    manager,
    manager_of_items,
    of_flax,
    of_flax_before_orbax,
  ],
)
def test_the_variables_are_read(tmp_path, save):
  save(tmp_path / 'a')
  check(tmp_path / 'a')


def test_one_of_several_may_be_named(tmp_path):
  manager(tmp_path / 'a')
  check(tmp_path / 'a' / '5', 2.0)
  check(tmp_path / 'a' / '10' / 'default', 1.0)
  of_flax(tmp_path / 'b')
  check(tmp_path / 'b' / 'checkpoint_900', 2.0)


def test_what_a_study_saved_is_read_from_its_models_folder(tmp_path):
  variables = {'params': {'head': {'bias': np.ones(3, 'f')}}, 'batch_stats': {}}
  our_checkpoint.save_variables(tmp_path / 'base' / 'checkpoint', variables)
  for path in [tmp_path / 'base', tmp_path / 'base' / 'checkpoint']:
    got = checkpoints.load_variables('no family', str(path), template=variables)
    assert got['params']['head']['bias'].tolist() == [1, 1, 1]
    assert got['batch_stats'] == {}


def test_the_state_of_an_optimizer_is_not_read(tmp_path):
  one_file_an_array(tmp_path / 'a')
  (tmp_path / 'a' / 'opt_state.0.mu' / '0').unlink()
  check(tmp_path / 'a')


def test_text_among_the_variables_is_refused(tmp_path):
  ocp.PyTreeCheckpointer().save(tmp_path / 'a', {'params': {'a': 'text'}})
  with pytest.raises(errors.DataError, match=r"'params/a' in .* be numbers"):
    checkpoints.load_state(tmp_path / 'a')


def cut(path):
  path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


# What TensorStore still reads of the other arrays finds Orbax gone.
@pytest.mark.filterwarnings('ignore::pytest.PytestUnraisableExceptionWarning')
@pytest.mark.parametrize('damage', [cut, pathlib.Path.unlink])
@pytest.mark.parametrize(
  ('save', 'files'),
  [
    (pytree, '_METADATA'),
    (pytree, 'manifest.ocdbt'),
    (pytree, 'd/*'),
    (one_file_an_array, 'params.head.kernel/.zarray'),
    (one_file_an_array, 'params.head.kernel/0.0'),
  ],
)
def test_a_damaged_folder_is_one_line(tmp_path, save, files, damage):
  save(tmp_path / 'a')
  for path in list((tmp_path / 'a').glob(files)):
    damage(path)
  with pytest.raises(errors.DataError, match=r'must be a ') as caught:
    checkpoints.load_state(checkpoints.resolve(str(tmp_path / 'a')))
  assert '\n' not in str(caught.value)


@pytest.mark.parametrize('names', [(), ('1000',), ('default', 'default/state')])
def test_a_folder_that_is_no_checkpoint(tmp_path, names):
  for name in names:
    (tmp_path / name).mkdir()
  assert orbax_folder.find(tmp_path) is None
  with pytest.raises(errors.DataError, match='must be a file of weights or'):
    checkpoints.resolve(str(tmp_path))
  with pytest.raises(errors.DataError, match='must be a file of weights or'):
    checkpoints.load_state(tmp_path)


def test_no_folder(tmp_path):
  with pytest.raises(errors.DataError, match='must be a file of weights or'):
    checkpoints.resolve(str(tmp_path / 'none'))
