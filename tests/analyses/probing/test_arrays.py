"""Tests of probes on arrays: the protocol, what is refused, what is shown."""

import numpy as np
import pytest

from overlap.analyses.probing import arrays
from overlap.core import errors
from overlap.probes import normalise, probe, selection

SIZES = {'train': 60, 'heldout': 30, 'test': 40}
STRENGTHS = (1e-3, 1e-1, 10.0)


def made(widths=(4, 3), seed=0):
  """Features of models 'a', 'b', ... that tell three classes apart, badly."""
  rng = np.random.default_rng(seed)
  labels = {s: rng.integers(3, size=n) for s, n in SIZES.items()}
  features = {}
  for name, width in zip('abc', widths):
    centres = rng.normal(size=(3, width))
    features[name] = {
      split: (centres[own] + rng.normal(0, 2, (len(own), width))).astype('f4')
      for split, own in labels.items()
    }
  return features, labels


def nearest(train, labels, heldout, heldout_labels, **settings):
  """A selection whose probe is the nearest mean: nothing is fitted."""
  assert settings == {
    'num_classes': 3, 'strengths': STRENGTHS, 'normalisation': 'none',
  }  # fmt: skip
  assert len(heldout) == len(heldout_labels) == SIZES['heldout']
  means = np.stack([train[labels == k].mean(axis=0) for k in range(3)])
  params = {'kernel': means.T, 'bias': -(means**2).sum(axis=1) / 2}
  fit = probe.Fit(params, 0.1, 1.0, 0.0, 0.0, 5, 6, True)
  plain = normalise.Normalisation('none', np.zeros(1), np.ones(1))
  return selection.Selection(
    l2=0.1, end='', strengths=STRENGTHS, accuracies=(0.5, 0.7, 0.6),
    nlls=(1.0, 0.8, 0.9), ended_early=(True, False, False),
    converged=(False, True, True), probe=probe.Probe(plain, fit),
  )  # fmt: skip


@pytest.fixture
def probed(monkeypatch):
  monkeypatch.setattr(selection, 'select', nearest)
  return arrays.compare(*made(), strengths=STRENGTHS)


def expected(names):
  """What the nearest mean gets right, each model normalised by itself."""
  features, labels = made()

  def ready(split):
    parts = []
    for name in names:
      own = {
        key: value / np.linalg.norm(value, axis=1, keepdims=True)
        for key, value in features[name].items()
      }
      mean, std = own['train'].mean(axis=0), own['train'].std(axis=0)
      parts.append((own[split] - mean) / std)
    return np.concatenate(parts, axis=1)

  train = ready('train')
  means = [train[labels['train'] == k].mean(axis=0) for k in range(3)]
  far = [np.linalg.norm(ready('test') - mean, axis=1) for mean in means]
  return np.argmin(far, axis=0) == labels['test']


def test_each_alone_and_both_side_by_side(probed):
  assert list(probed) == ['a', 'b', 'a + b']
  assert [one.width for one in probed.values()] == [4, 3, 7]
  for name, one in probed.items():
    np.testing.assert_array_equal(one.correct, expected(name.split(' + ')))


def test_one_model_has_nothing_beside_it(monkeypatch):
  monkeypatch.setattr(selection, 'select', nearest)
  features, labels = made(widths=(4,))
  probed = arrays.compare(features, labels, strengths=STRENGTHS)
  assert list(probed) == ['a']
  assert arrays.gains(probed).empty


def test_the_tables_say_what_was_chosen_and_what_it_gains(probed):
  right, alone = probed['a + b'].correct, probed['a'].correct
  table = arrays.table(probed).set_index('features')
  assert table['heldout_accuracy'].tolist() == [0.7] * 3
  assert table.loc['a + b', 'accuracy'] == right.mean()
  assert (table['accuracy_lower'] < table['accuracy']).all()
  assert (table['accuracy_upper'] > table['accuracy']).all()
  gains = arrays.gains(probed).set_index('features')
  assert list(gains.index) == ['a', 'b']
  assert gains.loc['a', 'gained'] == (right & ~alone).sum()
  assert gains.loc['a', 'lost'] == (alone & ~right).sum()
  assert gains.loc['a', 'gain'] == pytest.approx(right.mean() - alone.mean())
  apart = arrays.inconsistency(probed)
  assert apart.loc['a + b', 'a'] == apart.loc['a', 'a + b']
  assert apart.loc['a + b', 'a'] == (right != alone).mean() > 0
  tried = arrays.choices(probed)
  assert len(tried) == 9
  assert tried[tried['chosen']]['l2'].tolist() == [0.1] * 3


def without(features, labels):
  del features['b']['heldout']


def shorter(features, labels):
  features['b']['test'] = features['b']['test'][1:]


def narrower(features, labels):
  features['a']['heldout'] = features['a']['heldout'][:, 1:]


def endless(features, labels):
  features['a']['train'][3, 1] = np.inf


def unlabelled(features, labels):
  del labels['test']


def fractional(features, labels):
  labels['train'] = labels['train'] + 0.5


def nobody(features, labels):
  features.clear()


@pytest.mark.parametrize(('spoil', 'says'), [
  (without, "'b' must be given for train, .* test, got none for heldout"),
  (shorter, r"test features of 'b' must be \[40, 3\], got \[39, 3\]"),
  (narrower, r"heldout features of 'a' must be \[30, 4\], got \[30, 3\]"),
  (endless, 'must be finite'),
  (unlabelled, 'labels must be given for train, heldout and test'),
  (fractional, 'must be integers'),
  (nobody, 'of a model or more'),
])  # fmt: skip
def test_what_does_not_fit_is_refused(spoil, says):
  features, labels = made()
  spoil(features, labels)
  with pytest.raises(errors.DataError, match=says):
    arrays.compare(features, labels, strengths=STRENGTHS)


def test_an_unknown_normalisation_is_refused():
  with pytest.raises(errors.UsageError, match="Did you mean 'standardise'"):
    arrays.compare(*made(), normalisation='standardize')
