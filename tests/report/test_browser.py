"""The page in a headless Chromium, used as a reader uses it."""

import itertools
import json
import re

import numpy as np
import pytest

from overlap import report
from overlap.figures import heatmap
from overlap.report import rows

ALERT = '<script>alert(1)</script>'
IMAGE = '<img src=x onerror=alert(1)>'
PNG = (
  'data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACk'
  'lEQVR42mNgAAAAAgAB4iG8MwAAAABJRU5ErkJggg=='
)
WIDE = {'viewport': {'width': 1280, 'height': 900}}
DARK = WIDE | {'color_scheme': 'dark'}
PHONE = {
  'viewport': {'width': 390, 'height': 844}, 'device_scale_factor': 2,
  'is_mobile': True, 'has_touch': True,
}  # fmt: skip


@pytest.fixture(scope='module')
def study(synthetic):
  """Tables of models whose names would be markup."""
  models = dict(synthetic.MODELS)
  names = {synthetic.HOSTILE: ALERT, 'wide': IMAGE}
  return synthetic.study({names.get(m, m): c for m, c in models.items()})


@pytest.fixture(scope='module')
def path(tmp_path_factory, study, synthetic):
  workdir = tmp_path_factory.mktemp('study')
  synthetic.write(workdir, study)
  ids = study['contested']['id'].tolist()
  (workdir / 'report').mkdir()
  (workdir / 'report' / 'thumbnails.json').write_text(
    json.dumps({
      'dataset': 'fashion_mnist', 'split': 'test', 'size': 1,
      'images': dict.fromkeys(ids, PNG),
    })
  )  # fmt: skip
  return report.write(workdir)


class Reader:
  """A page that is open, and all that must not happen on it."""

  def __init__(self, browser, path, **options):
    self.context = browser.new_context(**options)
    self.page = self.context.new_page()
    self.faults, self.requests = [], []
    self.page.on('console', lambda m: self.faults.append(m.text))
    self.page.on('pageerror', lambda e: self.faults.append(str(e)))
    self.page.on('dialog', self._dismiss)
    self.page.on('request', lambda r: self.requests.append(r.url))
    self.address = f'file://{path}'
    self.page.goto(self.address)
    self.page.wait_for_selector('html[data-ready]')

  def _dismiss(self, dialog):
    self.faults.append(f'dialog {dialog.message}')
    dialog.dismiss()

  def close(self):
    self.context.close()
    loaded = {u for u in self.requests if not u.startswith('data:')}
    assert loaded == {self.address}
    assert self.faults == []

  def text(self, selector):
    return self.page.locator(selector).inner_text()

  def texts(self, selector):
    return self.page.locator(selector).all_inner_texts()

  def click_cell(self, row, column):
    canvas = self.page.locator('#heatmap')
    at, cell = (
      float(canvas.get_attribute(f'data-{n}')) for n in ('at', 'cell')
    )
    x, y = (at + (place + 0.5) * cell for place in (column, row))
    canvas.click(position={'x': x, 'y': y})

  def shown(self):
    """The names of the pair shown, as its title has them."""
    return self.texts('#pair h3 span')


@pytest.fixture
def open_page(browser):
  opened = []

  def make(path, **options):
    opened.append(Reader(browser, path, **(options or WIDE)))
    return opened[-1]

  yield make
  for reader in opened:
    reader.close()


@pytest.fixture
def reader(open_page, path):
  return open_page(path)


@pytest.fixture(scope='module')
def order(study):
  """The models as the heat map has them at first."""
  return heatmap.by_category(study['models'])['model'].tolist()


def row_of(study, one, two):
  pairs = study['pairs']
  names = {one, two}
  (row,) = (
    row
    for row in pairs.to_dict('records')
    if {row['model_1'], row['model_2']} == names
  )
  return row


