"""What the options of specialisation and interpolation refuse."""

import pytest

from overlap.analyses import options
from overlap.core import errors


@pytest.mark.parametrize(
  ('given', 'message'),
  [
    ({'pairs': 'a'}, "got 'a'"),
    ({'pairs': 'a:b,c'}, 'model:model'),
    ({'pairs': 'a:a'}, 'two different'),
    ({'pairs': 3}, 'got 3'),
    ({'contrast': 'a:b,c:d'}, 'one pair'),
    ({'bins': 1}, 'at least 2'),
    ({'max_examples': -1}, 'at least 0'),
    ({'groups': ['a']}, 'must map'),
    ({'groups': {'a': []}}, r'groups\.a must be a list'),
    ({'groups': {'a': 3}}, 'got 3'),
    ({'groups': {'a': [True]}}, 'got '),
    ({'groups': {'a': [1.5]}}, 'got '),
    ({'grouping': 'wordnt'}, "Did you mean 'wordnet'"),
    ({'bin': 3}, r"Did you mean 'specialisation\.bins'"),
  ],
)
def test_specialisation(given, message):
  with pytest.raises(errors.UsageError, match=message) as caught:
    options.parse({'specialisation': given})
  assert '\n' not in str(caught.value)


@pytest.mark.parametrize(
  ('given', 'message'),
  [
    ({'pairs': 'all'}, 'Choices: views, base'),
    ({'points': 100}, 'odd number'),
    ({'points': 1}, 'at least 3'),
    ({'points': 20_001}, '10001'),
    ({'group_a': 'nature'}, 'both empty'),
    ({'group_a': 'a', 'group_b': 'a'}, 'two different'),
    ({'group_b': 3}, 'got 3'),
  ],
)
def test_interpolation(given, message):
  with pytest.raises(errors.UsageError, match=message) as caught:
    options.parse({'interpolation': given})
  assert '\n' not in str(caught.value)


def test_what_may_be():
  parsed = options.parse(
    {
      'specialisation': {'pairs': 'a:b,c:d', 'groups': {'a': '0-3,cat'}},
      'interpolation': {'group_a': 'a', 'group_b': 'b', 'points': 3},
    }
  )
  assert parsed.specialisation.bins == 30
  assert parsed.interpolation.pairs == 'base'
