"""Prefixes that all names share."""

import itertools

import pytest

from overlap.models.checkpoints import prefixes

NAMES = {'conv.weight': 1, 'head.bias': 2}


def with_prefix(prefix, names=NAMES):
  return {prefix + name: value for name, value in names.items()}


@pytest.mark.parametrize('prefix', prefixes.PREFIXES)
def test_one(prefix):
  got = prefixes.strip_prefixes(with_prefix(prefix))
  assert got == (NAMES, prefix)


@pytest.mark.parametrize(
  'pair', list(itertools.permutations(prefixes.PREFIXES, 2)), ids=''.join
)
def test_two(pair):
  prefix = ''.join(pair)
  assert prefixes.strip_prefixes(with_prefix(prefix)) == (NAMES, prefix)


@pytest.mark.parametrize(
  'names',
  [
    {},
    NAMES,
    with_prefix('other.'),
    with_prefix('module.') | {'head.bias': 3},
    with_prefix('module.') | with_prefix('model.'),
    {'module.': 1},
    {'model.': 1, 'model.a': 2},
  ],
)
def test_none(names):
  assert prefixes.strip_prefixes(names) == (names, '')


def test_the_counter_of_averaged_models_goes_with_the_prefix():
  names = {'n_averaged': 0, **with_prefix('module.')}
  assert prefixes.strip_prefixes(names) == (NAMES, 'module.')
  assert prefixes.strip_prefixes({'n_averaged': 0, 'a': 1}) == (
    {'n_averaged': 0, 'a': 1},
    '',
  )
