"""Tests of overlap.report: the page as a browser and a reader get it."""

import base64
import hashlib
import html.parser
import json
import re

import pytest

from overlap import figures, report
from overlap.core import checksums, errors

CHARTS = [n for n in figures.FIGURES if n.startswith('fig')]
VOID = {'meta', 'link', 'input', 'br', 'img', 'hr'}
# Their end tags may be left out.
OPTIONAL = {'td'}


class Page(html.parser.HTMLParser):
  """Text, attributes and scripts of a page; fails on unbalanced tags."""

  def __init__(self, source):
    super().__init__()
    self.open, self.texts, self.scripts, self.attributes = [], [], [], []
    self.tags = []
    self.feed(source)
    self.close()
    assert self.open == []

  def handle_starttag(self, tag, attrs):
    if self.open and self.open[-1] in OPTIONAL and tag in ('td', 'th'):
      self.open.pop()
    self.tags.append(tag)
    self.attributes += [(tag, name, value or '') for name, value in attrs]
    if tag == 'script':
      self.scripts.append([dict(attrs), ''])
    if tag not in VOID:
      self.open.append(tag)

  def handle_endtag(self, tag):
    if self.open[-1] in OPTIONAL and tag == 'tr':
      self.open.pop()
    assert self.open.pop() == tag

  def handle_data(self, data):
    if self.open and self.open[-1] == 'script':
      self.scripts[-1][1] += data
    elif self.open and self.open[-1] != 'style':
      self.texts.append(data)

  @property
  def data(self):
    (text,) = [t for a, t in self.scripts if a.get('id') == 'data']
    return json.loads(text)


@pytest.fixture(scope='module')
def source(tmp_path_factory, synthetic):
  workdir = tmp_path_factory.mktemp('study')
  synthetic.write(workdir, synthetic.study())
  checksums.write_json(
    workdir / 'config.json',
    {
      'config': {'name': '</script><script>window.broken=2</script>'},
      'created': '2026-01-02T03:04:05+00:00',
      'versions': {'jax': '0.10.2'},
    },
  )
  checksums.write_json(
    workdir / 'timings.json',
    {
      'stages': [{'stage': 'train', 'model': '<i>a', 'seconds': 61.0}],
      'peak_memory_bytes': 2**30,
    },
  )
  path = report.write_report(workdir)
  assert path == workdir / 'report' / 'index.html'
  return path.read_text()


def test_page_parses_and_is_small(source):
  page = Page(source)
  assert page.tags.count('h1') == 1
  assert len(source.encode()) < 3e6
  text = ' '.join(page.texts)
  for expected in ('1 min 1 s', '1.0 GiB', 'jax 0.10.2', 'Findings'):
    assert expected in text


@pytest.mark.slow
def test_a_page_of_all_models_of_the_paper_can_be_sent(synthetic):
  models = synthetic.paper_models()
  assert len(models) == 85
  source = report.render(synthetic.study(models))
  assert len(source.encode()) < 15e6
  data = Page(source).data
  pairs = 85 * 84 // 2
  for held in (
    data['pairs']['rows'], data['heat']['first'], data['closeups']['theta'],
  ):  # fmt: skip
    assert len(held) == pairs
  # Pairs beyond the first are no elements until they are asked for.
  assert source.count('<tr>') < 300


def test_nothing_is_loaded(source):
  page = Page(source)
  for _, name, value in page.attributes:
    if name in ('src', 'href', 'action', 'data', 'srcset', 'poster'):
      assert value.startswith(('#', 'data:')), (name, value)
  data, script, _ = [text for _, text in page.scripts]
  styles = re.findall(r'<style>(.*?)</style>', source, re.S)
  assert len(styles) == 1
  assert 'url(' not in styles[0]
  assert '@import' not in styles[0]
  # Nor is any address named, not even of a schema; that of SVG is a name.
  assert '://' not in data
  assert '://' not in script.replace("'http://www.w3.org/2000/svg'", '')
  assert 'fetch(' not in script


