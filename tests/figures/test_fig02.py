"""Tests of overlap.figures.fig02."""

import numpy as np
import pytest

from overlap.figures import fig02


def titles(chart):
  return [panel['title']['text'] for panel in chart.to_dict()['concat']]


def test_rows(tables, synthetic):
  drawn = fig02.rows(tables)
  ours = drawn[(drawn['source'] == 'this study') & (drawn['kind'] == 'model')]
  values = synthetic.margins()
  base = values['base']
  for row in ours.to_dict('records'):
    other = values[row['model']]
    if row['model'] == synthetic.HARD_LABEL:
      assert np.isnan(row['gain'])
      continue
    together = (base + other > 0).mean()
    mean = ((base > 0).mean() + (other > 0).mean()) / 2
    assert row['ensemble_accuracy'] == pytest.approx(together)
    assert row['gain'] == pytest.approx(together - mean)
    assert row['gain_over_base'] == pytest.approx(together - (base > 0).mean())


def test_paper_points():
  # ALIGN-ZS: 75.5 %, with the base 83.42 %.
  from overlap.figures import frames

  points = frames.paper_points().set_index('model')
  row = points.loc['ALIGN-ZS']
  assert row['gain'] == pytest.approx(0.8342 - (0.7550 + 0.765) / 2)
  assert row['gain_over_base'] == pytest.approx(0.8342 - 0.765)


def test_paper_is_in_the_rows(tables):
  drawn = fig02.rows(tables)
  paper = drawn[drawn['source'] == 'paper (ImageNet)']
  assert len(paper) == 50
  assert paper['conversion_rate'].isna().all()


def test_means(tables):
  drawn = fig02.rows(tables)
  means = drawn[drawn['kind'] == 'category mean'].set_index('category')
  table = tables['categories'].set_index('category')
  for name in ('error_inconsistency', 'gain', 'gain_over_base'):
    np.testing.assert_array_equal(means[name], table[name])


@pytest.mark.parametrize(
  ('dataset', 'centre'),
  [
    ('fashion_mnist', 'Gain over the base'),
    ('imagenet2012', 'Accuracy of the ensemble'),
  ],
)
def test_centre_panel(tables, dataset, centre):
  tables['models'] = tables['models'].assign(dataset=dataset)
  chart, _ = fig02.plot(tables)
  gain, middle, conversion = titles(chart)
  assert (gain, middle) == ('Gain', centre)
  assert conversion.startswith('Conversion')


def test_correlation_is_shown(tables):
  tables['correlations'].loc[
    lambda t: (
      (t['name'] == 'error_inconsistency_vs_gain') & (t['scope'] == 'base')
    ),
    ['pearson', 'lower', 'upper'],
  ] = [0.974, 0.93, 0.99]
  chart, _ = fig02.plot(tables)
  first = chart.to_dict()['concat'][0]
  assert first['title']['subtitle'] == ['r = 0.97 (0.93–0.99)']
  del tables['correlations']
  chart, _ = fig02.plot(tables)
  assert chart.to_dict()['concat'][0]['title']['subtitle'] == []


def test_two_pairs_have_no_correlation(tables):
  tables['correlations']['n'] = 2
  spec = fig02.plot(tables)[0].to_dict()
  assert [p['title']['subtitle'] for p in spec['concat']] == [[]] * 3
  notes = spec['title']['subtitle']
  assert notes.count('r: too few pairs (2) for a correlation.') == 1


def test_outside_the_window_is_explained(tables, synthetic):
  chart, _ = fig02.plot(tables)
  notes = chart.to_dict()['title']['subtitle']
  assert 'Outlined points: outside the accuracy window.' in notes
  chart, _ = fig02.plot(synthetic.study(window=False))
  assert len(chart.to_dict()['title']['subtitle']) == 1
