"""launch/tpu_*.sh with a fake gcloud, whose workers are folders here."""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tarfile
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]

# The VM and the queued resource are files that hold their states, one a line:
# each look takes the first one away, but for the last. `ssh` runs the command
# in each worker's folder, as its shell would.
GCLOUD = r"""#!/usr/bin/env python3
import json, os, pathlib, re, subprocess, sys
cloud, argv = pathlib.Path(os.environ['CLOUD']), sys.argv[1:]
with (cloud / 'calls').open('a') as f:
  f.write(json.dumps(argv) + '\n')
flags = dict(re.findall(r'^--([\w-]+)=?(.*)$', '\n'.join(argv), re.M))

def look(kind):
  file = cloud / kind
  if not file.exists():
    sys.exit(f'ERROR: ({kind}.describe) NOT_FOUND: Resource was not found')
  first, *rest = file.read_text().splitlines()
  if rest:
    file.write_text('\n'.join(rest))
  if first == 'gone':
    sys.exit('ERROR: NOT_FOUND: Resource was not found')
  return first

if argv[:2] == ['storage', 'cp']:
  target = cloud / argv[3].replace('gs://', 'gs/')
  target.parent.mkdir(parents=True, exist_ok=True)
  target.write_bytes(pathlib.Path(argv[2]).read_bytes())
  sys.exit()
kind, what = argv[2:4]
if os.environ.get('CLOUD_FAILS') in (what, 'all'):
  sys.exit('ERROR: PERMISSION_DENIED: not yours')
if what == 'describe':
  state = look(kind)
  if 'acceleratorType' in flags['format']:
    state += '\tprojects/p/' + os.environ.get('CLOUD_TYPE', 'v4-16')
  print(state)
elif what == 'create':
  (cloud / 'tpu-vm').write_text(
    'READY' if kind == 'tpu-vm' else 'gone\n' * 4 + 'CREATING\nREADY')
  (cloud / kind).write_text('READY' if kind == 'tpu-vm' else
                            'WAITING_FOR_RESOURCES\nACTIVE')
elif what == 'delete':
  (cloud / kind).unlink()
  if '--force' in argv:
    (cloud / 'tpu-vm').unlink(missing_ok=True)
elif what == 'start':
  (cloud / 'tpu-vm').write_text('STARTING\nREADY')
else:
  command = ''.join(w[10:] for w in argv if w.startswith('--command='))
  workers = []
  for worker in sorted(cloud.glob('worker*')):
    if what == 'scp':
      sent = pathlib.Path(argv[4]).read_bytes()
      (worker / 'overlap.tar.gz').write_bytes(sent)
    else:
      workers.append(subprocess.Popen(
        ['bash', '-c', command], cwd=worker,
        env=os.environ | {'HOME': str(worker), 'W': worker.name}))
  statuses = [worker.wait() for worker in workers]
  bad = [s for s in statuses if s]
  sys.exit(bad[0] if bad and not os.environ.get('CLOUD_FORGETS') else 0)
"""
# In the place of `overlap` on a worker.
OVERLAP = r"""#!/usr/bin/env python3
import json, os, sys, time
with open('said', 'a') as f:
  f.write(json.dumps(sys.argv[1:]) + '\n')
print('step 1 of 1')
if os.environ.get('HANG'):
  time.sleep(60)
sys.exit(int(os.environ.get('STATUS_' + os.environ['W'], 0)))
"""
NASTY = 'a  b\'; touch pwned; $(touch pwned) `touch pwned` "*" \\ \n & é'


