"""Tests of overlap.figures.fig08."""

import numpy as np

from overlap.figures import fig08


def test_shares_and_counts_are_whole(tables, synthetic):
  drawn = fig08.rows(tables)
  models = drawn[drawn['kind'] == 'model']
  by_model = models.groupby('model')
  assert set(by_model.size()) == {3}
  assert set(by_model['count'].sum()) == {synthetic.EXAMPLES}
  np.testing.assert_allclose(by_model['share'].sum(), 1)
  np.testing.assert_allclose(
    models['share'], models['count'].astype(float) / synthetic.EXAMPLES
  )


def test_outcomes(tables, synthetic):
  drawn = fig08.rows(tables).set_index(['model', 'outcome'])
  values = synthetic.margins()
  base, other = values['base'] > 0, values['CLIP-S'] > 0
  expected = {
    'only one correct': (base != other).sum(),
    'both correct': (base & other).sum(),
    'neither correct': (~base & ~other).sum(),
  }
  for outcome, count in expected.items():
    assert drawn.loc[('CLIP-S', outcome), 'count'] == count


def test_means(tables):
  drawn = fig08.rows(tables)
  means = drawn[drawn['kind'] == 'category mean']
  neither = means[means['outcome'] == 'neither correct']
  np.testing.assert_array_equal(
    neither['share'], tables['categories']['neither']
  )
  assert means['count'].isna().all()


def test_order_of_panels(tables):
  chart, _ = fig08.plot(tables)
  panels = chart.to_dict()['concat']
  assert [panel['title']['text'] for panel in panels] == [
    'Only one correct', 'Both correct', 'Neither correct',
  ]  # fmt: skip