@pytest.mark.parametrize('options', [WIDE, DARK, PHONE])
def test_loads_and_draws_for_every_reader(open_page, path, options):
  reader = open_page(path, **options)
  charts = reader.page.locator('.chart')
  assert charts.count() == 13
  for i in range(charts.count()):
    charts.nth(i).scroll_into_view_if_needed()
    charts.nth(i).locator('svg.marks').wait_for()
    assert charts.nth(i).locator('path').count() > 10
  wide = 'document.documentElement.scrollWidth > innerWidth'
  assert not reader.page.evaluate(wide)
  expected = 'rgb(21, 24, 30)' if options is DARK else 'rgb(255, 255, 255)'
  background = 'getComputedStyle(document.body).backgroundColor'
  assert reader.page.evaluate(background) == expected


def test_charts_wait_until_they_are_near(reader):
  assert reader.page.locator('.chart svg').count() == 0


def test_a_click_shows_that_pair(reader, study, order):
  reader.click_cell(2, 11)
  row = row_of(study, order[2], order[11])
  assert reader.shown() == [row['model_1'], row['model_2']]
  cells = reader.texts('.joint td b')
  assert cells == [
    f'{row[name]:,}' for name in ('both_correct', 'only_1', 'only_2', 'neither')
  ]
  together = ' '.join(reader.texts('.joint small'))
  for name in ('converted_only_1', 'converted_only_2', 'converted_neither'):
    assert f'together right on {row[name]:,}' in together
  share = f'{100 * row["error_inconsistency"]:.1f} %'
  assert share in reader.text('#pair .facts')
  # The other half of the square is the same pair, the diagonal is none.
  reader.click_cell(11, 2)
  assert reader.shown() == [row['model_1'], row['model_2']]
  reader.click_cell(4, 4)
  assert reader.shown() == [row['model_1'], row['model_2']]
  assert reader.text('#reading') == f'{order[4]}: HPARAM'
  selected = [
    reader.page.locator(f'#model-{side} option:checked').inner_text()
    for side in (1, 2)
  ]
  assert selected == [row['model_1'], row['model_2']]


def test_keys_alone_will_do(reader, study, order):
  for _ in range(40):
    reader.page.keyboard.press('Tab')
    if reader.page.evaluate('document.activeElement.id') == 'heatmap':
      break
  for key in (
    'Home',
    *12 * ['ArrowUp'],
    *2 * ['ArrowDown'],
    *4 * ['ArrowRight'],
  ):
    reader.page.keyboard.press(key)
  names = {order[2], order[4]}
  said = reader.text('#reading')
  assert all(name in said for name in names)
  assert set(reader.shown()) != names
  reader.page.keyboard.press('Enter')
  assert set(reader.shown()) == names
  reader.page.keyboard.press('End')
  assert order[-1] in reader.text('#reading')
  # Beyond the last there is nothing.
  before = reader.text('#reading')
  reader.page.keyboard.press('ArrowRight')
  assert reader.text('#reading') == before


def test_the_order_can_be_that_of_clustering(reader, order):
  heat = json.loads(reader.page.locator('#data').text_content())['heat']
  turned = [heat['models'][i] for i in heat['orders']['clustering']]
  assert turned != order
  places = list(range(15))
  for label, names in (('clustering', turned), ('category', order)):
    reader.page.get_by_label(label).check()
    for one, two in zip(places, [*places[5:], *places[:5]]):
      reader.click_cell(one, two)
      assert set(reader.shown()) == {names[one], names[two]}


def test_without_all_pairs_there_is_no_clustering(
  open_page, tmp_path, synthetic, study
):
  pairs = study['pairs']
  synthetic.write(
    tmp_path, study | {'pairs': pairs[pairs['model_1'] == 'base']}
  )
  reader = open_page(report.write(tmp_path, figures=['fig01']))
  assert reader.page.get_by_label('clustering').is_disabled()
  before = reader.shown()
  reader.page.locator('#model-1').select_option('seed 1')
  reader.page.locator('#model-2').select_option('seed 2')
  assert reader.page.locator('#no-pair').is_visible()
  assert reader.shown() == before


def points(share):
  return f'{100 * share:+.2f}'.replace('-', '−')