class Cloud:
  """A project with a TPU of two workers, and the scripts to drive it."""

  def __init__(self, folder: pathlib.Path):
    self.folder = folder
    self.workers = [folder / 'worker0', folder / 'worker1']
    for worker in self.workers:
      (worker / 'overlap' / '.venv' / 'bin').mkdir(parents=True)
    self.bin = folder / 'bin'
    self.bin.mkdir()
    self.program(self.bin / 'gcloud', GCLOUD)
    self.program(self.bin / 'hostname', '#!/bin/sh\necho "host-$W"\n')
    for worker in self.workers:
      self.program(worker / 'overlap' / '.venv' / 'bin' / 'overlap', OVERLAP)

  def program(self, path: pathlib.Path, text: str) -> None:
    text = text.replace('/usr/bin/env python3', f'{sys.executable} -IS')
    path.write_text(text)
    path.chmod(0o755)

  def launch(self, script: str, *words: str, **env: str):
    """Runs a script to its end."""
    (self.folder / 'calls').write_text('')
    process = self.start(script, *words, **env)
    out, err = process.communicate(timeout=120)
    return subprocess.CompletedProcess([], process.returncode, out, err)

  def start(self, script: str, *words: str, **env: str) -> subprocess.Popen:
    path = f'{self.bin}:{os.environ["PATH"]}'
    return subprocess.Popen(
      [ROOT / 'launch' / script, *words],
      env=os.environ
      | {
        'PATH': path,
        # Workers have their own, whatever these tests run in.
        'OVERLAP_VENV': '',
        'CLOUD': str(self.folder),
        'TPU_ZONE': 'z-a',
        'TPU_POLL_SECONDS': '0',
        'TPU_LOOKS': '9',
        'TPU_LOGS': str(self.folder / 'logs'),
      }
      | env,
      stdout=subprocess.PIPE,
      stderr=subprocess.PIPE,
      text=True,
      cwd=self.folder,
    )

  def calls(self, what: str = '') -> list[list[str]]:
    """The last launch's calls of gcloud, but for looks."""
    lines = (self.folder / 'calls').read_text().splitlines()
    found = [json.loads(line) for line in lines]
    return [
      call
      for call in found
      if 'describe' not in call and (not what or what in call)
    ]

  def state(self, *states: str, kind: str = 'tpu-vm') -> None:
    (self.folder / kind).write_text('\n'.join(states))

  def said(self) -> list[list[str]]:
    """What `overlap` was called with on the workers."""
    return [
      json.loads(line)
      for worker in self.workers
      if (worker / 'overlap' / 'said').exists()
      for line in (worker / 'overlap' / 'said').read_text().splitlines()
    ]


@pytest.fixture
def cloud(tmp_path) -> Cloud:
  if not shutil.which('flock'):
    pytest.skip('the scripts need flock, which is not here')
  return Cloud(tmp_path)


def test_a_vm_is_made_once(cloud):
  for first in (True, False):
    done = cloud.launch('tpu_create.sh', 't1', 'v4-16', '--spot')
    assert done.returncode == 0, done.stderr
    assert done.stderr.endswith('t1 is ready\n')
    assert cloud.calls() == [
      ['compute', 'tpus', 'tpu-vm', 'create', 't1', '--zone=z-a',
       '--accelerator-type=v4-16', '--version=tpu-ubuntu2204-base', '--spot'],
    ][: int(first)]  # fmt: skip


@pytest.mark.parametrize(
  ('states', 'verbs'),
  [
    (('CREATING', 'READY'), []),
    (('PREEMPTED',), ['delete', 'create']),
    (('TERMINATED',), ['delete', 'create']),
    (('STOPPED',), ['start']),
    (('REPAIRING', 'PREEMPTED'), ['delete', 'create']),
  ],
)
def test_what_is_there_is_waited_for_started_or_made_anew(cloud, states, verbs):
  cloud.state(*states)
  done = cloud.launch('tpu_create.sh', 't1', 'v4-16')
  assert done.returncode == 0, done.stderr
  assert [call[3] for call in cloud.calls()] == verbs


@pytest.mark.parametrize('before', [None, 'SUSPENDED', 'FAILED'])
def test_a_queued_resource_is_waited_for(cloud, before):
  if before:
    cloud.state(before, kind='queued-resources')
  done = cloud.launch(
    'tpu_create.sh', 't1', 'v5litepod-16', TPU_QUEUED='1', TPU_PROJECT='p',
    CLOUD_TYPE='v5litepod-16',
  )  # fmt: skip
  assert done.returncode == 0, done.stderr
  (call,) = cloud.calls('create')
  assert call[2:] == [
    'queued-resources', 'create', 't1', '--zone=z-a', '--project=p',
    '--node-id=t1', '--accelerator-type=v5litepod-16',
    '--runtime-version=v2-alpha-tpuv5-lite',
  ]  # fmt: skip
  assert len(cloud.calls('delete')) == bool(before)


