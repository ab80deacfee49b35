"""Tests of overlap.figures.fig11."""

import html
import re

import pytest

from overlap import figures
from overlap.figures import fig11, frames


def test_curves_of_the_panels(tables):
  drawn = fig11.rows(tables)
  curves = drawn[drawn['kind'] == 'curve']
  pairs = ['base – seed 1', 'base – DenseNet-121', 'base – CLIP-S']
  assert curves['pair'].unique().tolist() == pairs
  assert (curves.groupby(['pair', 'form']).size() == 21).all()
  models = tables['models'].set_index('model')['accuracy']
  simple = curves[(curves['form'] == 'simple') & (curves['t'] == 1)]
  for pair, accuracy in zip(simple['pair'], simple['accuracy']):
    assert accuracy == models[pair.removeprefix('base – ')]


def test_optima_are_on_the_curves(tables):
  drawn = fig11.rows(tables)
  keys = ['pair', 'form', 't']
  curves = drawn[drawn['kind'] == 'curve'].set_index(keys)['correct']
  curves = curves.sort_index()
  best = drawn[drawn['kind'] == 'best']
  assert len(best) == 6
  for _, row in best.iterrows():
    assert curves[tuple(row[keys])] == row['correct']
    assert row['correct'] == curves[row['pair'], row['form']].max()
    assert row['lower'] <= row['t'] <= row['upper']


def test_what_t_means_is_said(tables):
  chart, _ = fig11.plot(tables)
  spec = chart.to_dict()
  texts = [' '.join(p['title']['subtitle']) for p in spec['concat']]
  assert 'model 1 alone' in texts[0]
  assert 'even by model 1, odd <b> by model 2' in texts[1]
  assert '80.424 %' in ' '.join(spec['title']['subtitle'])


def test_without_groups_there_is_one_panel(workdir, synthetic, tables):
  for name in ('interpolation', 'interpolation_optima'):
    tables[name] = tables[name][tables[name]['kind'] == 'simple']
  spec = fig11.plot(tables)[0].to_dict()
  assert len(spec['concat']) == 1
  # The file's lines are as short as the panel is narrow, for what goes beyond
  # is cut off where letters are wider than those it was laid out with.
  synthetic.write(workdir, tables)
  figures.save(workdir, ['fig11'])
  svg = (workdir / 'figures' / 'fig11.svg').read_text()
  texts = [html.unescape(text) for text in re.findall(r'>([^<>]+)</t', svg)]
  assert max(map(len, texts)) <= 56
  for line in spec['title']['subtitle']:
    assert line in ' '.join(texts)


def test_without_views_all_pairs_are_drawn(tables):
  number = len(tables['interpolation_optima']) // 2
  del tables['theta']
  chart, drawn = fig11.plot(tables)
  assert drawn.loc[drawn['kind'] == 'best', 'pair'].nunique() == number
  # Their names would take many lines.
  assert chart.to_dict()['title']['subtitle'][0].startswith(f'{number} pairs: ')


def test_without_intervals(tables):
  optima = tables['interpolation_optima']
  tables['interpolation_optima'] = optima.assign(
    best_t_lower=float('nan'), best_t_upper=float('nan')
  )
  fig11.plot(tables)


def test_without_curves(tables):
  tables['interpolation'] = tables['interpolation'].iloc[:0]
  with pytest.raises(frames.NotDrawableError, match='logits'):
    fig11.plot(tables)