def test_another_measure(reader, study, order):
  reader.page.locator('#measure').select_option('Gain (points)')
  gains = study['pairs']['gain'].dropna()
  ends = [
    f'{100 * end:+.2f}'.replace('-', '−') for end in (gains.min(), gains.max())
  ]
  assert [reader.text('#low'), reader.text('#high')] == ends
  reader.click_cell(0, 13)
  gain = row_of(study, order[0], order[13])['gain']
  assert points(gain) in reader.text('#reading')
  # Hard labels have none: a cell without colour, but a pair all the same.
  reader.click_cell(0, 14)
  assert reader.text('#reading').endswith('Gain (points) –')
  assert reader.shown() == [order[0], order[14]]
  assert 'No θ' in reader.text('#pair')


def test_theta_and_classes_of_the_pair(reader, study):
  table = study['pair_closeups']
  row = table[(table['model_1'] == 'base') & (table['model_2'] == 'CLIP-S')]
  row = row.iloc[0]
  reader.page.locator('#model-1').select_option('base')
  reader.page.locator('#model-2').select_option('CLIP-S')
  bars = reader.page.locator('.theta rect.one')
  counts = json.loads(row['theta_only_1'])
  assert bars.count() == len(counts)
  heights = [
    float(bars.nth(i).get_attribute('height')) for i in range(len(counts))
  ]
  assert np.argmax(heights) == np.argmax(counts)
  sure = sum(json.loads(row['theta_only_2'])[:10])
  share = f'{100 * sure / sum(json.loads(row["theta_only_2"])):.1f}'
  text = reader.text('#pair').replace('\xa0', ' ')
  assert f'only CLIP-S right; it is the more confident on {share} %' in text
  for side in ('classes_1', 'classes_2'):
    for name, one, two, n, _ in json.loads(row[side]):
      mine, other = (one, two) if side == 'classes_1' else (two, one)
      assert (
        f'{name}: alone right on {mine}, the other on {other}, of {n}' in text
      )


def test_examples_on_which_one_alone_is_right(reader, study):
  models = study['models']['model'].tolist()
  one, two = models.index('base'), models.index('SimCLR')
  reader.page.locator('#model-1').select_option('base')
  reader.page.locator('#model-2').select_option('SimCLR')
  right = study['contested']['right']
  alone = [
    study['contested']['id'][(right.str[a] == 'y') & (right.str[b] == 'n')]
    for a, b in ((one, two), (two, one))
  ]
  groups = reader.page.locator('#pair .examples')
  for group, ids in zip(groups.all(), alone):
    assert group.locator('small').all_inner_texts() == ids.head(12).tolist()
    image = group.locator('img').first
    image.scroll_into_view_if_needed()
    reader.page.wait_for_timeout(50)
    assert image.evaluate('image => image.naturalWidth') == 1


def test_names_never_become_markup(reader, order):
  for name in (ALERT, IMAGE):
    reader.page.locator('#model-1').select_option(name)
    reader.page.locator('#model-2').select_option('base')
    assert name in reader.shown()
    assert name in reader.text('#reading')
    reader.page.locator('#filter-pairs').fill(name)
    assert reader.page.locator('#pairs tbody tr').count() == 14
    starts = reader.page.locator('#start option').all_inner_texts()
    for i in range(len(starts)):
      reader.page.locator('#start').select_option(str(i))
  assert reader.page.locator('img[src=x]').count() == 0
  # `close` checks that there was no dialog.


