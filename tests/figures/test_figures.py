"""Tests of overlap.figures: what is written is what is drawn."""

import csv
import re
import subprocess
import sys
import xml.etree.ElementTree as ET

import pandas as pd
import pytest
import vl_convert

from overlap import figures
from overlap.core import errors
from overlap.figures import frames

# Figures of tables that a study may be without.
OWN = {
  'fig03', 'fig04', 'fig05', 'fig06', 'fig07', 'fig09', 'fig11', 'fig12',
  'fig13',
}  # fmt: skip
# Which need models outside the accuracy window.
WINDOWED = {'table2', 'table3', 'table4'}
SVG = '{http://www.w3.org/2000/svg}'


def texts(svg):
  return [''.join(e.itertext()) for e in ET.fromstring(svg).iter(f'{SVG}text')]


def read_as(cell, value):
  return cell if isinstance(value, str) else float(cell)


def drawn_in(folder):
  """Names of its files but `done.json`, which has their checksums."""
  names = sorted(path.name for path in folder.iterdir())
  names.remove('done.json')
  return names


# What every JavaScript object has, for which Vega may take such a name.
PROTOTYPE = {
  'base': 'valueOf', 'seed 1': 'toString', 'lr/0.02': 'constructor',
  'wide': '__proto__', 'DenseNet-121': 'hasOwnProperty', 'SimCLR': 'length',
}  # fmt: skip


@pytest.mark.slow_except('heatmap')
@pytest.mark.parametrize('name', figures.FIGURES)
def test_names_of_javascript_are_drawn_as_others_are(
  tmp_path, synthetic, tables, name
):
  drawn = {}
  for end in ('', '!'):
    names = {old: new + end for old, new in PROTOTYPE.items()}
    workdir = tmp_path / f'with{end}'
    renamed = {key: table.replace(names) for key, table in tables.items()}
    synthetic.write(workdir, renamed)
    figures.save(workdir, [name])
    drawn[end] = texts((workdir / f'figures/{name}.svg').read_text())
  assert drawn[''] == [
    re.sub('(?<=[a-zA-Z_])!', '', text) for text in drawn['!']
  ]


@pytest.mark.slow_except('fig01', 'fig02', 'heatmap', 'table1')
@pytest.mark.parametrize('name', figures.FIGURES)
def test_save(workdir, tables, name):
  chart, drawn = figures.plot(name, tables)
  spec = chart.to_dict()
  assert list(spec['datasets'].values()) == [frames.to_csv(drawn)]
  # Every layer draws from that data set alone.
  assert str(spec).count("'name'") == 1
  assert spec['data']['format']['type'] == 'csv'

  paths = figures.save(workdir, [name])
  folder = workdir / 'figures'
  assert drawn_in(folder) == [
    f'{name}.{extension}' for extension in ('csv', 'png', 'svg')
  ]
  assert {p.name for p in paths} == set(drawn_in(folder))
  with (folder / f'{name}.csv').open(newline='') as f:
    header, *rows = csv.reader(f)
  assert header == list(drawn.columns)
  assert len(rows) == len(drawn)
  for column, cells in zip(header, zip(*rows)):
    for cell, value in zip(cells, drawn[column]):
      assert cell == '' if pd.isna(value) else read_as(cell, value) == value
  assert (folder / f'{name}.png').read_bytes().startswith(b'\x89PNG\r\n')
  assert texts((folder / f'{name}.svg').read_text())


def test_save_twice_gives_the_same_bytes(workdir):
  def contents():
    figures.save(workdir, ['fig01', 'fig02', 'heatmap'])
    return {
      path.name: path.read_bytes()
      for path in (workdir / 'figures').iterdir()
      if path.suffix in ('.svg', '.csv')
    }

  first = contents()
  assert first == contents()
  for svg in (text for name, text in first.items() if name.endswith('svg')):
    ids = re.findall(rb' id="([^"]+)"', svg)
    assert len(ids) == len(set(ids)) > 0
    used = set(re.findall(rb'url\(#([^)]+)\)', svg))
    assert used == set(ids)


