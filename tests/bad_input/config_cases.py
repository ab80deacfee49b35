"""Config files, their fields, the names of models, the workdir."""

import os

from overlap.core import checksums

_EMPTY = 'def get_config(arg=""):\n  '


def cases(case):
  """Named cases; `case` is the class."""
  return _files(case) | _fields(case) | _names(case) | _workdirs(case)


def _files(case):
  def named(name):
    return lambda a: [
      'train',
      f'--config={a.case / name}',
      f'--workdir={a.fresh}',
    ]

  def returning(text):
    return lambda a: a.configured(f'{_EMPTY}{text}\n')

  def of(text):
    return lambda a: a.configured(text)

  return {
    'a config that is missing': case(
      named('none.py'),
      2,
      ['must name a config file', 'none.py'],
    ),
    'a config that is misspelt': case(
      lambda a: [
        'train',
        f'--config={a.folder / "confg.py"}',
        f'--workdir={a.fresh}',
      ],
      2,
      ['confg.py', "which is none. Did you mean '", "config.py'?"],
    ),
    'a config that is a folder': case(
      named(''),
      2,
      ['must name a config file'],
    ),
    'a config of no name': case(
      lambda a: ['train', '--config=', f'--workdir={a.fresh}'],
      2,
      ['must name a config file', "got ''"],
    ),
    'a flag --config without a value': case(
      lambda a: ['train', f'--workdir={a.fresh}', '--config'],
      2,
      ['must name a config file'],
    ),
    'no config': case(
      lambda a: ['train', f'--workdir={a.fresh}'],
      2,
      ['--config must name a config file, got nothing'],
    ),
    'two configs': case(
      lambda a: a.study(f'--config={a.file("d.py", "")}'),
      2,
      ['d.py', 'get_config'],
    ),
    'an empty config': case(of(''), 2, ['c.py', 'get_config']),
    'a config of bytes': case(
      lambda a: a.configured(b'\x80\x04\x95\x00\xff' * 9),
      2,
      ['c.py'],
    ),
    'a config with a NUL': case(of('x = 1\0'), 2, ['c.py']),
    'a config that is not Python': case(
      of('[model]\nname = resnet 50\n'),
      2,
      ['c.py', 'invalid syntax'],
    ),
    'a config of deep brackets': case(of('(' * 10_000), 2, ['c.py']),
    'a config that raises': case(
      of('raise RuntimeError("a\\nb\\x1b[31m")'),
      2,
      ['c.py', 'a b'],
    ),
    'a config that exits': case(
      of('raise SystemExit("gone")'),
      2,
      ['c.py', 'gone'],
    ),
    'a config that divides by nothing': case(
      returning('return 1 / 0'),
      2,
      ['c.py', 'division by zero'],
    ),
    'a config that asserts': case(
      returning('assert arg, "name a form"'),
      2,
      ['c.py', 'name a form'],
    ),
    'a config that never returns': case(
      returning('return get_config()'),
      2,
      ['c.py', 'recursion'],
    ),
    'a config that imports what is not there': case(
      of('import no_such_module_here'),
      2,
      ['no_such_module_here'],
    ),
    'a config with a name misspelt': case(
      returning('return overlap_config.study()'),
      2,
      ['overlap_config'],
    ),
    'a config without get_config': case(
      of('config = 3'),
      2,
      ['c.py', 'get_config'],
    ),
    'a get_config that is no function': case(
      of('get_config = 3'),
      2,
      ['c.py', 'get_config'],
    ),
    'a get_config of two arguments': case(
      of('def get_config(a, b): pass'),
      2,
      ['c.py', 'argument'],
    ),
    'a get_config that returns nothing': case(
      returning('pass'),
      2,
      ['c.py', 'ConfigDict', 'None'],
    ),
    'a get_config that returns a dict': case(
      returning('return {"models": {}}'),
      2,
      ['c.py', 'ConfigDict', 'dict'],
    ),
    'a get_config that returns a number': case(
      returning('return 5'),
      2,
      ['c.py', 'ConfigDict', 'int'],
    ),
    'a config of other fields': case(
      of(
        'import ml_collections\n'
        'def get_config(): return ml_collections.ConfigDict({"lr": 1})'
      ),
      2,
      ['No field of config', "'lr'", 'Choices:'],
    ),
    'an empty ConfigDict': case(
      of(
        'import ml_collections\n'
        'def get_config(): return ml_collections.ConfigDict()'
      ),
      2,
      ['must be given', 'got nothing'],
    ),
    'a config that holds itself': case(
      of(
        'import ml_collections\n'
        'def get_config():\n'
        '  c = ml_collections.ConfigDict(); c.c = c; return c'
      ),
      2,
      ['must be a tree'],
    ),
    'a field of an object': case(
      lambda a: a.changed(
        '  config.models.base.architecture.options.stem = object()'
      ),
      2,
      ['stem', 'object'],
    ),
    'a field of a function': case(
      lambda a: a.changed(
        '  config.models.base.architecture.options.stem = print'
      ),
      2,
      ['stem', 'print'],
    ),
    'a form that the config refuses': case(
      lambda a: [
        'train',
        f'--config={a.folder.parent}/none.py:smoke',
        f'--workdir={a.fresh}',
      ],
      2,
      ['none.py'],
    ),
  }


