"""The heat map and the pair that is picked from it, in a headless Chromium."""

import json

import numpy as np

from overlap import report
from overlap.report import rows


def row_of(study, one, two):
  pairs = study['pairs']
  names = {one, two}
  (row,) = (
    row
    for row in pairs.to_dict('records')
    if {row['model_1'], row['model_2']} == names
  )
  return row


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
  reader = open_page(report.write_report(tmp_path, figures=['fig01']))
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


def test_the_table_of_pairs_says_the_same_as_the_heat_map(reader, study):
  table = rows.pairs_table(study)
  reader.click_cell(5, 9)
  one, two = reader.shown()
  (row,) = (row for row in table.rows if row[:2] == [one, two])
  assert reader.text('#reading').endswith(f'Error inconsistency {row[3]}')
