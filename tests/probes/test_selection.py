"""The choice of a strength against a loop over single fits."""

import json

import numpy as np
import pytest

from overlap.core import errors
from overlap.probes import probe, selection

STRENGTHS = (1e-1, 1e-4, 1.0, 1e-2)


def split_data(several=False, seed=0):
  rng = np.random.default_rng(seed)
  centres = rng.normal(size=(4, 12))
  labels = rng.integers(0, 4, 160)
  features = centres[labels] + 3 * rng.normal(size=(160, 12))
  if several:
    noise = rng.normal(size=(160, 4))
    labels = (features @ centres.T / 12 + noise > 0.5).astype(int)
  features = features.astype(np.float32)
  return features[:90], labels[:90], features[90:], labels[90:]


def nlls_of(logits, labels):
  """`[g]`, in float64."""
  z = logits.astype(np.float64)
  if labels.ndim == 2:
    return np.log1p(np.exp(np.where(labels, -z, z))).mean(axis=0)
  own = z[np.arange(len(z)), labels]
  return (np.log(np.exp(z).sum(axis=1)) - own).mean(keepdims=True)


@pytest.mark.slow_except('False')
@pytest.mark.parametrize('stream', [False, True])
def test_selection_equals_a_loop(stream):
  train_x, train_y, heldout_x, heldout_y = split_data()
  choice = selection.select(
    *split_data(), num_classes=4, strengths=STRENGTHS, stream=stream, slack=1.0
  )
  accuracies = []
  for i, l2 in enumerate(STRENGTHS):
    alone = probe.fit(train_x, train_y, num_classes=4, l2=l2, tolerance=1e-7)
    logits = alone.logits(heldout_x)
    accuracies.append(np.mean(logits.argmax(axis=1) == heldout_y))
    assert choice.accuracies[i] == pytest.approx(accuracies[-1])
    assert choice.nlls[i] == pytest.approx(
      nlls_of(logits, heldout_y)[0], rel=2e-3
    )
  assert choice.strengths == STRENGTHS
  assert choice.converged == (True,) * 4
  assert choice.accuracies[STRENGTHS.index(choice.l2)] == max(accuracies)
  refit = probe.fit(
    np.vstack([train_x, heldout_x]),
    np.hstack([train_y, heldout_y]),
    num_classes=4,
    l2=choice.l2,
  )
  assert choice.probe.fit.loss == pytest.approx(refit.fit.loss, rel=2e-6)
  np.testing.assert_allclose(
    choice.probe.logits(heldout_x), refit.logits(heldout_x), atol=0.02
  )


@pytest.mark.slow
def test_several_labels_choose_class_by_class():
  data = split_data(several=True)
  choice = selection.select(*data, num_classes=4, strengths=STRENGTHS)
  nlls = np.array(
    [
      nlls_of(
        probe.fit(*data[:2], num_classes=4, l2=l2).logits(data[2]), data[3]
      )
      for l2 in STRENGTHS
    ]
  )
  np.testing.assert_allclose(choice.nlls, nlls, rtol=2e-3)
  assert choice.l2 == tuple(STRENGTHS[i] for i in nlls.argmin(axis=0))
  assert choice.probe.fit.l2 == choice.l2 or len(set(choice.l2)) == 1
  assert len(choice.end) == 4


@pytest.mark.parametrize(
  ('right', 'nlls', 'place'),
  [
    ([50, 51, 50], [1.0, 9.0, 0.5], 1),
    ([50, 50, 50], [1.0, 0.9, 0.8], 2),
    ([50, 50, 49], [0.5, 0.9, 0.1], 0),
    ([50, 50, 49], [0.5, 0.5, 0.5], 1),
  ],
  ids=['accuracy', 'nll', 'nll at the weak end', 'stronger'],
)
def test_the_rule_of_the_choice(right, nlls, place):
  right, nlls = np.array(right)[:, None], np.array(nlls)[:, None]
  strengths = (1e-3, 1e-2, 1e-1)
  assert selection.choose(strengths, right, nlls, [True] * 3, False) == [place]


def test_what_did_not_converge_is_never_chosen():
  right, nlls = np.array([[9], [5], [4]]), np.ones((3, 1))
  given = ((1e-3, 1e-2, 1e-1), right, nlls)
  assert selection.choose(*given, [False, True, True], False) == [1]
  with pytest.raises(errors.DataError, match='At least one of 3'):
    selection.choose(*given, [False] * 3, False)


def test_the_default_grid_is_that_of_the_paper():
  assert len(selection.STRENGTHS) == 45
  np.testing.assert_allclose(
    np.log10(selection.STRENGTHS), np.linspace(-6, 5, 45)
  )


@pytest.mark.parametrize(
  ('strengths', 'end'),
  [((1e-1, 1e9), 'weakest'), ((1e-3,), ''), ((1e-9, 1e-1), 'strongest')],
)
def test_a_choice_at_an_end_of_the_grid_is_told(strengths, end):
  choice = selection.select(
    *split_data(), num_classes=4, strengths=strengths, tolerance=1e-4
  )
  assert choice.end == end


def test_record_is_json_without_parameters():
  choice = selection.select(
    *split_data(), num_classes=4, strengths=(1e-2, 1e-1)
  )
  record = json.loads(json.dumps(choice.record(), allow_nan=False))
  assert record['l2'] == choice.l2
  assert record['accuracies'] == list(choice.accuracies)
  assert record['normalisation'] == 'l2_standardise'
  assert record['fit'] == choice.probe.fit.record()
  assert 'params' not in record['fit']


def test_what_cannot_be_used_is_refused():
  train_x, train_y, heldout_x, heldout_y = split_data()
  with pytest.raises(errors.UsageError, match='strengths'):
    selection.select(*split_data(), num_classes=4, strengths=())
  for changed, match in (
    ((train_x, train_y, heldout_x * np.nan, heldout_y), 'held-out features'),
    ((train_x, train_y, heldout_x[:, 1:], heldout_y), 'equally wide'),
    ((train_x, train_y, heldout_x[:0], heldout_y[:0]), 'held-out features'),
    ((train_x, train_y, heldout_x, np.eye(4, dtype=int)[heldout_y]), 'both'),
  ):
    with pytest.raises(errors.DataError, match=match):
      selection.select(*changed, num_classes=4, strengths=(1.0,))


@pytest.mark.slow_except('l2_standardise-0')
@pytest.mark.parametrize('seed', range(3))
@pytest.mark.parametrize('kind', ['l2_standardise', 'none'])
def test_what_is_given_up_early_would_not_have_been_chosen(seed, kind):
  data, strengths = split_data(seed=seed), selection.STRENGTHS[::3]
  options = dict(num_classes=4, strengths=strengths, normalisation=kind)
  all_of_them = selection.select(*data, slack=1.0, **options)
  choice = selection.select(*data, **options)
  assert choice.l2 == all_of_them.l2
  assert not any(all_of_them.ended_early)
  assert any(choice.ended_early)
  best = max(choice.accuracies)
  for accuracy, ended, converged in zip(
    choice.accuracies, choice.ended_early, choice.converged
  ):
    assert ended == (not converged)
    assert accuracy < best or not ended
  assert choice.probe.fit.converged
