"""Models of one study that learn in different ways, each as the others do."""

import tarfile

import numpy as np
import pytest
from PIL import Image

from overlap import store
from overlap.catalog import categories
from overlap.config import schema
from overlap.core import errors
from overlap.stages import predict, train
from overlap.study import methods, specs
from overlap.study.study import Study

RNG = np.random.default_rng(0)


@pytest.fixture
def tree(tmp_path):
  """Two classes of four images in each split."""
  for split in ('train', 'test', 'more'):
    for i in range(8):
      path = tmp_path / 'tree' / split / ('cat', 'dog')[i % 2] / f'{i}.png'
      path.parent.mkdir(parents=True, exist_ok=True)
      pixels = RNG.integers(0, 256, (8, 8, 3), np.uint8)
      Image.fromarray(pixels).save(path)
  return tmp_path / 'tree'


def clip():
  model = schema.model(
    'clip', patch_size=4, hidden_size=8, depth=1, num_heads=2,
    projection_size=8,
  )  # fmt: skip
  model.method = 'image_text'
  model.image_text.total_steps = 2
  model.image_text.batch_size = 8
  model.image_text.hidden_size = 8
  model.image_text.depth = 1
  model.head.fit = 'zero_shot'
  return model


def resnet(**fields):
  model = schema.model(
    'resnet', stage_sizes=(1,), block='basic', width=4, stem='small'
  )
  model.train.batch_size = 8
  model.train.total_steps = 1
  model.update_from_flattened_dict(fields)
  return model


def bound(tmp_path, tree, **changes):
  config = schema.study()
  config.data.dataset = 'image_folder'
  config.data.data_dir = str(tree)
  config.data.splits.heldout = 'test'
  config.predict.batch_size = 8
  config.models.base = resnet(
    **{
      'train.optimizer': 'lars', 'train.ema_decay': 0.9, 'train.mixup': 0.2,
      'train.accumulate_steps': 2,
    }
  )  # fmt: skip
  config.models.clip = clip()
  config.models.mpl = resnet(
    **{
      'method': 'mpl', 'mpl.total_steps': 2, 'mpl.batch_size': 4,
      'mpl.unlabelled': 'more', 'train.total_steps': 0,
    }
  )  # fmt: skip
  config.models.digits = resnet(
    **{
      'method': 'pretrain', 'pretrain.dataset': 'mnist_5k',
      'pretrain.split': 'train[:64]', 'pretrain.total_steps': 2,
      'pretrain.batch_size': 8,
    }
  )  # fmt: skip
  config.update_from_flattened_dict(changes)
  plain = schema.resolve(config)
  specs.check_specs(plain)
  return Study(plain, tmp_path / 'work')


@pytest.mark.slow
def test_all_are_trained_and_predict(tmp_path, tree):
  study = bound(tmp_path, tree)
  train.train(study)
  predict.predict_all(study)
  reader = store.Store(study.path)
  for name in ('base', 'clip', 'mpl', 'digits'):
    logits = reader.read('image_folder', 'test', name, 'logits')
    assert logits.shape == (8, 2)
    assert np.isfinite(logits).all()
    metrics = {
      path.name for path in (study.path / 'models' / name).glob('metrics_*')
    }
    wanted = {
      'base': {'train'}, 'clip': {'pairs'}, 'mpl': {'mpl'},
      'digits': {'pretrain', 'train'},
    }[name]  # fmt: skip
    assert metrics == {f'metrics_{phase}.csv' for phase in wanted}
  task = train.make_task(study, 'mpl')
  assert task.unlabelled.ids[0].startswith('more/')
  settings = study.config['models']
  axes = {name: specs.axes(settings[name], 'd') for name in settings}
  assert categories.category_to_base(axes['mpl'], axes['base']) == 'FRAMEWORK'
  assert categories.category_to_base(axes['clip'], axes['base']) == 'FRAMEWORK'
  assert categories.category_to_base(axes['digits'], axes['base']) == 'DATASET'


def test_a_table_of_pairs_is_a_data_set_of_its_own(tmp_path, tree):
  table = tree / 'web.csv'
  lines = [f'train/cat/{2 * i}.png,a cat' for i in range(4)]
  lines += [f'train/dog/{2 * i + 1}.png,a dog' for i in range(4)]
  table.write_text('\n'.join(['path,caption', *lines]))
  study = bound(tmp_path, tree, **{'models.clip.image_text.pairs': str(table)})
  task = train.make_task(study, 'clip')
  pairs = task.pairs()
  assert len(pairs) == 8
  assert pairs.fetch([0])['image'].shape == (1, 8, 8, 3)
  settings = study.config['models']
  axes = {name: specs.axes(settings[name], 'd') for name in settings}
  assert categories.category_to_base(axes['clip'], axes['base']) == 'DATASET'