def test_a_vm_of_another_type_is_left_as_it_is(cloud):
  cloud.state('READY')
  done = cloud.launch('tpu_create.sh', 't1', 'v4-8')
  assert done.returncode == 1
  assert 'must be of type v4-8, and is v4-16' in done.stderr
  assert not cloud.calls()


@pytest.mark.parametrize('script', ['tpu_create.sh', 'tpu_delete.sh'])
def test_what_gcloud_cannot_say_is_no_absence(cloud, script):
  done = cloud.launch(script, 't1', 'v4-16', CLOUD_FAILS='describe')
  assert done.returncode == 1
  assert 'could not describe t1: ERROR: PERMISSION_DENIED' in done.stderr
  assert not cloud.calls()


def test_a_vm_that_never_comes_ends_the_waiting(cloud):
  cloud.state('CREATING')
  done = cloud.launch('tpu_create.sh', 't1', 'v4-16')
  assert done.returncode == 1
  assert 'not ready after 9 looks: it is CREATING' in done.stderr


def test_delete_takes_what_is_there_and_is_content_with_nothing(cloud):
  cloud.state('READY')
  cloud.state('ACTIVE', kind='queued-resources')
  assert cloud.launch('tpu_delete.sh', 't1').returncode == 0
  (call,) = cloud.calls()
  assert call[2:4] == ['queued-resources', 'delete']
  assert '--force' in call
  done = cloud.launch('tpu_delete.sh', 't1')
  assert done.returncode == 0
  assert done.stderr == 'There is no TPU VM t1\n'
  assert not cloud.calls()
  cloud.state('READY')
  assert cloud.launch('tpu_delete.sh', 't1').returncode == 0
  assert [call[2:4] for call in cloud.calls()] == [['tpu-vm', 'delete']]


def test_setup_brings_the_files_as_they_are_and_installs_once(
  cloud, tmp_path_factory
):
  if subprocess.run(['git', '-C', ROOT, 'rev-parse'], check=False).returncode:
    pytest.skip('the project is no git repository here')
  # The environment is the fakes': nothing is installed, and that is noted.
  noted = tmp_path_factory.mktemp('noted') / 'calls'
  python = (
    '#!/bin/sh\nprintf "%s\\n" "$*" >>"$NOTED"\n'
    'case "$*" in *sys.version*) echo 3.11 ;; esac\n'
  )
  for worker in cloud.workers:
    cloud.program(worker / 'overlap' / '.venv' / 'bin' / 'python', python)
    (worker / 'overlap' / 'overlap').mkdir()
    (worker / 'overlap' / 'overlap' / 'older.py').write_text('')
    (worker / 'overlap' / 'data').mkdir()
  for _ in range(2):
    done = cloud.launch('tpu_setup.sh', 't1', NOTED=str(noted))
    assert done.returncode == 0, done.stderr
  assert done.stdout.count('overlap is installed') == 2
  installs = [x for x in noted.read_text().splitlines() if '--editable' in x]
  assert [line.split()[-1] for line in installs] == ['.[tpu,quickstart]'] * 2
  for worker in cloud.workers:
    files = worker / 'overlap'
    assert (files / 'launch' / 'environment.sh').exists()
    assert (files / 'data').exists()
    assert not (files / 'overlap' / 'older.py').exists()
    with tarfile.open(worker / 'overlap.tar.gz') as tar:
      assert 'setup.py' in tar.getnames()
  done = cloud.launch('tpu_setup.sh', 't1', TPU_EXTRAS='tpu;id')
  assert done.returncode == 2


WORDS = ('train', '--config=c.py', '--workdir=gs://b/w', '--model=m')


def test_run_runs_on_every_worker_and_keeps_what_they_say(cloud):
  cloud.state('READY')
  done = cloud.launch('tpu_run.sh', 't1', *WORDS, f'--config.name={NASTY}')
  assert done.returncode == 0, done.stderr
  # Each word as it was, the line break included, and none was run.
  expected = [*WORDS, f'--config.name={NASTY}', '--coordinator=auto']
  assert cloud.said() == [expected] * 2
  assert not list(cloud.folder.rglob('pwned'))
  assert '[host-worker0] step 1 of 1' in done.stdout
  assert '[host-worker1] exit status 0' in done.stdout
  (log,) = (cloud.folder / 'logs' / 't1').iterdir()
  assert log.read_text() == done.stdout
  (kept,) = (cloud.folder / 'gs' / 'b' / 'w' / 'logs').iterdir()
  assert kept.name == f't1-{log.name}'
  assert kept.read_text() == done.stdout


