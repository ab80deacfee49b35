"""From a sweep to commands: words, order, and what makes a unit another."""

import pathlib

import pytest

from overlap.cli import main as cli
from overlap.config import schema
from overlap.launch import units

ROOT = pathlib.Path(__file__).resolve().parents[2]
CONFIG = 'configs/quickstart.py'


@pytest.fixture
def make(tmp_path, monkeypatch):
  """Makes the units of a sweep that an expression gives."""
  monkeypatch.chdir(ROOT)

  def run(items, **options):
    file = tmp_path / 'sweep.py'
    file.write_text(
      'from overlap.config import sweeps\n\n\ndef get_sweep():\n'
      f'  return {items}\n'
    )  # fmt: skip
    return units.make_units(CONFIG, str(file), '/w', **options)

  return run


@pytest.mark.parametrize(
  ('field', 'value', 'expected'),
  [
    ('data.splits.train', 'train[8%:20%]', None),
    ('data.label', 'a \'b\' "c" = ; $(d)', None),
    ('analyses.window', 1e-05, None),
    ('analyses.seed', -3, None),
    ('models.vit.seed', 7, None),
    ('transfer.optional', False, None),
    ('predict.feature_splits', ('test', 'probe_train'), None),
    ('models.vit.input.mean', [0.25], (0.25,)),
    ('models.lite0_imagenet.input.std', (0.5, 0.25, 1e-3), None),
    ('predict.feature_splits', (), None),
  ],
)
def test_a_value_is_the_same_after_the_command_line(
  make, field, value, expected
):
  (unit,) = make(f"[sweeps.Item('x', {{{field!r}: {value!r}}})]").units
  config = cli.parse(unit.words)['config'].value
  got = schema.flatten(config.to_dict())[field]
  assert got == (value if expected is None else expected)
  assert type(got) is type(value if expected is None else expected)


def test_teachers_come_first_and_are_waited_for(make):
  made = make("sweeps.models('distilled', 'vit')").units
  assert [unit.name for unit in made] == ['base', 'distilled', 'vit']
  assert [unit.after for unit in made] == [(), ('base',), ()]


def test_what_changes_no_result_makes_no_other_unit(make):
  def digests(items, **options):
    return [unit.digest for unit in make(items, **options).units]

  vit = "sweeps.models('vit', 'distilled')"
  before = digests(vit)
  assert len(set(before)) == 3
  assert digests(vit, further=['--config.data.data_dir=/x']) == before
  assert digests("sweeps.models('vit', 'distilled', 'dropout')")[:3] == before
  changed = digests(vit, further=['--config.models.base.seed=9'])
  # The base, and its student.
  assert [a == b for a, b in zip(before, changed)] == [True, False, False]
  assert digests(vit, stages=['train']) != before
  whole = "sweeps.named('seed', 'models.vit.seed', (1,))"
  assert digests(whole) == digests(
    whole, further=['--config.data.num_threads=7']
  )
  assert digests(whole) != digests(whole, further=['--config.data.label=x'])


def test_a_config_outside_of_the_project_is_named_in_full(tmp_path):
  assert units.from_root(f'{ROOT}/configs/x.py:a:b') == 'configs/x.py:a:b'
  assert units.from_root(f'{tmp_path}/x.py') == f'{tmp_path}/x.py'