def test_pairs_of_tar_files_are_a_data_set_of_their_own(tmp_path, tree):
  shard = tmp_path / 'web' / '00000.tar'
  shard.parent.mkdir()
  with tarfile.open(shard, 'w') as tar:
    for i, path in enumerate(sorted((tree / 'train').glob('*/*.png'))):
      tar.add(path, f'{i:09d}.png')
      (tmp_path / 'caption').write_text(f'a {path.parent.name}')
      tar.add(tmp_path / 'caption', f'{i:09d}.txt')
  changes = {'models.clip.image_text.pairs': str(shard.parent)}
  study = bound(tmp_path, tree, **changes)
  pairs = train.make_task(study, 'clip').pairs()
  assert pairs.texts(np.array([0, 7])) == ['a cat', 'a dog']
  assert pairs.fetch([7])['image'].shape == (1, 8, 8, 3)
  axes = specs.axes(study.config['models']['clip'], 'd')
  assert axes['dataset'] == 'web'
  # Reports are made where the files are not.
  shard.unlink()
  specs.check_specs(study.config)
  assert train.make_task(study, 'clip').pairs is not None


@pytest.mark.parametrize(
  ('changes', 'match'),
  [
    ({'clip.image_text.total_steps': 0}, r'clip\.image_text\.total_steps'),
    ({'mpl.mpl.gradient': 'both'}, "'both'"),
    ({'digits.pretrain.dataset': 'mnist'}, "'mnist_5k'"),
    ({'digits.pretrain.total_steps': 0}, r'pretrain\.total_steps'),
    ({'base.train.schedule': 'cosinus'}, "'cosine'"),
    ({'base.train.optimizer': 'lar'}, "'lars'"),
    ({'base.train.ema_decay': 1.0}, r'base\.train\.ema_decay must be in'),
    ({'clip.architecture.options.representation': 'pooled'}, 'projected'),
    ({'clip.image_text.caption': 'text'}, "pairs=tfds:NAME, got 'text'"),
  ],
)
def test_what_can_not_be_is_told_before_anything_is_run(
  tmp_path, tree, changes, match
):
  changed = {f'models.{field}': value for field, value in changes.items()}
  with pytest.raises(errors.UsageError, match=match):
    bound(tmp_path, tree, **changed)


NEW = ('image_text', 'mpl', 'pretrain')
LATER = {
  'train.schedule': 'constant',
  'train.nesterov': False,
  'train.ema_decay': 0.9,
  'train.mixup': 0.1,
  'simclr.optimizer': 'lars',
  'image_text.pairs': 'x.csv',
  'mpl.step_size': 0.5,
  'pretrain.split': 'test',
}


def plain(**changes):
  config = schema.study()
  config.data.dataset = 'mnist_5k'
  config.models.base = resnet(**changes)
  return schema.resolve(config)


@pytest.mark.parametrize('field', LATER)
def test_later_fields_are_in_the_hash_and_among_the_hyperparameters(field):
  first, second = plain(), plain(**{field: LATER[field]})
  assert specs.training_hash(first, 'base', 'd') != (
    specs.training_hash(second, 'base', 'd')
  )
  axes = [specs.axes(s['models']['base'], 'd') for s in (first, second)]
  assert categories.category_to_base(*axes) == 'HPARAM'


@pytest.mark.parametrize(
  ('changes', 'said'),
  [
    ({}, 'supervised vit'),
    (
      {'method': 'distill', 'distill.teacher': 'base'},
      'distill vit, taught by base',
    ),
    (
      {'init.checkpoint': 'w.npz'},
      'supervised vit, begun from a checkpoint',
    ),
    (
      {'method': 'simclr', 'train.total_steps': 0, 'head.fit': 'lbfgs'},
      'simclr vit, its head fitted by L-BFGS',
    ),
    (
      {
        'train.total_steps': 0,
        'init.checkpoint': 'w.npz',
        'head.fit': 'lbfgs',
      },
      'vit, loaded from a checkpoint, its head fitted by L-BFGS',
    ),
    (
      {'train.total_steps': 0, 'init.checkpoint': 'w.npz'},
      'vit, loaded from a checkpoint',
    ),
    (
      {'train.total_steps': 0, 'head.fit': 'lbfgs'},
      'vit, untrained, its head fitted by L-BFGS',
    ),
  ],
)
def test_what_the_log_says_is_done(changes, said):
  config = schema.model('vit')
  config.train.total_steps = 5
  config.simclr.total_steps = 5
  config.update_from_flattened_dict(changes)
  assert methods.in_words(config.to_dict()) == said
