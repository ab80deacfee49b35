"""configs/imagenet: every row of the paper's tables has a config, which runs.

What runs does so from the command line, on a tiny ImageNet in TFDS's own
files, with small images, for two steps.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

import pandas as pd
import pytest

from overlap.catalog import categories, models, names
from overlap.config import schema
from overlap.core import errors, lookup, python_file
from overlap.data import augment
from overlap.data.preparation import Preparation
from overlap.study import specs
from overlap.train import optimizer

ROOT = pathlib.Path(__file__).resolve().parents[1]
FOLDER = ROOT / 'configs' / 'imagenet'
CACHE = tempfile.TemporaryDirectory(prefix='overlap-compiled-')
BASE = names.key(models.BASE_NAME)
# Whose weights nobody outside has.
BROUGHT = {
  'ALIGN-ZS', 'ALIGN', 'ViT-H/14', 'ViT-G/14', 'MPL', 'BiT-1k', 'BiT-JFT',
}  # fmt: skip
ROWS = [row for row in models.models() if row.name not in BROUGHT]
# All but pre-training on other data.
TRAINED = [row for row in ROWS if row.category != 'DATASET']


PAPER = python_file.load(FOLDER / 'paper.py')


@pytest.fixture(scope='module')
def whole():
  """All models' config, resolved and checked."""
  resolved = schema.resolve(PAPER.get_config('all'))
  specs.check_specs(resolved)
  return resolved


def test_every_row_of_the_tables_has_its_config(whole):
  assert {r.name for r in models.models() if r.way == 'bring'} == BROUGHT
  missing = {names.key(row.name) for row in ROWS} ^ set(whole['models'])
  assert not missing
  trained = schema.resolve(PAPER.get_config('trained'))['models']
  assert set(trained) == {names.key(row.name) for row in TRAINED}
  assert len(trained) == 73
  counts = [
    sum(r.category == c for r in TRAINED) for c in categories.CATEGORIES
  ]
  assert counts == [1, 51, 18, 2, 0]


@pytest.mark.parametrize('row', TRAINED, ids=lambda row: row.name)
def test_a_row_is_trained_from_nothing_as_the_tables_say(whole, row):
  settings = whole['models'][names.key(row.name)]
  assert settings['init']['checkpoint'] == ''
  flat = schema.flatten(settings)
  for field, value in row.settings:
    if field == 'init.pretrained_on':
      continue
    if (row.name, field) == ('SimCLR', 'train.augment'):
      continue  # Which is of its fine-tuning.
    if row.way == 'load' and field.startswith('train.'):
      continue
    got = flat[field]
    assert (tuple(got) if isinstance(got, list) else got) == value, field
  train = settings['train']
  assert train['total_epochs'] >= 30
  assert 0 <= train['warmup_epochs'] < train['total_epochs']
  assert train['total_steps'] == 0
  for phase in ('train', 'simclr') if row.name == 'SimCLR' else ('train',):
    given = settings[phase]
    # The crop comes out of the photograph, and the rest can be built.
    assert given['augment_on_host'] >= 1
    assert given['learning_rate_batch'] > 0
    augment.build_on_host(
      given['augment'], given['augment_on_host'], Preparation(32)
    )
  optimizer.build(
    train['optimizer'], learning_rate=1.0, warmup_steps=1, total_steps=100,
    weight_decay=0.0, schedule=train['schedule'],
    milestones=tuple(train['milestones']),
  )  # fmt: skip


@pytest.mark.slow_except(
  'ResNet-50 (base)',
  'ResNet-101x0.5',
  'ResNet-50 (Dropout 0.1)',
  'ResNet-50 (Label Smoothing 0.4)',
  'ResNet-50 (DropBlock 34, 0.9)',
  'ResNet-50 (DropBlock 1234, 0.1)',
  'SK-ResNet-34',
  'Legacy-SEResNet-34',
  'ViT-DeiT-Tiny',
)
@pytest.mark.parametrize('row', TRAINED, ids=lambda row: row.name)
def test_a_row_has_the_catalogues_parameters(whole, row, count_parameters):
  settings = whole['models'][names.key(row.name)]
  model = specs.build_model(settings, num_classes=1000)
  side = settings['input']['size']
  assert count_parameters(model, (1, side, side, 3)) == row.parameters


