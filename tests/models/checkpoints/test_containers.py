"""Which dict of a training script's file is taken, and what is said of it."""

import argparse
import collections

import numpy as np
import pytest

from overlap.core import errors
from overlap.models import checkpoints
from overlap.models.checkpoints import containers, weights

torch = pytest.importorskip('torch')


def state(value):
  return {'conv.weight': torch.full((2,), float(value))}


@pytest.fixture
def read(tmp_path):
  """Saves an object with PyTorch and reads the weights in it."""

  def save_and_read(value, choice=''):
    path = tmp_path / 'w.pth'
    torch.save(value, path)
    return weights.read_weights(f'{path}{choice}')

  return save_and_read


def value_of(held):
  (values,) = held.state.values()
  return values[0]


@pytest.mark.parametrize('name', containers.CONTAINERS)
def test_every_container_alone(read, name):
  held = read({name: state(5), 'epoch': 3})
  assert (value_of(held), held.container, held.others) == (5, name, ())


@pytest.mark.parametrize('averaged', containers.AVERAGED)
@pytest.mark.parametrize('raw', ['state_dict', 'model', 'params', 'module'])
@pytest.mark.parametrize('averaged_first', [True, False])
def test_averaged_weights_come_first(read, averaged, raw, averaged_first):
  value = {raw: state(1), averaged: state(2)}
  if averaged_first:
    value = dict(reversed(value.items()))
  held = read(value)
  assert (value_of(held), held.container, held.others) == (2, averaged, (raw,))
  held = read(value, f'#{raw}')
  assert (value_of(held), held.container, held.others) == (1, raw, (averaged,))


def test_empty_averages_are_none(read):
  held = read({'state_dict': state(1), 'state_dict_ema': {}, 'ema': None})
  assert (value_of(held), held.container) == (1, 'state_dict')


def test_within_containers(read):
  value = {'ema': {'module': state(2), 'updates': 5}, 'model': state(1)}
  held = read(value)
  assert (value_of(held), held.container) == (2, 'ema.module')
  assert value_of(read(value, '#ema.module')) == 2
  assert value_of(read(value, '#ema')) == 2
  assert value_of(read(value, '#model')) == 1


def test_averages_that_can_not_be_read_are_not_passed_over(read):
  value = {'model': state(1), 'ema': torch.nn.Linear(2, 2)}
  with pytest.raises(errors.DataError) as caught:
    read(value)
  assert "'torch.nn.modules.linear.Linear' under 'ema'" in str(caught.value)
  assert "w.pth#model takes 'model' instead" in str(caught.value)
  assert value_of(read(value, '#model')) == 1


def test_what_is_beside_the_weights_is_named_and_not_run(read):
  value = {
    'model': state(1),
    'args': argparse.Namespace(lr=0.1, nested=argparse.Namespace(a={1, 2})),
    'best': np.float64(71.25),
    'history': np.arange(3),
    'milestones': collections.Counter([30, 60]),
    'defaults': collections.defaultdict(list, a=[1]),
    'size': frozenset((1, 2)),
    'key': b'bytes',
    'by_pair': {(1, 2): 3},
    'optimizer': {'state': {0: {'exp_avg': torch.ones(2)}}},
  }
  held = read(value)
  assert value_of(held) == 1
  assert [text.partition(' ')[0] for text in held.unread] == [
    'args', 'best', 'history', 'milestones', 'defaults', 'size', 'key',
  ]  # fmt: skip
  assert 'args (argparse.Namespace)' in held.in_words()
  assert 'and 2 more' in held.in_words()


@pytest.mark.parametrize(
  ('choice', 'says'),
  [
    ('#other', "what was chosen of it, 'other'"),
    ('#model.other', "what was chosen of it, 'model.other'"),
    ('#conv.weight', "what was chosen of it, 'conv.weight'"),
  ],
)
def test_a_choice_that_is_not_there(read, choice, says):
  with pytest.raises(errors.DataError, match=says) as caught:
    read({'model': {'conv.weight': torch.ones(2)}}, choice)
  assert str(caught.value).endswith('does not. Choices: conv.')


def test_a_choice_among_the_names_of_tensors(read):
  value = {
    'state_dict': {
      'student.conv.weight': torch.zeros(2),
      'teacher.conv.weight': torch.ones(2),
    }
  }
  assert value_of(read(value, '#teacher')) == 1
  assert value_of(read(value, '#state_dict.student')) == 0
  assert list(read(value, '#student').state) == ['conv.weight']


def test_names_of_two_networks_are_refused_with_the_choice(tmp_path):
  path = tmp_path / 'w.pth'
  torch.save(
    {'student.fc.bias': torch.ones(2), 'head.bias': torch.ones(2)}, path
  )
  with pytest.raises(errors.DataError) as caught:
    checkpoints.load_variables('resnet', str(path), template={})
  text = str(caught.value)
  assert f'{path}: ' in text
  assert "begin with 'student'" in text
  assert "'#student' at the end of the path" in text
  assert text.endswith('overlap ingest.')


def test_a_file_whose_name_has_the_mark(tmp_path):
  path = tmp_path / 'run#2.pth'
  torch.save({'model': state(3)}, path)
  assert value_of(weights.read_weights(str(path))) == 3
  assert value_of(weights.read_weights(f'{path}#model')) == 3


def test_the_log_and_the_record(tmp_path, caplog):
  path = tmp_path / 'w.pth'
  held = {f'module.{name}': values for name, values in state(1).items()}
  torch.save({'model': state(0), 'model_ema': held}, path)
  with caplog.at_level('INFO'):
    got = checkpoints.read_logged(str(path))
  assert caplog.messages == [
    f"{path}: PyTorch, 1 tensors, of 'model_ema' (beside 'model'), 'module.' "
    'taken off all names'
  ]
  assert got.record() == {
    'file': str(path),
    'kind': 'PyTorch',
    'container': 'model_ema',
    'other_containers': ['model'],
    'prefix': 'module.',
    'leaves': 1,
  }
