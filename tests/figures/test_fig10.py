"""Tests of overlap.figures.fig10."""

import numpy as np
import pytest

from overlap import figures
from overlap.analyses import stats
from overlap.catalog.paper import published
from overlap.figures import fig10

_RATES = {
  'REINIT': 0.02, 'HPARAM': 0.03, 'ARCH': 0.05, 'FRAMEWORK': 0.06,
  'DATASET': 0.1,
}  # fmt: skip


def converting(tables):
  """The tables with conversions, which sums of margins alone never make."""
  pairs = tables['pairs'].copy()
  rates = pairs['category'].map(_RATES) * (1 + np.arange(len(pairs)) % 3 / 4)
  soft = pairs['gain'].notna()
  converted = np.rint(pairs['neither'] * rates).where(soft)
  pairs['converted_neither'] = converted.astype('Int64')
  name = 'neither_conversion_rate'
  pairs[name] = converted / pairs['neither']
  pairs[f'{name}_lower'], pairs[f'{name}_upper'] = stats.wilson(
    converted, pairs['neither']
  )
  means = tables['categories'].copy()
  models = tables['models'].set_index('model')['in_window']
  base = pairs[(pairs['model_1'] == 'base') & pairs['model_2'].map(models)]
  by_category = base.groupby('category')[name]
  means[name] = means['category'].map(by_category.mean())
  for end, sign in (('lower', -1), ('upper', 1)):
    spread = means['category'].map(by_category.std())
    means[f'{name}_{end}'] = means[name] + sign * spread
  return tables | {'pairs': pairs, 'categories': means}


@pytest.fixture
def with_conversions(tables):
  return converting(tables)


def of(drawn, **wanted):
  for name, value in wanted.items():
    drawn = drawn[drawn[name] == value]
  return drawn


def test_values_are_counts_over_counts(with_conversions, synthetic):
  drawn = fig10.rows(with_conversions)
  pairs = with_conversions['pairs'].set_index(['model_1', 'model_2'])
  mine = of(drawn, kind='model', source='this study')
  assert set(mine['measure']) == {
    'neither_conversion_rate', 'converted_neither', 'neither',
  }  # fmt: skip
  assert synthetic.HARD_LABEL not in set(mine['model'])
  for row in mine.to_dict('records'):
    pair = pairs.loc['base', row['model']]
    n, neither = synthetic.EXAMPLES, pair['neither']
    counts = {
      'neither_conversion_rate': (pair['converted_neither'], neither),
      'converted_neither': (pair['converted_neither'], n),
      'neither': (neither, n),
    }[row['measure']]
    assert (row['count'], row['n']) == counts
    assert row['value'] == pytest.approx(counts[0] / counts[1])
    assert row['error_inconsistency'] == pair['error_inconsistency']
    if row['measure'] == 'neither_conversion_rate':
      assert row['lower'] == pair['neither_conversion_rate_lower']
      assert row['lower'] < row['value'] < row['upper']


def test_the_papers_pairs_stand_beside(with_conversions):
  drawn = of(fig10.rows(with_conversions), source='paper (ImageNet)')
  assert len(drawn) == 9
  rates = of(drawn, measure='neither_conversion_rate').set_index('category')
  for category, (converted, neither) in published.NEITHER.items():
    row = rates.loc[category]
    assert (row['count'], row['n']) == (converted, neither)
    assert row['value'] == converted / neither
  assert rates['value'].is_monotonic_increasing


def test_means_are_those_of_the_table(with_conversions):
  drawn = of(fig10.rows(with_conversions), source='this study')
  means = of(drawn, kind='category mean')
  for measure in ('neither_conversion_rate', 'neither'):
    np.testing.assert_array_equal(
      of(means, measure=measure)['value'],
      with_conversions['categories'][measure],
    )
  inside = of(drawn, kind='model', measure='converted_neither', in_window='yes')
  expected = inside.groupby('category')['value'].mean()
  got = of(means, measure='converted_neither').set_index('category')['value']
  for category, value in expected.items():
    assert got[category] == pytest.approx(value)


def test_panels(with_conversions):
  chart, _ = fig10.plot(with_conversions)
  titles = [panel['title']['text'] for panel in chart.to_dict()['concat']]
  assert titles == [
    'Conversion of what neither gets right',
    'The same, by category',
    'Right together, wrong alone',
    'Neither correct',
  ]


def test_one_that_is_always_right_leaves_no_rate(with_conversions):
  pairs = with_conversions['pairs']
  nothing = (pairs['model_1'] == 'base') & (pairs['model_2'] == 'CLIP-S')
  pairs.loc[nothing, ['neither', 'converted_neither']] = 0
  pairs.loc[nothing, 'neither_conversion_rate'] = np.nan
  drawn = of(fig10.rows(with_conversions), model='CLIP-S')
  assert drawn['measure'].tolist() == ['converted_neither', 'neither']
  assert (drawn['value'] == 0).all()


def test_without_logits_there_is_nothing_to_draw(synthetic):
  tables = synthetic.study({'base': 'BASE', synthetic.HARD_LABEL: 'DATASET'})
  with pytest.raises(figures.NotDrawableError, match='logits'):
    fig10.plot(tables)