def test_pairs_are_sorted_filtered_and_shown_in_steps(reader, study):
  body = reader.page.locator('#pairs tbody tr')
  assert body.count() == 100
  assert reader.text('#count-pairs') == '100 shown of 105'
  reader.page.locator('#more-pairs').click()
  assert body.count() == 105
  assert not reader.page.locator('#more-pairs').is_visible()
  heading = reader.page.locator('#pairs thead th').nth(3)
  for direction, sign in (('ascending', 1), ('descending', -1)):
    heading.locator('button').click()
    assert heading.get_attribute('aria-sort') == direction
    column = reader.texts('#pairs tbody tr td:nth-child(4)')
    values = [sign * float(text.split()[0]) for text in column]
    assert values == sorted(values)
  reader.page.locator('#filter-pairs').fill('CLIP-S base')
  assert body.count() == 1
  assert reader.text('#count-pairs') == '1 shown of 1 found, 105 in all'
  reader.page.locator('#pairs tbody button').click()
  assert reader.shown() == ['base', 'CLIP-S']
  assert reader.page.evaluate('document.activeElement.id') == 'pair'
  reader.page.locator('#filter-pairs').fill('no such model')
  assert body.count() == 0


def test_models_are_sorted_and_filtered(reader, synthetic):
  heading = reader.page.locator('#models thead th').nth(1)
  heading.locator('button').click()
  categories = reader.texts('#models tbody td:nth-child(2)')
  assert categories == list(synthetic.MODELS.values())
  reader.page.locator('#filter-models').fill('arch')
  visible = reader.page.locator('#models tbody tr:visible')
  assert visible.count() == 3
  assert reader.text('#count-models') == '3 of 15'


def test_the_recommender_answers_from_the_tables(reader, study):
  greedy = study['greedy']
  starts = greedy['start'].drop_duplicates().tolist()
  for i, more in itertools.product(range(len(starts)), (1, 3)):
    reader.page.locator('#start').select_option(str(i))
    reader.page.locator('#budget').select_option(str(more))
    mine = greedy[(greedy['start'] == starts[i]) & (greedy['step'] == more)]
    honest = mine[mine['half'] == 'both'].iloc[0]
    flattered = mine[mine['half'] == 'all'].iloc[0]
    assert reader.text('#honest').startswith(
      f'{100 * honest["accuracy"]:.2f} % ('
    )
    assert reader.texts('.members li') == json.loads(flattered['members'])
    text = reader.text('#answer')
    assert f'Optimistic is {100 * flattered["accuracy"]:.2f} %' in text
    assert f'“{starts[i]}” alone' in text
    current = reader.page.locator('#steps [aria-current] td').first.inner_text()
    assert re.match(r'\d+', current)[0] == str(more)
  reader.page.locator('summary', has_text='One more model').click()
  listed = study['first_additions']
  listed = listed[listed['start'] == starts[-1]]['added'].head(10).tolist()
  cells = reader.texts('#steps details[open] tbody td:first-child')
  assert cells == listed


def test_what_is_only_optimistic_is_called_so(
  open_page, tmp_path, synthetic, study
):
  greedy = study['greedy']
  greedy = greedy[greedy['half'] == 'all']
  synthetic.write(tmp_path, study | {'greedy': greedy})
  reader = open_page(report.write(tmp_path, figures=['fig01']))
  assert reader.page.locator('#honest').count() == 0
  assert reader.text('#answer .caution').startswith('Optimistic: ')


def test_one_model_alone(open_page, tmp_path, synthetic):
  synthetic.write(tmp_path, synthetic.study({'base': 'BASE'}))
  reader = open_page(report.write(tmp_path, figures=['fig01']))
  assert reader.page.locator('#heatmap').count() == 0
  assert reader.page.locator('#models tbody tr').count() == 1


def test_hard_labels_alone(open_page, tmp_path, synthetic):
  models = {'base': 'BASE', synthetic.HARD_LABEL: 'DATASET'}
  synthetic.write(tmp_path, synthetic.study(models))
  reader = open_page(report.write(tmp_path, figures=['fig01']))
  assert reader.shown() == list(models)
  assert reader.page.locator('#recommend').count() == 0


def test_the_table_of_pairs_says_the_same_as_the_heat_map(reader, study):
  table = rows.pairs_table(study)
  reader.click_cell(5, 9)
  one, two = reader.shown()
  (row,) = (row for row in table.rows if row[:2] == [one, two])
  assert reader.text('#reading').endswith(f'Error inconsistency {row[3]}')
