"""The page in a headless Chromium, used as a reader uses it."""

import itertools
import json
import re

import pytest

from overlap import report

WIDE = {'viewport': {'width': 1280, 'height': 900}}
DARK = WIDE | {'color_scheme': 'dark'}
PHONE = {
  'viewport': {'width': 390, 'height': 844}, 'device_scale_factor': 2,
  'is_mobile': True, 'has_touch': True,
}  # fmt: skip


@pytest.mark.slow_except('options0')
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


def test_names_never_become_markup(reader, markup):
  for name in markup:
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


def test_a_budget_of_operations_picked_with_keys_alone(
  reader, study, synthetic
):
  budgets = study['greedy_budgets']
  budgets = budgets[budgets['start'] == study['greedy']['start'].iloc[0]]
  for _ in range(80):
    reader.page.keyboard.press('Tab')
    if reader.page.evaluate('document.activeElement.id') == 'budget':
      break
  # The last of all options, and those before it.
  reader.page.keyboard.press('End')
  for place, of in enumerate(reversed(synthetic.BUDGETS)):
    if place:
      reader.page.keyboard.press('ArrowUp')
    mine = budgets[budgets['budget'] == of].set_index('half')
    honest, flattered = mine.loc['both'], mine.loc['all']
    start = honest['start']
    picked = reader.page.locator('#budget option:checked').inner_text()
    assert picked == f'{of:g} × its operations'
    assert reader.texts('.members li') == json.loads(flattered['members'])
    share = f'{100 * honest["accuracy"]:.2f} % ('
    assert reader.text('#honest').startswith(share)
    flops = study['costs'].set_index('model')['flops'][start]
    times = flattered['flops'] / flops
    assert f'Operations: {times:.2f} times' in reader.text('#cost')
    assert times <= of
    current = reader.texts('#steps [aria-current] td')
    assert (current[0], current[-1]) == (f'{of:g}', f'{times:.2f}')


def test_without_recorded_operations_there_are_models_to_choose(
  open_page, tmp_path, synthetic, study
):
  old = {
    name: table
    for name, table in study.items()
    if name not in ('costs', 'greedy_budgets')
  }
  synthetic.write(tmp_path, old)
  reader = open_page(report.write_report(tmp_path, figures=['fig01']))
  options = reader.texts('#budget option')
  assert options == ['1 more model', '2 more models', '3 more models']
  assert reader.page.locator('#cost').count() == 0
  assert 'don’t say' in reader.text('#steps')
  headings = reader.texts('#steps th')
  assert not [heading for heading in headings if 'Operations' in heading]


def test_of_other_models_there_is_one_more_alone(reader, study):
  started = study['greedy']['start'].nunique()
  reader.page.locator('#start').select_option(str(started))
  assert reader.page.locator('#budget').is_disabled()
  assert 'was not run' in reader.text('#answer')
  assert reader.page.locator('#steps details[open] tbody tr').count() == 10
  assert 'flattered' in reader.text('#steps .caution')
  reader.page.locator('#start').select_option('0')
  assert reader.page.locator('#budget').is_enabled()
  assert reader.page.locator('#honest').count() == 1


def test_what_is_only_optimistic_is_called_so(
  open_page, tmp_path, synthetic, study
):
  greedy = study['greedy']
  greedy = greedy[greedy['half'] == 'all']
  synthetic.write(tmp_path, study | {'greedy': greedy})
  reader = open_page(report.write_report(tmp_path, figures=['fig01']))
  assert reader.page.locator('#honest').count() == 0
  assert reader.text('#answer .caution').startswith('Optimistic: ')


def test_one_model_alone(open_page, tmp_path, synthetic):
  synthetic.write(tmp_path, synthetic.study({'base': 'BASE'}))
  reader = open_page(report.write_report(tmp_path, figures=['fig01']))
  assert reader.page.locator('#heatmap').count() == 0
  assert reader.page.locator('#models tbody tr').count() == 1


def test_hard_labels_alone(open_page, tmp_path, synthetic):
  models = {'base': 'BASE', synthetic.HARD_LABEL: 'DATASET'}
  synthetic.write(tmp_path, synthetic.study(models))
  reader = open_page(report.write_report(tmp_path, figures=['fig01']))
  assert reader.shown() == list(models)
  assert reader.page.locator('#recommend').count() == 0
