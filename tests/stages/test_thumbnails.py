"""Tests of overlap.stages.thumbnails: pictures for the report."""

import base64
import io
import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from overlap.config import schema
from overlap.core import errors
from overlap.data import ArrayExamples
from overlap.stages import thumbnails
from overlap.study.study import Study
from overlap.tables import table_io

IDS = ['test/a', 'test/b', 'test/c']


def examples(channels, size=12):
  shape = (3, size, size, channels)
  return ArrayExamples(
    dataset='shapes', split='test', ids=IDS, labels=np.arange(3),
    images=np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8),
    class_names=('x', 'y', 'z'),
  )  # fmt: skip


def decoded(url):
  head, _, text = url.partition(';base64,')
  return head, Image.open(io.BytesIO(base64.b64decode(text)))


def test_grey_images_keep_their_pixels():
  given = examples(1)
  made = thumbnails.pictures(given, ['test/c', 'test/a'], 20)
  assert list(made) == ['test/c', 'test/a']
  head, image = decoded(made['test/c'])
  assert head == 'data:image/png'
  pixels = given.fetch([2])['image'][0, ..., 0]
  np.testing.assert_array_equal(np.asarray(image), pixels)


def test_colours_become_small_jpegs():
  made = thumbnails.pictures(examples(3, 40), IDS, 16)
  for url in made.values():
    head, image = decoded(url)
    assert head == 'data:image/jpeg'
    assert (image.size, image.mode) == ((16, 16), 'RGB')
    assert len(url) < 3000


def test_no_examples():
  assert thumbnails.pictures(examples(1), [], 8) == {}


def test_an_example_that_is_not_there():
  with pytest.raises(errors.DataError, match="example 'test/d'"):
    thumbnails.pictures(examples(1), ['test/d'], 8)


def settings(size, asked=('models', 'pairs', 'contested')):
  made = schema.study()
  made.data.dataset = 'shapes'
  made.models.base = schema.model('vit')
  made.report.thumbnails = size
  made.analyses.tables = asked
  return schema.resolve(made)


def test_what_cannot_be_shown_is_refused():
  thumbnails.check_thumbnails(settings(32))
  thumbnails.check_thumbnails(settings(0, ('models',)))
  with pytest.raises(errors.UsageError, match='got -1'):
    thumbnails.check_thumbnails(settings(-1))
  with pytest.raises(errors.UsageError, match='got models, pairs'):
    thumbnails.check_thumbnails(settings(32, ('models', 'pairs')))


@pytest.fixture
def study(tmp_path, monkeypatch):
  """A study of which only the table and the data are there."""
  frame = pd.DataFrame({
    'id': ['test/b', 'test/a'], 'label': [1, 0], 'class_name': ['y', 'x'],
    'models_right': [1, 1], 'right': ['yn', 'ny'],
  })  # fmt: skip
  table_io.write_table(tmp_path, 'contested', frame)
  read = []

  def load(self, split):
    read.append(split)
    return examples(1)

  monkeypatch.setattr(Study, 'examples', load)
  monkeypatch.setattr(Study, 'dataset', 'shapes')
  return lambda size: Study(settings(size), tmp_path), read


def test_the_file_is_made_kept_and_removed(study, tmp_path):
  of_size, read = study
  file = tmp_path / 'report' / 'thumbnails.json'
  thumbnails.write_thumbnails(of_size(0))
  assert not file.exists()
  thumbnails.write_thumbnails(of_size(8))
  held = json.loads(file.read_text())
  assert list(held['images']) == ['test/b', 'test/a']
  assert (held['dataset'], held['split'], held['size']) == ('shapes', 'test', 8)
  thumbnails.write_thumbnails(of_size(8))
  assert read == ['test']
  thumbnails.write_thumbnails(of_size(6))
  assert read == ['test', 'test']
  thumbnails.write_thumbnails(of_size(0))
  assert not file.exists()


def test_the_table_must_be_there(study, tmp_path):
  of_size, _ = study
  (tmp_path / 'tables' / 'contested.csv').unlink()
  with pytest.raises(errors.DataError, match='overlap analyse'):
    thumbnails.write_thumbnails(of_size(8))
