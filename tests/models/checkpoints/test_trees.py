"""Where the parameters are in a tree, and what they are called."""

import numpy as np
import pytest

from overlap.models.checkpoints import trees

PARAMS = {'head': {'bias': 1}, 'blocks': [{'w': 2}, {'w': 3}]}
STATS = {'norm': {'mean': 4}}
NAMES = {
  'params/head/bias': 1,
  'params/blocks/0/w': 2,
  'params/blocks/1/w': 3,
}
STAT_NAMES = {'batch_stats/norm/mean': 4}


@pytest.mark.parametrize(
  'tree',
  [
    PARAMS,
    {'params': PARAMS},
    {'params': {'params': PARAMS}},
    {'step': 3, 'opt_state': [{'mu': PARAMS}, None], 'params': PARAMS},
    {'optimizer': {'target': PARAMS, 'state': {'step': 3}}},
    {'optimizer': {'target': {'params': PARAMS}}},
    {'opt': {'target': PARAMS, 'state': {'params': 5}}},
    {'state': {'params': PARAMS, 'opt': {'target': 0}}},
    {'train_state': {'variables': {'params': PARAMS}}},
    {'params': PARAMS, 'model_state': {}, 'opt': {'target': {'head': 0}}},
  ],
)
def test_the_parameters_are_found(tree):
  assert trees.named(tree, trees.find(tree)) == NAMES


@pytest.mark.parametrize(
  'tree',
  [
    {'params': PARAMS, 'batch_stats': STATS},
    {'params': {'params': PARAMS, 'batch_stats': STATS}},
    {'params': PARAMS, 'model_state': {'batch_stats': STATS}},
    {
      'optimizer': {'target': PARAMS},
      'model_state': {'batch_stats': STATS, 'other': {'x': 0}},
    },
    {'state': {'params': PARAMS, 'flax_mutables': {'batch_stats': STATS}}},
  ],
)
def test_the_statistics_beside_them_are_too(tree):
  assert trees.named(tree, trees.find(tree)) == NAMES | STAT_NAMES


def test_a_layer_may_be_called_as_what_may_be_around():
  tree = {'params': {'state': {'w': 1}, 'target': {'w': 2}}}
  assert trees.named(tree, trees.find(tree)) == {
    'params/state/w': 1,
    'params/target/w': 2,
  }


def test_nothing_is_no_leaf_and_an_array_is_one():
  values = np.ones((2, 3))
  tree = {'params': {'a': None, 'b': {}, 'c': [], 'd': values}}
  named = trees.named(tree, trees.find(tree))
  assert list(named) == ['params/d']
  assert named['params/d'] is values