def _fields(case):
  def field(words, *told):
    if not told:
      name, _, value = words.partition('=')
      # Of the analyses, what can be told to each of them.
      told = name.removeprefix('analyses.'), f'got {value}'
    return case(lambda a: a.study(f'--config.{words}'), 2, told)

  base = 'models.base'
  made = {
    words: field(words)
    for words in (
      f'{base}.seed=-1',
      f'{base}.seed=99999999999999999999',
      f'{base}.train.total_steps=-1',
      f'{base}.train.total_epochs=-0.5',
      f'{base}.train.total_epochs=nan',
      f'{base}.train.total_epochs=inf',
      f'{base}.train.batch_size=0',
      f'{base}.train.batch_size=-8',
      f'{base}.train.batch_size=9999999999999',
      f'{base}.train.learning_rate=nan',
      f'{base}.train.learning_rate=inf',
      f'{base}.train.learning_rate=-0.1',
      f'{base}.train.warmup_steps=-1',
      f'{base}.train.weight_decay=nan',
      f'{base}.train.weight_decay=-1.0',
      f'{base}.train.momentum=1.5',
      f'{base}.train.clip_norm=-1.0',
      f'{base}.train.ema_decay=1.0',
      f'{base}.train.ema_decay=nan',
      f'{base}.train.accumulate_steps=0',
      f'{base}.train.batch_norm_groups=0',
      f'{base}.train.resize=-1',
      f'{base}.train.label_smoothing=1.5',
      f'{base}.train.mixup=-1.0',
      f'{base}.train.log_every_steps=0',
      f'{base}.train.decay_factor=nan',
      f'{base}.train.checkpoint_every_steps=-3',
      f'{base}.train.augment_on_host=-1',
      f'{base}.input.size=-8',
      f'{base}.input.size=100000000',
      f'{base}.input.channels=2',
      f'{base}.input.channels=-1',
      f'{base}.simclr.temperature=0.0',
      f'{base}.mpl.unlabelled_ratio=0',
      f'{base}.head.max_examples=-1',
      f'{base}.head.max_iterations=0',
      f'{base}.distill.temperature=0.0',
      'data.image_size=-1',
      'data.num_threads=0',
      'data.num_threads=-2',
      'predict.batch_size=0',
      'predict.batch_size=-1',
      'analyses.folds=1',
      'analyses.resamples=-1',
      'analyses.confidence=1.0',
      'analyses.confidence=nan',
      'analyses.window=-0.1',
      'analyses.seed=-1',
      'analyses.memory_mb=0',
      'report.thumbnails=-1',
      'analyses.probing.strengths=0',
      'analyses.similarity.variance=2.0',
      'analyses.greedy.max_members=0',
    )
  }
  return made | {
    'no mean': field(f'{base}.input.mean=()', 'input.mean', 'got none'),
    'two means': field(f'{base}.input.mean=(1.0,2.0)', 'mean', 'got 2'),
    'a standard deviation of 0': field(
      f'{base}.input.std=(0.0,)', 'input.std', 'above 0', 'got 0.0'
    ),
    'no strengths': field(
      f'{base}.head.strengths=()', 'head.strengths', 'got none'
    ),
    'a negative strength': field(
      f'{base}.head.strengths=(-1.0,)', 'head.strengths', 'got -1.0'
    ),
    'text for a number': field(
      f'{base}.train.total_steps=ten',
      f"--config.{base}.train.total_steps must be a whole number, got 'ten'.",
    ),
    'text for a number, after a space': case(
      lambda a: a.study(f'--config.{base}.train.total_steps', 'ten'),
      2,
      ["total_steps must be a whole number, got 'ten'."],
    ),
    'text for a fraction': field(
      f'{base}.train.learning_rate=fast', "must be a number, got 'fast'."
    ),
    'a fraction for a whole number': field(
      f'{base}.train.total_steps=1.5',
      "total_steps must be a whole number, got '1.5'.",
    ),
    'text for a truth': field(
      f'{base}.train.nesterov=perhaps',
      "nesterov must be true or false, got 'perhaps'.",
    ),
    'a number for fields': field(
      f'{base}.train=3',
      f'--config.{base}.train must be set by its fields, as in '
      f"--config.{base}.train.FIELD=..., got '3'. Fields: ",
    ),
    'a name for fields': field(
      f'{base}.architecture=vitt',
      f'--config.{base}.architecture must be set by its fields, as in '
      f"--config.{base}.architecture.name=..., got 'vitt'. Fields: name, ",
    ),
    'fields of a number': field(f'{base}.seed.x=3', 'seed'),
    'a field of a model that is not there': field(
      'models.bse.seed=1', "'bse'", "Did you mean 'base'"
    ),
    'a field that is misspelt': field(
      'data.datset=x', "'datset'", "Did you mean 'dataset'"
    ),
    'a field without a name': field(
      '=3', 'No field of config', "''", 'Choices:'
    ),
    'a place in a list that is none': field(
      f'{base}.input.mean[7]=0.5', 'mean'
    ),
    'an option that the architecture lacks': case(
      lambda a: a.changed('  config.models.base.architecture.options.dpth = 3'),
      2,
      ['dpth', 'resnet'],
    ),
    'an option of the wrong type': case(
      lambda a: a.changed(
        '  config.models.x = overlap_config.model("resnet", stage_sizes="ab")'
      ),
      2,
      ['stage_sizes', "'ab'", 'tuple'],
    ),
    'an option that can not be': case(
      lambda a: a.changed(
        '  config.models.base.architecture.options.width = -4'
      ),
      2,
      ['width', '-4'],
    ),
    'no architecture': field(f'{base}.architecture.name=', "''", 'Choices:'),
    'an architecture': field(
      f'{base}.architecture.name=resnt', "'resnt'", "'resnet'"
    ),
    'a method': field(f'{base}.method=magic', "'magic'", 'supervised'),
    'a source': field(f'{base}.source=disk', "'disk'", 'train, probe, store'),
    'a dtype': field(f'{base}.dtype=float8', "'float8'", 'bfloat16'),
    'an optimizer': field(f'{base}.train.optimizer=adm', "'adm'", 'sgd'),
    'a schedule': field(f'{base}.train.schedule=cos', "'cos'", 'cosine'),
    'an augmentation': case(
      lambda a: a.study(
        f'--config.{base}.train.augment=flop(3)',
        f'--config.{base}.train.total_steps=4',
      ),
      2,
      ["'flop'", 'Choices:', 'flip'],
    ),
    'an augmentation that is code': case(
      lambda a: a.study(
        f'--config.{base}.train.augment=__import__("os").system("true")',
        f'--config.{base}.train.total_steps=4',
      ),
      2,
      ['__import__'],
    ),
    'a way of resizing': field(f'{base}.input.resize=big', "'big'", 'squash'),
    'a head': field(f'{base}.head.fit=glm', "'glm'", 'lbfgs'),
    'a sharding': field(f'{base}.train.sharding=all', "'all'", 'fsdp'),
    'a teacher that is none': case(
      lambda a: a.study('--config.models.base.method=distill'),
      2,
      ["''", 'teacher', 'Choices:'],
    ),
    'milestones out of order': case(
      lambda a: a.study(
        f'--config.{base}.train.schedule=step',
        f'--config.{base}.train.milestones=(0.9, 0.3)',
      ),
      2,
      ['Milestones must be', '0.9'],
    ),
    'a table': field("analyses.tables=('pars',)", "'pars'", "'pairs'"),
    'a figure': field("report.figures=('fig99',)", "'fig99'", 'fig01, fig02'),
    'pairs': field('analyses.pairs=base:nobody', "'nobody'", 'Choices:'),
    'pairs of three': field('analyses.pairs=a:b:c', "'a:b:c'"),
    'a base that is none': field('base=bse', "'bse'", "'base'"),
    'no data set': field('data.dataset=', 'config.data.dataset'),
    'a data set': field('data.dataset=imge_folder', "'image_folder'"),
    'a split to predict': field("predict.splits=('tst',)", "'tst'", "'test'"),
    'nothing to predict': field('predict.splits=()', 'predict.splits'),
    'a split to analyse': field('analyses.split=train', "'train'", 'test'),
    'no models': case(
      lambda a: a.changed('  config.models = type(config.models)()'),
      2,
      ['A study needs a model'],
    ),
    'models that are text': case(
      lambda a: a.changed('  config.unlock(); config.models = "base"'),
      2,
      ["'models'", 'base', 'line 17'],
    ),
    'a model that is a number': case(
      lambda a: a.changed('  config.models.x = 3'),
      2,
      ['config.models.x', '3'],
    ),
    'a model that lacks fields': case(
      lambda a: a.changed(
        '  config.models.x = type(config)({"source": "train"})'
      ),
      2,
      ['config.models.x', 'must be given'],
    ),
    'a field that was removed': case(
      lambda a: a.changed(
        '  with config.unlocked(): del config.data["splits"]'
      ),
      2,
      ['config.data.splits', 'must be given'],
    ),
    'a probe of nobody': case(
      lambda a: a.changed('  config.models.p = overlap_config.probe("nobody")'),
      2,
      ["'nobody'", 'Choices: base, other'],
    ),
    'a probe of itself': case(
      lambda a: a.changed('  config.models.p = overlap_config.probe("p")'),
      2,
      ["'p'", 'Choices: base, other'],
    ),
  }


