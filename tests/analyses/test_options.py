"""Options: defaults, checks, the window."""

import pytest

from overlap.analyses import options
from overlap.config import schema
from overlap.core import errors


def test_the_defaults_are_those_of_a_study():
  settings = dict(schema.study().analyses.to_dict())
  del settings['split'], settings['pairs']
  parsed = options.parse(settings)
  defaults = options.parse(None)
  for name in settings:
    assert getattr(parsed, name) == getattr(defaults, name)


@pytest.mark.parametrize(
  ('given', 'message'),
  [
    ({'resample': 5}, "Did you mean 'resamples'"),
    ({'calibration': 'ece'}, "Did you mean 'ece_sweep'"),
    ({'tables': ['pair']}, "Did you mean 'pairs'"),
    ({'tables': 'pairs'}, 'must be a list'),
    ({'tables': []}, 'must be a list'),
    ({'methods': ['logit']}, "Did you mean 'logits'"),
    ({'methods': ()}, 'must be a list'),
    ({'folds': 1}, 'at least 2, got 1'),
    ({'folds': 2.5}, 'must be an integer'),
    ({'resamples': -1}, 'at least 0, got -1'),
    ({'seed': True}, 'must be an integer'),
    ({'memory_mb': 0}, 'at least 1, got 0'),
    ({'confidence': 1}, 'between 0 and 1'),
    ({'confidence': 'high'}, 'between 0 and 1'),
    ({'accuracy_interval': 'wilsons'}, "Did you mean 'wilson'"),
    ({'summary_interval': 'boot'}, "Did you mean 'bootstrap'"),
    ({'window': 2}, 'two points'),
    ({'window': -0.1}, 'got -0.1'),
    ({'window': [0.8]}, 'lower, upper'),
    ({'window': [0.8, 0.7]}, 'lower, upper'),
    ({'window': 'narrow'}, 'lower, upper'),
  ],
)
def test_what_can_not_be_is_told(given, message):
  with pytest.raises(errors.UsageError, match=message) as caught:
    options.parse(given)
  assert '\n' not in str(caught.value)


@pytest.mark.parametrize('window', [0, 0.0, '', None])
def test_without_a_window_all_are_within(window):
  assert options.parse({'window': window}).bounds(0.5) == (0, 1)


def test_a_window_is_around_the_base_or_absolute():
  lower, upper = options.parse({'window': 0.02}).bounds(0.765)
  assert lower == pytest.approx(0.745)
  assert upper == pytest.approx(0.785)
  # 0.76 - 0.74 is a little more than 0.02.
  lower, upper = options.parse({'window': 0.02}).bounds(0.76)
  assert lower <= 0.74
  assert upper >= 0.78
  for window in ([0.74, 0.78], (0.74, 0.78)):
    assert options.parse({'window': window}).bounds(0.5) == (0.74, 0.78)
