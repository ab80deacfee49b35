"""Flags: unknown, misspelt, missing, conflicting."""


def cases(case):
  """Named cases; `case` is the class."""
  return {
    'a command that is misspelt': case(
      lambda a: ['anlyse', f'--workdir={a.workdir}'],
      2,
      ['No command', "'anlyse'", "Did you mean 'analyse'", 'Choices:'],
    ),
    'a command in capitals': case(
      lambda a: ['TRAIN'],
      2,
      ["'TRAIN'", 'Choices:'],
    ),
    'a command of control characters': case(
      lambda a: ['tr\nain\x1b[31m'],
      2,
      ['No command', 'Choices:'],
    ),
    'a flag first': case(
      lambda a: [f'--workdir={a.workdir}'],
      2,
      ['No command', 'Choices:'],
    ),
    'a flag of another command': case(
      lambda a: ['verify', f'--workdir={a.workdir}', '--model=a'],
      2,
      ['model', 'overlap verify --help'],
    ),
    'a flag that is misspelt': case(
      lambda a: a.study('--modl=base'),
      2,
      ['modl', 'model'],
    ),
    'a flag without a value': case(
      lambda a: ['verify', '--workdir'],
      2,
      ['workdir'],
    ),
    'a lone dash': case(
      lambda a: ['verify', f'--workdir={a.workdir}', '-'],
      2,
      ["'-'"],
    ),
    'a word': case(
      lambda a: ['report', str(a.workdir)],
      2,
      ['takes flags only', 'got'],
    ),
    'a number that is text': case(
      lambda a: a.study('--num_processes=two'),
      2,
      ['num_processes', 'two'],
    ),
    'no process': case(
      lambda a: a.study('--num_processes=0'),
      2,
      ['num_processes', 'and 0'],
    ),
    'fewer than no processes': case(
      lambda a: a.study('--num_processes=-2'),
      2,
      ['num_processes', 'and -2'],
    ),
    'a process beyond the last': case(
      lambda a: a.study(
        '--num_processes=2', '--process_id=2', '--coordinator=localhost:1'
      ),
      2,
      ['process_id', 'got 2'],
    ),
    'a negative process': case(
      lambda a: a.study('--process_id=-1'),
      2,
      ['process_id', 'got -1'],
    ),
    'several processes without a coordinator': case(
      lambda a: a.study('--num_processes=2'),
      2,
      ['coordinator'],
    ),
    'a coordinator without a port': case(
      lambda a: a.study('--num_processes=2', '--coordinator=localhost'),
      2,
      ['HOST:PORT', "'localhost'"],
    ),
    'a coordinator with a port that is none': case(
      lambda a: a.study('--num_processes=2', '--coordinator=localhost:x'),
      2,
      ['HOST:PORT', "'localhost:x'"],
    ),
    'a coordinator with a port too large': case(
      lambda a: a.study('--num_processes=2', '--coordinator=localhost:99999'),
      2,
      ['HOST:PORT', "'localhost:99999'"],
    ),
    'a way to resume': case(
      lambda a: a.study('--resume=yes'),
      2,
      ['--resume', "'yes'", 'same, update, original'],
    ),
    'no stage': case(
      lambda a: a.study('--stages=', command='study'),
      2,
      ['stage', 'train, predict, analyse, report'],
    ),
    'a stage twice misspelt': case(
      lambda a: a.study('--stages=train,,predict', command='study'),
      2,
      ["''", 'train, predict, analyse, report'],
    ),
    'a model that is not in the config': case(
      lambda a: a.study('--model=bse'),
      2,
      ["'bse'", "Did you mean 'base'"],
    ),
    'a model with all stages': case(
      lambda a: a.study('--model=base', command='study'),
      2,
      ['--stages='],
    ),
    'a config and a data set': case(
      lambda a: a.study('--dataset=shapes', command='analyse'),
      2,
      ['config.analyses', 'got --dataset'],
    ),
    'a figure that is none': case(
      lambda a: ['report', f'--workdir={a.workdir}', '--only=fig99'],
      2,
      ["'fig99'", 'fig01'],
    ),
    'a category that is none': case(
      lambda a: ['models', '--category=arch'],
      2,
      ["'arch'", 'ARCH'],
    ),
    'a base that is none': case(
      lambda a: ['models', '--base=ResNet-5O'],
      2,
      ["'ResNet-5O'", 'Did you mean'],
    ),
    'too many resamples': case(
      lambda a: [
        'analyse',
        f'--workdir={a.workdir}',
        '--base=a',
        '--resamples=1e99',
      ],
      2,
      ['resamples', '1e99'],
    ),
    'a table that is none': case(
      lambda a: [
        'analyse',
        f'--workdir={a.workdir}',
        '--base=a',
        '--tables=pears',
      ],
      2,
      ["'pears'", "'pairs'"],
    ),
    'a model that is not stored': case(
      lambda a: [
        'analyse',
        f'--workdir={a.workdir}',
        '--base=a',
        '--models=a,z',
      ],
      2,
      ["'z'", 'Choices: a, b, c'],
    ),
    'a base that is not stored': case(
      lambda a: ['analyse', f'--workdir={a.workdir}', '--base=../w'],
      2,
      ["'../w'", 'Choices: a, b, c'],
    ),
    'a split that is not stored': case(
      lambda a: [
        'analyse',
        f'--workdir={a.workdir}',
        '--base=a',
        '--dataset=shapes',
        '--split=train',
      ],
      2,
      ["'shapes/train'", 'shapes/test'],
    ),
    'a window of infinity': case(
      lambda a: [
        'analyse',
        f'--workdir={a.workdir}',
        '--base=a',
        '--window=inf',
      ],
      2,
      ['window', 'inf'],
    ),
    'nothing to report': case(
      lambda a: ['report', f'--workdir={a.workdir}'],
      1,
      ['models'],
    ),
    'nothing to verify': case(
      lambda a: ['verify', f'--workdir={a.fresh}'],
      1,
      ['fresh'],
    ),
  }