def _names(case):
  def named(name, *told):
    return case(
      lambda a: a.changed(
        f'  config.models.update({{{name!r}: config.models.base}})'
      ),
      2,
      told,
    )

  return {
    'a model without a name': named('', 'name', "''"),
    'a model of 300 characters': named('m' * 300, '200', '300'),
    'a model of 100 characters of 9 bytes': named('ÿ' * 100, '200', '600'),
    'a model with a newline': named('a\nb', 'name', "'a\\nb'"),
    'a model with a NUL': named('a\0b', 'name', "'a\\x00b'"),
    'a model with an escape sequence': named('\x1b[31mred', 'name', 'x1b'),
    'a model that turns text round': named('a\u202eb', 'name', 'u202e'),
    'a model of half a character': named('\ud800', 'name', 'ud800'),
    'a model whose name is a number': case(
      lambda a: a.changed('  config.models.update({3: config.models.base})'),
      2,
      ['must be text', 'int'],
    ),
  }


def _workdirs(case):
  def at(place):
    def words(a):
      return ['train', f'--config={a.config}', f'--workdir={place(a)}']

    return words

  def dangling(a):
    os.symlink(a.case / 'nowhere' / 'x', a.case / 'link')
    return a.case / 'link' / 'w'

  def loop(a):
    os.symlink(a.case / 'loop', a.case / 'loop')
    return a.case / 'loop'

  def holding(content):
    def words(a):
      (a.case / 'w' / 'models').mkdir(parents=True)
      file = a.case / 'w' / 'config.json'
      if isinstance(content, bytes):
        file.write_bytes(content)
      else:
        checksums.write_json(file, content)
      return a.case / 'w'

    return at(words)

  return {
    'no workdir': case(
      lambda a: ['train', f'--config={a.config}'],
      2,
      ['--workdir'],
    ),
    'a workdir of no name': case(at(lambda a: ''), 2, ['--workdir']),
    'a workdir that is a file': case(
      at(lambda a: a.file('w', 'mine')),
      1,
      ['must be a folder', 'w'],
    ),
    'a workdir below a file': case(
      at(lambda a: a.file('w', 'mine') / 'x'),
      1,
      ['must be a folder', 'w/x'],
    ),
    'a workdir that is a link to nowhere': case(
      at(dangling),
      1,
      ['writable', 'link'],
    ),
    'a workdir that is a link to itself': case(
      at(loop),
      1,
      ['loop'],
    ),
    'a workdir with a NUL': case(at(lambda a: '/tmp/a\0b'), 2, ['--workdir']),
    'a workdir with a name too long': case(
      at(lambda a: a.case / ('w' * 300)),
      1,
      ['www'],
    ),
    'a workdir that nobody may write': case(
      at(lambda a: '/proc/overlap'),
      1,
      ['/proc/overlap', 'writable'],
    ),
    'a workdir whose config is no JSON': case(
      holding(b'{"config": '),
      1,
      ['config.json', 'JSON'],
    ),
    'a workdir whose config is a list': case(
      holding(b'[]'),
      1,
      ['config.json', 'config'],
    ),
    'a workdir whose config holds none': case(
      holding(b'{}'),
      1,
      ['config.json', 'config'],
    ),
    'a workdir whose config is bytes': case(
      holding(b'\xff\xfe\x00'),
      1,
      ['config.json'],
    ),
    'a workdir of another config': case(
      holding({'config': {'name': 'other'}}),
      2,
      ['another config', '--resume=update'],
    ),
    'a workdir to verify that is a file': case(
      lambda a: ['verify', f'--workdir={a.file("w")}'],
      1,
      ['--workdir'],
    ),
    'a workdir to analyse that is a file': case(
      lambda a: ['analyse', f'--workdir={a.file("w")}', '--base=a'],
      1,
      ['--workdir', 'w'],
    ),
    'a workdir to report on that is a file': case(
      lambda a: ['report', f'--workdir={a.file("w")}'],
      1,
      ['--workdir'],
    ),
  }