def test_names_are_text(source, synthetic):
  page = Page(source)
  assert source.count(synthetic.HOSTILE) == 0
  assert synthetic.HOSTILE in ' '.join(page.texts)
  types = [attributes.get('type') for attributes, _ in page.scripts]
  assert types == ['application/json', 'module', 'module']
  rows = page.data['rows']['fig01']
  models = [row[rows['fields'].index('model')] for row in rows['rows']]
  assert synthetic.HOSTILE in models


@pytest.mark.parametrize(
  'text', ['</script>', '<!--', '&amp;', '\u2028\u2029', '"\\', 'ä', '']
)
def test_script_json(text):
  written = str(report.script_json({text: [text]}))
  assert json.loads(written) == {text: [text]}
  assert not set('<>&\u2028\u2029') & set(written)


def test_policy_allows_these_scripts_alone(source):
  policy = re.search(r'Content-Security-Policy" content="([^"]*)"', source)[1]
  allowed = re.findall(r'sha256-[A-Za-z0-9+/=]+', policy)
  scripts = re.findall(r'<script type="module">(.*?)</script>', source, re.S)
  digests = [hashlib.sha256(s.encode()).digest() for s in scripts]
  assert allowed == [
    f'sha256-{base64.b64encode(digest).decode()}' for digest in digests
  ]
  assert 'default-src &#39;none&#39;' in policy
  assert 'unsafe-eval' not in policy


def test_same_input_same_page(workdir):
  shown = ['fig01', 'fig04']
  first = report.write_report(workdir, figures=shown).read_bytes()
  assert report.write_report(workdir, figures=shown).read_bytes() == first


def test_tables_can_be_sorted_and_filtered(source):
  page = Page(source)
  sortable = [a for a in page.attributes if a[1] == 'aria-sort']
  # 12 columns of models, 13 of pairs, 9 of categories, each with a button.
  assert len(sortable) == page.tags.count('button') - 1 == 12 + 13 + 9
  filters = [a[2] for a in page.attributes if a[1] == 'data-filter']
  assert filters == ['models', 'pairs']
  labels = {a[2] for a in page.attributes if a[:2] == ('label', 'for')}
  assert labels == {'filter-models', 'filter-pairs'}


def test_every_figure_is_there(source):
  page = Page(source)
  names = [a[2] for a in page.attributes if a[1] == 'data-name']
  assert names == CHARTS
  assert set(page.data['specs']) == set(page.data['rows']) == set(names)


def test_only_figures_asked_for(tables):
  page = Page(report.render(tables, figures=['fig02', 'table1']))
  assert list(page.data['specs']) == ['fig02']
  with pytest.raises(errors.UsageError, match='No figure'):
    report.render(tables, figures=['fig77'])


def test_without_optional_tables(tables):
  del tables['categories'], tables['correlations']
  page = Page(report.render(tables, figures=['fig01']))
  assert 'Which models differ most' in ' '.join(page.texts)


def test_one_model(synthetic):
  page = Page(report.render(synthetic.study({'base': 'BASE'})))
  assert page.data['specs'] == {}
  assert 'Pairs' in page.texts
  assert page.tags.count('table') == 1


def test_only_hard_labels(synthetic):
  models = {'base': 'BASE', synthetic.HARD_LABEL: 'DATASET'}
  page = Page(report.render(synthetic.study(models)))
  assert 'fig02' not in page.data['specs']


def test_pairs_without_the_base(tables):
  pairs = tables['pairs']
  tables['pairs'] = pairs[pairs['model_1'] != 'base']
  page = Page(report.render(tables))
  of_base = {'fig01', 'fig02', 'fig08', 'fig10'}
  assert list(page.data['specs']) == [n for n in CHARTS if n not in of_base]


def test_without_tables(tmp_path):
  with pytest.raises(errors.DataError, match='overlap analyse'):
    report.write_report(tmp_path)