@pytest.mark.slow
def test_save_of_all(workdir):
  figures.save(workdir)
  names = {name.partition('.')[0] for name in drawn_in(workdir / 'figures')}
  assert names == set(figures.FIGURES)


def test_what_can_no_longer_be_drawn_goes(workdir, synthetic):
  names = ['fig02', 'heatmap']
  figures.save(workdir, names)
  models = {'base': 'BASE', synthetic.HARD_LABEL: 'DATASET'}
  synthetic.write(workdir, synthetic.study(models))
  written = figures.save(workdir, names)
  left = drawn_in(workdir / 'figures')
  assert left == ['heatmap.csv', 'heatmap.png', 'heatmap.svg']
  assert sorted(path.name for path in written) == left


def test_hostile_names_are_text(workdir, synthetic):
  figures.save(workdir, ['table1'])
  svg = (workdir / 'figures' / 'table1.svg').read_text()
  assert '<script' not in svg
  assert synthetic.HOSTILE in texts(svg)


def test_unknown_figure(workdir):
  with pytest.raises(errors.UsageError, match=r"Did you mean .*'fig01'"):
    figures.save(workdir, ['fig02', 'fgi01'])
  assert not (workdir / 'figures').exists()


def test_without_tables(tmp_path):
  with pytest.raises(errors.DataError, match='overlap analyse'):
    figures.save(tmp_path)


@pytest.mark.slow
def test_without_optional_tables(tmp_path, synthetic, tables):
  kept = {name: tables[name] for name in ('models', 'pairs')}
  synthetic.write(tmp_path, kept)
  assert set(figures.load(tmp_path)) == {'models', 'pairs'}
  drawn = {path.stem for path in figures.save(tmp_path)}
  assert drawn == figures.FIGURES.keys() - OWN


def test_one_model_has_table_1_alone(tmp_path, synthetic):
  synthetic.write(tmp_path, synthetic.study({'base': 'BASE'}))
  names = {path.stem for path in figures.save(tmp_path)}
  assert names == {'table1'}


@pytest.mark.slow_except('fig01', 'fig02', 'fig10', 'heatmap', 'table1')
@pytest.mark.parametrize('name', sorted(figures.FIGURES.keys() - WINDOWED))
def test_two_models(tmp_path, synthetic, name):
  synthetic.write(tmp_path, synthetic.study({'base': 'BASE', 'a': 'REINIT'}))
  # There is no contrast.
  assert len(figures.save(tmp_path, [name])) == (0 if name == 'fig12' else 3)


def test_only_hard_labels(synthetic):
  models = {'base': 'BASE', synthetic.HARD_LABEL: 'DATASET'}
  tables = synthetic.study(models)
  for name in OWN:
    with pytest.raises(figures.NotDrawableError):
      figures.plot(name, tables)
  for name in figures.FIGURES.keys() - WINDOWED - OWN - {'fig02', 'fig10'}:
    figures.plot(name, tables)
  with pytest.raises(figures.NotDrawableError, match='logits'):
    figures.plot('fig02', tables)


def test_charts_show_in_notebooks(tables):
  chart, _ = figures.plot('fig01', tables)
  assert chart.to_dict()['config']['range']['category'][0] == '#1b2f7a'


def test_every_point_is_drawn(tables):
  chart, drawn = figures.plot('fig01', tables)
  svg = vl_convert.vegalite_to_svg(chart.to_dict())
  root = ET.fromstring(svg)
  symbols = [
    path
    for group in root.iter(f'{SVG}g')
    if 'mark-symbol' in group.get('class', '')
    for path in group.iter(f'{SVG}path')
  ]
  assert len(symbols) == len(drawn)


def test_figures_need_neither_jax_nor_the_store():
  code = (
    'import sys, overlap.figures as f;'
    "[__import__(v.split(':')[0]) for v in f.FIGURES.values()];"
    "bad = {'jax', 'overlap.store', 'overlap.data', 'tensorflow'};"
    'sys.exit(str(bad & set(sys.modules)) if bad & set(sys.modules) else 0)'
  )
  subprocess.run([sys.executable, '-c', code], check=True, timeout=120)
