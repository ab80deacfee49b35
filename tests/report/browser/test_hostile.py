"""A study all of whose names are attacks: on the page they are text."""

import json

import pandas as pd
import pytest

from overlap import report
from overlap.core import checksums

# Markup, ways out of attributes, scripts and comments, schemes, templates.
ATTACKS = (
  '<script>alert(1)</script>',
  '</script><script>alert(2)</script>',
  '<img src=x onerror=alert(3)>',
  '"><svg onload=alert(4)>',
  "' onmouseover='alert(5)",
  'javascript:alert(6)',
  '--><script>alert(7)</script><!--',
  '</title></style></textarea><script>alert(9)</script>',
  '{{constructor.constructor("alert(10)")()}}',
  '${alert(11)}`;alert(11)//',
  '&lt;script&gt;alert(12)&lt;/script&gt;',
  '\\u003cscript\\u003ealert(13)\\u003c/script\\u003e',
  '\'+alert(14)+\'"+alert(14)+"',
  'data:text/html,<script>alert(15)</script>',
)

# Of which models, classes or data sets are marks, labels or titles.
FIGURES = ('fig02', 'fig03', 'fig07')


@pytest.fixture(scope='module')
def attacked(synthetic):
  """Tables in which models, classes, groups, data and examples attack."""
  categories = list(synthetic.MODELS.values())
  models = {'base': 'BASE'} | dict(zip(ATTACKS, categories[1:], strict=True))
  tables = synthetic.study(models)
  names = {'fashion_mnist': ATTACKS[1], 'digits': ATTACKS[3]}
  names |= {'even': ATTACKS[2], 'odd <b>': ATTACKS[4]}
  names |= {f'class {i}': f'{ATTACKS[i]} {i}' for i in range(9)}
  return {name: _renamed(table, names) for name, table in tables.items()}


def _renamed(table, names):
  made = table.copy()
  for column in made.columns:
    if not pd.api.types.is_string_dtype(made[column]):
      continue
    made[column] = [_cell(column, value, names) for value in made[column]]
  return made.astype(table.dtypes)


def _cell(column, value, names):
  if not isinstance(value, str):
    return value
  if column in ('id', 'example'):
    return f'{ATTACKS[0]}{value}'
  if column in ('method', 'head', 'axes') and value:
    return ATTACKS[2]
  if not value.startswith(('[', '{')):
    return names.get(value, value)
  for old, new in names.items():
    value = value.replace(f'"{old}"', json.dumps(new))
  return value


@pytest.fixture(scope='module')
def page(tmp_path_factory, synthetic, attacked):
  workdir = tmp_path_factory.mktemp('attacked')
  synthetic.write(workdir, attacked)
  (workdir / 'report').mkdir()
  ids = attacked['contested']['id'].tolist()
  checksums.write_json(
    workdir / 'report' / 'thumbnails.json',
    {
      'dataset': ATTACKS[1], 'split': ATTACKS[0], 'size': 1,
      'images': dict.fromkeys(ids, 'x" onerror="alert(16)'),
    },
  )  # fmt: skip
  checksums.write_json(
    workdir / 'config.json',
    {
      'config': {
        'name': ATTACKS[7], 'models': {a: {'source': 'probe'} for a in ATTACKS},
      },
      'device': dict(zip(('kind', 'platform', 'count'), ATTACKS)),
      'versions': {ATTACKS[2]: ATTACKS[1]}, 'git_revision': ATTACKS[1],
    },
  )  # fmt: skip
  checksums.write_json(
    workdir / 'timings.json',
    {'stages': [
      {'stage': 'train', 'model': name, 'seconds': 1.0, 'finished': name}
      for name in ATTACKS
    ]},
  )  # fmt: skip
  return report.write_report(workdir, figures=FIGURES)


# Elements that run or load something, attributes that do, and their addresses.
SUSPECTS = """() => [...document.querySelectorAll('*')].flatMap((element) => [
  ...[...element.attributes]
    .filter(({ name, value }) => /^on/i.test(name)
      || (/^(href|src|action|formaction|srcdoc|xlink:href)$/i.test(name)
        && !/^(#|data:,$)/.test(value)))
    .map(({ name, value }) => `${element.tagName} ${name}=${value}`),
  ...(/^(iframe|object|embed|base|template|foreignobject)$/i
    .test(element.tagName) ? [element.tagName] : []),
])"""


def test_no_name_becomes_anything_but_text(open_page, page):
  reader = open_page(page)
  assert reader.page.locator('script').count() == 3  # The data among them.
  charts = reader.page.locator('.chart')
  assert charts.count() == len(FIGURES)
  for i in range(charts.count()):
    charts.nth(i).scroll_into_view_if_needed()
    charts.nth(i).locator('svg.marks').wait_for()
  assert reader.page.evaluate(SUSPECTS) == []
  for name in ATTACKS[1:]:
    reader.page.locator('#model-2').select_option(ATTACKS[0])
    reader.page.locator('#model-1').select_option(name)
    assert name in reader.shown()
    assert name in reader.text('#reading')
    assert reader.page.evaluate(SUSPECTS) == []
  starts = reader.page.locator('#start option').all_inner_texts()
  for i, shown in enumerate(starts):
    reader.page.locator('#start').select_option(str(i))
    assert any(shown.startswith(name) for name in ('base', *ATTACKS))
  reader.page.locator('#filter-pairs').fill(ATTACKS[0])
  assert reader.page.locator('#pairs tbody tr').count() == 14
  marks = reader.page.locator('.chart .mark-symbol path').first
  marks.hover(force=True)
  assert reader.page.evaluate(SUSPECTS) == []
  assert reader.page.title().startswith(ATTACKS[7])
  # `close` checks that nothing was asked for, logged or alerted.


def test_the_policy_alone_would_stop_a_script(open_page, tmp_path, page):
  """Whatever got past the escaping, the page's own policy does not run it."""
  text = page.read_text()
  planted = "<script>document.title = 'broken'</script><main>"
  (tmp_path / 'index.html').write_text(text.replace('<main>', planted, 1))
  reader = open_page(tmp_path / 'index.html')
  assert reader.page.title() != 'broken'
  (fault,) = reader.faults
  assert 'Content Security Policy' in fault
  reader.faults.clear()