def test_categories_are_the_tables(whole):
  axes = {
    name: specs.axes(settings, 'IN')
    for name, settings in whole['models'].items()
  }
  for row in ROWS:
    if row.name != models.BASE_NAME:
      got = categories.category_to_base(axes[names.key(row.name)], axes[BASE])
      assert got == row.category, row.name


def test_no_two_models_are_the_same(whole):
  hashes = [specs.training_hash(whole, name, 'IN') for name in whole['models']]
  assert len(set(hashes)) == len(hashes)


@pytest.mark.parametrize(
  ('arg', 'expected'),
  [
    ('REINIT', {'resnet_50'}),
    ('FRAMEWORK', {'simclr', 'vit_deit_tiny', 'resnet_101'}),
    ('ResNet-50 (Dropout 0.1)', {'resnet_50_dropout_0_1'}),
    ('resnet_50_dropout_0_1', {'resnet_50_dropout_0_1'}),
    ('ViT-DeiT-Tiny', {'vit_deit_tiny', 'resnet_101'}),
    (
      'DATASET',
      {'vit_s_16', 'clip_s', 'clip_s_zs', 'clip_l', 'clip_l_zs'},
    ),
  ],
)
def test_a_form_has_what_was_asked_for_the_base_and_teachers(arg, expected):
  resolved = schema.resolve(PAPER.get_config(arg))
  specs.check_specs(resolved)
  assert set(resolved['models']) == {BASE, *expected}
  # In whatever form, a model is trained in one way.
  whole = schema.resolve(PAPER.get_config())['models']
  assert all(whole[k] == v for k, v in resolved['models'].items())


def test_the_base_alone_is_the_base_of_all(whole):
  resolved = schema.resolve(python_file.load(FOLDER / 'base.py').get_config())
  assert resolved['models'] == {BASE: whole['models'][BASE]}


def test_an_unknown_model_is_one_line_with_the_nearest():
  with pytest.raises(errors.UsageError, match="mean 'resnet_50_dropout_0_1'"):
    PAPER.get_config('ResNet-50 (Dropout 0.11)')
  with pytest.raises(errors.UsageError):
    lookup.check_choice('form', 'ALIGN', list(PAPER.get_config().models))


@pytest.fixture(scope='module')
def tiny_imagenet(tmp_path_factory):
  """A folder of data with a tiny ImageNet in it."""
  pytest.importorskip('tensorflow_datasets')
  folder = tmp_path_factory.mktemp('data')
  python_file.load(ROOT / 'tests' / 'tiny_imagenet.py').write(folder)
  return folder


def command(key, workdir, data, *flags, steps=2, size=32):
  """The words of `overlap train` for one model."""
  at = f'--config.models.{key}'
  return [
    sys.executable, '-m', 'overlap', 'train',
    '--config=configs/imagenet/paper.py:trained', f'--workdir={workdir}',
    f'--model={key}', f'--config.data.data_dir={data}',
    # The held-out split is tried once; it takes one more compilation.
    '--config.data.splits.heldout=', f'{at}.train.total_steps={steps}',
    f'{at}.train.batch_size=4', f'{at}.input.size={size}',
    f'{at}.train.log_every_steps=1', f'{at}.train.checkpoint_every_steps=1',
    *flags,
  ]  # fmt: skip


def environment():
  return os.environ | {
    'XLA_FLAGS': '--xla_backend_optimization_level=0',
    'JAX_PLATFORMS': 'cpu',
    'JAX_COMPILATION_CACHE_DIR': CACHE.name,
    'JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS': '0.5',
  }