@pytest.mark.parametrize('forgets', ['', '1'])
def test_one_worker_s_exit_status_is_the_exit_status(cloud, forgets):
  cloud.state('READY')
  done = cloud.launch(
    'tpu_run.sh', 't1', *WORDS, STATUS_worker1='3', CLOUD_FORGETS=forgets
  )
  assert done.returncode == 3


@pytest.mark.parametrize(
  ('state', 'status', 'expected'),
  [
    ('READY', '2', 2),
    ('READY', '255', 75),
    ('PREEMPTED', '1', 75),
    ('gone', '1', 75),
  ],
)
def test_a_lost_vm_is_told_from_a_command_that_failed(
  cloud, state, status, expected
):
  cloud.state(state)
  done = cloud.launch('tpu_run.sh', 't1', *WORDS, STATUS_worker0=status)
  assert done.returncode == expected
  assert ('the same command goes on' in done.stderr) == (expected == 75)


def test_run_makes_a_vm_where_it_is_told_to(cloud):
  cloud.state('PREEMPTED')
  done = cloud.launch(
    'tpu_run.sh', 't1', *WORDS, TPU_CREATE='v4-16', CLOUD_FAILS='scp'
  )
  assert done.returncode == 75
  verbs = [call[3] for call in cloud.calls()]
  assert verbs == ['delete', 'create', 'scp']


def test_a_second_command_waits_and_stop_ends_the_first(cloud):
  cloud.state('READY')
  first = cloud.start('tpu_run.sh', 't1', *WORDS, HANG='1')
  limit = time.monotonic() + 60
  while len(cloud.said()) < 2:
    assert time.monotonic() < limit
    time.sleep(0.02)
  second = cloud.start('tpu_run.sh', 't1', *WORDS)
  with pytest.raises(subprocess.TimeoutExpired):
    second.wait(1)
  assert len(cloud.said()) == 2
  assert cloud.launch('tpu_run.sh', '--stop', 't1').returncode == 0
  first.communicate(timeout=60)
  second.communicate(timeout=60)
  assert (first.returncode, second.returncode) == (143, 0)
  assert len(cloud.said()) == 4
  # With nobody there it ends nothing, though a number is left.
  assert cloud.launch('tpu_run.sh', '--stop', 't1').returncode == 0


BAD = {
  'few': (('tpu_run.sh', 't1'), 'needs 2 arguments or more, got 1'),
  'name': (('tpu_delete.sh', 't1;id'), "got 't1;id'"),
  'flag': (('tpu_delete.sh', '--zone=x'), "got '--zone=x'"),
  'type': (('tpu_create.sh', 't1', 'v4 8'), "got 'v4 8'"),
  'local': (
    ('tpu_run.sh', 't1', 'train', '--workdir=/w'),
    '--workdir=gs://... must be given',
  ),
}


@pytest.mark.parametrize(('words', 'text'), BAD.values(), ids=BAD)
def test_bad_usage_is_one_line_and_status_2(cloud, words, text):
  done = cloud.launch(*words)
  assert done.returncode == 2
  assert done.stderr.count('\n') == 1
  assert text in done.stderr
  assert not cloud.calls()


def test_a_zone_and_gcloud_are_asked_for(cloud):
  done = cloud.launch('tpu_delete.sh', 't1', TPU_ZONE='')
  assert done.returncode == 2
  assert 'TPU_ZONE must name a zone' in done.stderr
  (cloud.bin / 'gcloud').unlink()
  if not shutil.which('gcloud'):
    done = cloud.launch('tpu_delete.sh', 't1')
    assert done.returncode == 1
    assert 'gcloud is needed' in done.stderr


@pytest.mark.parametrize('verb', ['create', 'setup', 'run', 'delete'])
def test_help_tells_the_usage(cloud, verb):
  done = cloud.launch(f'tpu_{verb}.sh', '--help')
  assert done.returncode == 0
  assert f'launch/tpu_{verb}.sh NAME' in done.stdout
  assert 'set -euo' not in done.stdout
