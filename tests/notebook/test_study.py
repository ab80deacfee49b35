"""Tests of overlap.load_study: tables, pairs and figures by name."""

import copy
import subprocess
import sys

import pandas as pd
import pytest

import overlap
from overlap import figures
from overlap.core import errors


@pytest.fixture
def study(workdir):
  return overlap.load_study(workdir)


def test_tables_are_attributes_and_items(study, tables):
  assert set(study.tables) == set(tables)
  pd.testing.assert_frame_equal(study.pairs, tables['pairs'])
  pd.testing.assert_frame_equal(study.tables['models'], study.models)
  assert study.base == 'base'
  assert {'models', 'pairs', 'figure'} <= set(dir(study))


@pytest.mark.parametrize('ask', [
  lambda study: study.modles,
  lambda study: study.tables['modles'],
])  # fmt: skip
def test_a_table_that_is_not_there(study, ask):
  with pytest.raises(errors.UsageError, match=r"Did you mean 'models'"):
    ask(study)


def test_what_python_asks_for_is_an_attribute_error(study):
  # Notebooks try methods to show an object by; `copy` asks before there is
  # anything in it.
  assert not hasattr(study, '_ipython_display_')
  assert not hasattr(study, 'nothing_like_it')
  assert copy.copy(study).base == 'base'
  assert copy.copy(study.pair('base', 'seed 1')).n == study.pairs['n'][0]


def test_a_figure_is_the_paper_s(study, tables):
  expected, _ = figures.plot('fig02', tables)
  assert study.figure('fig02').to_dict() == expected.to_dict()
  with pytest.raises(errors.UsageError, match=r"Did you mean 'fig02'"):
    study.figure('figure02')


def test_figures_are_those_that_have_data(tmp_path, synthetic):
  synthetic.write(tmp_path, synthetic.study({'base': 'BASE'}))
  study = overlap.load_study(tmp_path)
  assert list(study.figures) == ['table1']
  assert repr(study).startswith('Study of 1 model and 0 pairs on')
  with pytest.raises(figures.NotDrawableError):
    study.figure('fig01')


def test_the_summary_says_what_was_found_and_escapes_names(study, synthetic):
  html = study._repr_html_()
  title, sentences, _ = study.findings[0]
  assert len(sentences) > 2
  # In short, and unfolded in full.
  assert html.count(title) == 2
  assert html.count(' …</p>') >= 1
  assert study.findings[-1].sentences[-1].split('%')[0][:20] in html
  assert synthetic.HOSTILE not in html
  assert 'Models: 15' in html
  assert repr(study).startswith('Study of 15 models and 105 pairs')


def test_a_folder_without_a_study_says_what_it_has(workdir, tmp_path):
  with pytest.raises(errors.DataError, match='does not exist'):
    overlap.load_study(tmp_path / 'nowhere')
  (tmp_path / 'one').symlink_to(workdir)
  with pytest.raises(errors.DataError, match=r'Studies in it: one\. '):
    overlap.load_study(tmp_path)
  (tmp_path / 'stored' / 'predictions').mkdir(parents=True)
  with pytest.raises(errors.DataError, match='overlap analyse'):
    overlap.load_study(tmp_path / 'stored')


def test_importing_overlap_is_light():
  code = (
    'import sys, overlap; sys.exit(str({"pandas", "jax", "numpy"}'
    ' & set(sys.modules) or "") or 0); overlap.load_study'
  )
  subprocess.run([sys.executable, '-c', code], check=True, timeout=120)
  with pytest.raises(AttributeError, match='no attribute'):
    _ = overlap.load_studies
