"""`overlap models`: the table as text."""

import pytest

from overlap.catalog import models as catalog
from overlap.cli import main, models
from overlap.core import errors


def rows(text):
  """The lines between the header and the count, split at the columns."""
  header, *body = text.split('\n')
  starts = [header.index(word) for word in ('category', 'method', 'way')]
  return [
    (line[: starts[0]].strip(), line[starts[0] : starts[1]].strip(), line)
    for line in body[:-2]
  ]


def test_every_model_has_its_line():
  found = rows(models.render())
  assert [name for name, _, _ in found] == [m.name for m in catalog.models()]
  for (_, category, line), m in zip(found, catalog.models(), strict=True):
    assert category == m.category
    assert line.endswith(m.needs)
    assert f' {100 * m.accuracy:.2f}% ' in line
    if m.parameters:
      assert f' {m.parameters / 1e6:.1f} M ' in line
    for figure in (m.temperature, m.error_inconsistency):
      assert figure is None or f' {figure:g}' in line


def test_the_figures_stand_right_aligned():
  header, *body = models.render().split('\n')
  end = header.index('accuracy') + len('accuracy')
  assert {line[end - 1 : end + 1] for line in body[:-2]} == {'% '}


@pytest.mark.parametrize(
  ('category', 'count', 'last'),
  [
    ('HPARAM', 51, '51 models: 51 to train'),
    ('DATASET', 12, '12 models: 5 to load, 7 to bring'),
    ('ARCH', 18, '18 models: 1 to train, 17 to load'),
    ('BASE', 1, '1 model: 1 to train'),
    ('', 85, '85 models: 56 to train, 22 to load, 7 to bring'),
  ],
)
def test_a_category_is_listed_alone(category, count, last):
  text = models.render(category)
  assert len(rows(text)) == count
  assert {found for _, found, _ in rows(text)} <= {category} or not category
  assert text.split('\n')[-1] == last


@pytest.mark.parametrize(
  ('base', 'name', 'category'),
  [
    ('ResNet-101x0.5', 'ResNet-101x0.5', 'BASE'),
    ('ResNet-101x0.5', 'ResNet-50 (base)', 'HPARAM'),
    ('CLIP-S', 'CLIP-S-ZS', 'HPARAM'),
    ('CLIP-S', 'ALIGN', 'DATASET'),
    ('Inception-V3', 'TF-Inception-V3', 'HPARAM'),
    ('Inception-V3', 'SimCLR', 'FRAMEWORK'),
    ('ResNet-50', 'ResNet-50 (base)', 'REINIT'),
  ],
)
def test_categories_are_relative_to_any_base(base, name, category):
  found = {n: c for n, c, _ in rows(models.render(base=base))}
  assert found[name] == category
  assert list(found.values()).count('BASE') == 1


def test_an_unknown_base_is_a_usage_error():
  with pytest.raises(errors.UsageError, match="Did you mean 'CLIP-S'"):
    models.render(base='CLIP-s')


@pytest.mark.parametrize('category', ['arch', 'Hparams', 'X'])
def test_an_unknown_category_is_a_usage_error(category):
  with pytest.raises(errors.UsageError, match='No category is called'):
    models.render(category)


def test_the_command_prints_the_table(capsys):
  assert main.main(['models', '--category=FRAMEWORK']) == 0
  assert capsys.readouterr().out == models.render('FRAMEWORK') + '\n'
  assert main.main(['models', '--category=FRAMEWROK']) == 2
  assert "Did you mean 'FRAMEWORK'" in capsys.readouterr().err