def train(*words, **options):
  """Runs `overlap train` to its end; returns what it says."""
  done = subprocess.run(
    command(*words, **options), cwd=ROOT, env=environment(),
    capture_output=True, text=True, timeout=900,
  )  # fmt: skip
  assert done.returncode == 0, done.stderr
  return done.stderr


def metrics(workdir, key, phase='train'):
  made = pd.read_csv(workdir / 'models' / key / f'metrics_{phase}.csv')
  # What it took is another time in every run.
  return made.drop(
    columns=['images_per_second', 'seconds_per_step', 'input_wait']
  )


@pytest.mark.slow
def test_the_base_is_killed_and_goes_on(tiny_imagenet, tmp_path):
  heldout, steps = '--config.data.splits.heldout=train[:10%]', 12
  unbroken, killed = tmp_path / 'unbroken', tmp_path / 'killed'
  said = train(BASE, unbroken, tiny_imagenet, heldout, steps=steps)
  assert 'step 12 of 12' in said
  assert 'held-out accuracy' in said
  model = json.loads((unbroken / f'models/{BASE}/model.json').read_text())
  assert model['dataset'] == 'tfds:imagenet2012'
  again = train(BASE, unbroken, tiny_imagenet, heldout, steps=steps)
  assert 'trained already' in again
  process = subprocess.Popen(
    command(BASE, killed, tiny_imagenet, heldout, steps=steps), cwd=ROOT,
    env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
  )  # fmt: skip
  checkpoints = f'models/{BASE}/run-*/train/checkpoints/[2-9]'
  while process.poll() is None and not list(killed.glob(checkpoints)):
    time.sleep(0.01)
  process.kill()
  process.wait()
  said = train(BASE, killed, tiny_imagenet, heldout, steps=steps)
  assert 'resumed at step' in said
  # The same photographs, cut in the same way: the same losses, bit by bit.
  expected = metrics(unbroken, BASE)
  assert expected['step'].tolist() == list(range(1, 13))
  pd.testing.assert_frame_equal(metrics(killed, BASE), expected)


# A few, for all take an hour, unless all are asked for by
# OVERLAP_IMAGENET_ROWS=all. SimCLR has a test of its own, and DeiT a teacher.
TRIED = ['resnet_50_dropblock_34_0_9', 'seresnext_26d', 'vit_b_16']
if os.environ.get('OVERLAP_IMAGENET_ROWS') == 'all':
  TRIED = [
    names.key(row.name)
    for row in TRAINED
    if row.name not in ('SimCLR', 'ViT-DeiT-Tiny')
  ]
# Whose stem leaves nothing of smaller images.
SIZES = {'inception_v3': 75}
# Of which keep so little that what is kept is scaled up many times, block after
# block: the first losses are tens.
DROPPED = ('dropblock_34_0_', 'dropblock_1234_0_')


@pytest.mark.slow
@pytest.mark.parametrize('key', TRIED)
def test_a_model_trains(tiny_imagenet, tmp_path, key):
  size = max([32] + [least for name, least in SIZES.items() if name in key])
  said = train(key, tmp_path, tiny_imagenet, size=size)
  assert 'step 2 of 2' in said
  made = metrics(tmp_path, key)
  # ln 1,000 = 6.9: nothing has been learned, and nothing blows up.
  most = 100 if any(name in key for name in DROPPED) else 12
  assert made['loss'].between(5, most).all()


@pytest.mark.slow
def test_simclr_trains_in_two_phases(tiny_imagenet, tmp_path):
  flags = [
    f'--config.models.simclr.simclr.{field}={value}'
    for field, value in (('total_steps', 2), ('batch_size', 4))
  ]
  said = train('simclr', tmp_path, tiny_imagenet, *flags)
  assert 'simclr (pretrain): step 2 of 2' in said
  assert 'simclr: step 2 of 2' in said
  # Of 8 views each has one of 7 others to find.
  assert metrics(tmp_path, 'simclr', 'pretrain')['loss'].between(0.1, 12).all()
