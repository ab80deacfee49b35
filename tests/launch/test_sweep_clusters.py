"""launch/sweep.py on Slurm, SkyPilot and TPU VMs, played by fake programs."""

import json
import os
import pathlib
import shlex
import sys

import pytest

from overlap.launch import programs, skypilot, slurm, tpu_vm

ROOT = pathlib.Path(__file__).resolve().parents[2]
NOTE = r"""#!/usr/bin/env python3
import json, os, pathlib, re, subprocess, sys
cloud = pathlib.Path(os.environ['CLOUD'])
program, argv = pathlib.Path(sys.argv[0]).name, sys.argv[1:]
with (cloud / 'asked').open('a') as f:
  f.write(json.dumps([program, *argv]) + '\n')
if program in os.environ.get('CLOUD_FAILS', '').split(','):
  sys.exit(f'{program}: error: out of order')
state_file = cloud / 'states'
states = json.loads(state_file.read_text()) if state_file.exists() else {}

def plays(name):
  # What is to happen to this attempt, by the name of its unit.
  file = pathlib.Path(os.environ['PLAYS']) / f'{name}.cluster'
  lines = file.read_text().splitlines() if file.exists() else []
  file.write_text('\n'.join(lines[1:]))
  return lines[0] if lines else ''

def flag(name):
  start = f'--{name}='
  return ''.join(w[len(start):] for w in argv if w.startswith(start))
"""
# An array runs to its end while it is submitted.
SLURM = rf"""{NOTE}
if program == 'sbatch':
  job = str(100 + len(list(cloud.glob('job*'))))
  (cloud / f'job{{job}}').write_text(flag('job-name'))
  script = pathlib.Path(argv[-1]).read_text()
  models = re.findall(r'--model=(\w+)', script)
  for i, model in enumerate(models):
    play = plays(model)
    if play and play != 'forgotten':
      states[f'{{job}}_{{i}}'] = play
      continue
    done = subprocess.run(['bash', argv[-1]],
                          env=os.environ | {{'SLURM_ARRAY_TASK_ID': str(i)}})
    code = done.returncode
    if play != 'forgotten':
      state = f'FAILED|{{code}}' if code else 'COMPLETED|0'
      states[f'{{job}}_{{i}}'] = f'{{state}}:0'
  state_file.write_text(json.dumps(states))
  print(f'{{job}};cluster')
elif program == 'srun':
  sys.exit(subprocess.run(argv[1:]).returncode)
elif program == 'squeue':
  name = flag('name')
  if name:
    print(*[p.name[3:] for p in cloud.glob('job*') if p.read_text() == name])
  else:
    sys.exit('slurm_load_jobs error: Invalid job id specified')
elif program == 'sacct':
  print(f'{{argv[-1]}}_[0-7]|PENDING|0:0')
  for element, state in states.items():
    if element.split('_')[0] in argv[-1]:
      print(f'{{element}}|{{state}}')
"""
SKY = rf"""{NOTE}
if argv[1] == 'launch':
  task = json.loads(pathlib.Path(argv[-1]).read_text())
  model = re.search(r'--model=(\w+)', task['run'])[1]
  play = plays(model)
  if not play:
    done = subprocess.run(['bash', '-c', task['run']], cwd=cloud)
    play = 'FAILED' if done.returncode else 'SUCCEEDED'
  states[flag('name')] = play
  state_file.write_text(json.dumps(states))
elif argv[1] == 'queue':
  print('Fetching managed jobs ...')
  print(json.dumps([
    {{'job_id': i, 'job_name': name, 'status': state, 'failure_reason': None}}
    for i, (name, state) in enumerate(states.items())
    if state != 'forgotten'
  ]))
elif argv[1] == 'cancel':
  states[flag('name')] = 'CANCELLED'
  state_file.write_text(json.dumps(states))
"""
GCLOUD = rf"""{NOTE}
name = argv[4] if len(argv) > 4 else ''
if argv[3:4] == ['describe']:
  file = cloud / f'vm-{{name}}'
  print(file.read_text() if file.exists() else 'READY')
elif argv[3:4] == ['ssh']:
  command = ''.join(w[10:] for w in argv if w.startswith('--command='))
  model = re.search(r'--model=(\w+)', command)
  play = plays(model[1]) if model else ''
  if play == 'PREEMPTED':
    (cloud / f'vm-{{name}}').write_text(play)
    sys.exit(1)
  sys.exit(subprocess.run(['bash', '-c', command],
                          cwd=cloud / 'home').returncode)
"""


class Cluster:
  """A sweep's launcher with the programs of a cluster on PATH."""

  def __init__(self, launcher, monkeypatch):
    self.launcher, self.folder = launcher, launcher.folder / 'cloud'
    self.bin = self.folder / 'bin'
    self.bin.mkdir(parents=True)
    monkeypatch.setenv('CLOUD', str(self.folder))
    monkeypatch.setenv('PATH', f'{self.bin}:{os.environ["PATH"]}')
    for executor in (slurm.Slurm, skypilot.SkyPilot, tpu_vm.TpuVm):
      monkeypatch.setattr(executor, 'poll_seconds', 0.02)
    monkeypatch.setattr(programs, 'PATIENCE', 2)

  def install(self, text: str, *names: str) -> None:
    for name in names:
      file = self.bin / name
      shebang = f'{sys.executable} -IS'
      file.write_text(text.replace('/usr/bin/env python3', shebang))
      file.chmod(0o755)

  def play(self, model: str, *states: str) -> None:
    """What becomes of a unit's attempts; from then on it is run."""
    file = self.launcher.plays / f'{model}.cluster'
    file.write_text('\n'.join(states))

  def asked(self, program: str, *words: str) -> list[list[str]]:
    file = self.folder / 'asked'
    lines = file.read_text().splitlines() if file.exists() else []
    calls = [json.loads(line) for line in lines]
    return [
      call[1:] for call in calls
      if call[0] == program and call[1 : len(words) + 1] == list(words)
    ]  # fmt: skip


@pytest.fixture
def cluster(launcher, monkeypatch):
  return Cluster(launcher, monkeypatch)


@pytest.fixture
def on_slurm(cluster):
  cluster.install(SLURM, 'sbatch', 'srun', 'squeue', 'sacct', 'scancel')
  return cluster


def test_slurm_runs_what_is_ready_as_one_array(on_slurm, capsys):
  launcher = on_slurm.launcher
  launcher.models('vit', 'distilled', 'dropout')
  flags = ('--executor=slurm', '--sbatch=--gres=gpu:1', '--sbatch=--time=1:00')
  assert launcher(*flags, '--parallel=2') == 0
  assert '4 done of 4' in capsys.readouterr().out
  first, second = on_slurm.asked('sbatch')
  folder = launcher.workdir / 'sweep' / 'slurm'
  assert first[0] == '--parsable'
  assert '--array=0-2%2' in first
  assert first[-4:-1] == ['--no-requeue', '--gres=gpu:1', '--time=1:00']
  assert pathlib.Path(first[-1]).parent == folder
  # The student after its teacher.
  assert '--array=0-0%2' in second
  assert launcher.names()[-1] == 'distilled'
  (srun,) = on_slurm.asked('srun')[-1:]
  assert srun[0] == '--kill-on-bad-exit=1'
  assert launcher(*flags) == 0
  assert len(on_slurm.asked('sbatch')) == 2
  assert launcher(*flags, '--again=vit') == 0
  assert launcher.names().count('vit') == 2


@pytest.mark.parametrize(
  'state', ['PREEMPTED|0:0', 'NODE_FAIL|1:0', 'TIMEOUT|0:15', 'FAILED|0:9']
)
def test_slurm_s_preemption_is_tried_again_and_borne_so_often(
  on_slurm, state, capsys
):
  launcher = on_slurm.launcher
  launcher.models('base', 'vit')
  on_slurm.play('vit', state, state)
  assert launcher('--executor=slurm') == 0
  assert launcher.outcomes('vit') == ['preempted', 'preempted', 'done']
  assert launcher.names() == ['base', 'vit']
  on_slurm.play('dropout', *[state] * 9)
  launcher.models('dropout')
  assert launcher('--executor=slurm', '--retries=1') == 1
  assert launcher.outcomes('dropout') == ['preempted'] * 2
  assert 'dropout (preempted' in capsys.readouterr().err


@pytest.mark.parametrize(
  'state', ['CANCELLED by 1000|0:15', 'OUT_OF_MEMORY|0:125', 'FAILED|2:0']
)
def test_slurm_s_failures_are_not_tried_again(on_slurm, state):
  launcher = on_slurm.launcher
  launcher.models('base', 'vit')
  on_slurm.play('vit', state)
  assert launcher('--executor=slurm') == 1
  assert launcher.outcomes('vit') == ['failed']
  assert launcher.outcomes('base') == ['done']


def test_a_command_that_fails_under_slurm_is_told_with_its_last_line(
  on_slurm, capsys
):
  launcher = on_slurm.launcher
  launcher.models('base')
  launcher.play('base', 3)
  assert launcher('--executor=slurm') == 1
  assert 'base (failed, exit status 3: base says so;' in capsys.readouterr().err


@pytest.mark.parametrize('status', [0, 3])
def test_slurm_without_accounts_is_believed_by_the_script_s_own_word(
  on_slurm, monkeypatch, status
):
  monkeypatch.setenv('CLOUD_FAILS', 'sacct')
  launcher = on_slurm.launcher
  launcher.models('base')
  launcher.play('base', status)
  assert launcher('--executor=slurm') == bool(status)
  assert launcher.names() == ['base']


def test_what_slurm_has_forgotten_is_run_again(on_slurm):
  launcher = on_slurm.launcher
  launcher.models('base')
  on_slurm.play('base', 'forgotten')
  launcher.play('base', 'SIGKILL')
  # The script died with its command: nothing is noted.
  srun = on_slurm.bin / 'srun'
  whole = srun.read_text()
  srun.write_text('#!/bin/sh\nkill -9 $PPID\n')
  (on_slurm.folder / 'whole').write_text(whole)
  sbatch = on_slurm.bin / 'sbatch'
  sbatch.write_text(
    sbatch.read_text() + '\n(cloud / "bin" / "srun").write_text('
    '(cloud / "whole").read_text())\n'
  )
  assert launcher('--executor=slurm') == 1  # SIGKILL, once it is run.
  assert launcher.outcomes('base')[0] == 'preempted'


def test_a_job_whose_number_was_lost_is_found_by_its_name(on_slurm):
  launcher = on_slurm.launcher
  launcher.models('base')
  assert launcher('--executor=slurm') == 0
  # As if the launcher had been killed while it submitted.
  file = launcher.workdir / 'sweep' / 'units' / 'base' / 'state.json'
  state = json.loads(file.read_text())
  (attempt,) = state['attempts']
  del attempt['handle']['job'], attempt['ended']
  file.write_text(json.dumps(state | {'state': 'running'}))
  (file.parent / 'attempt_1.json').unlink()
  assert launcher('--executor=slurm') == 0
  assert launcher.outcomes('base') == ['done']
  assert len(on_slurm.asked('sbatch')) == 1
  assert launcher.names() == ['base']


def test_a_queue_that_refuses_is_one_line_and_keeps_the_unit(
  on_slurm, monkeypatch, capsys
):
  monkeypatch.setenv('CLOUD_FAILS', 'sbatch')
  launcher = on_slurm.launcher
  launcher.models('base')
  assert launcher('--executor=slurm') == 1
  err = capsys.readouterr().err
  assert err.count('\n') == 1
  assert 'got exit status 1: sbatch: error: out of order' in err
  assert launcher.state('base')['state'] == 'waiting'


def test_a_running_unit_is_looked_for_where_it_runs(on_slurm, capsys):
  launcher = on_slurm.launcher
  launcher.models('base')
  on_slurm.play('base', 'RUNNING|0:0')
  process = launcher.start('--executor=slurm')
  launcher_file = launcher.workdir / 'sweep' / 'units' / 'base' / 'state.json'
  while not (launcher_file.exists() and 'job' in launcher_file.read_text()):
    assert process.poll() is None
  process.kill()
  process.communicate()
  assert launcher() == 2
  assert 'is running on --executor=slurm, got' in capsys.readouterr().err
  assert launcher('--executor=slurm', '--list') == 0
  assert 'base  running   100_0 running' in capsys.readouterr().out
  assert launcher('--executor=slurm', '--stop') == 0
  assert on_slurm.asked('scancel') == [['100_0']]
  assert launcher.state('base')['state'] == 'waiting'


def on_sky(cluster, *more):
  cluster.install(SKY, 'sky')
  cluster.launcher.workdir = 'gs://bucket/w'
  state = cluster.launcher.folder / 'state'
  return ('--executor=skypilot', f'--state={state}', *more)


def sky_state(cluster, name):
  file = cluster.launcher.folder / 'state' / 'units' / name / 'state.json'
  state = json.loads(file.read_text())
  return state['state'], [a['outcome'] for a in state['attempts']]


def test_skypilot_gets_a_managed_job_a_unit(cluster):
  launcher = cluster.launcher
  launcher.models('base', 'vit')
  flags = on_sky(
    cluster, '--resources=accelerators=tpu-v5e-8', '--resources=use_spot=true'
  )
  nasty = "$(touch pwned)'; x"
  assert launcher(*flags, '--', f'--config.data.data_dir={nasty}') == 0
  launches = cluster.asked('sky', 'jobs', 'launch')
  assert [call[2:4] for call in launches] == [['--yes', '--detach-run']] * 2
  yaml = pytest.importorskip('yaml')
  task = yaml.safe_load(pathlib.Path(launches[1][-1]).read_text())
  assert launches[1][4] == f'--name={task["name"]}'
  assert task['workdir'] == str(ROOT)
  assert task['resources'] == {'accelerators': 'tpu-v5e-8', 'use_spot': True}
  assert 'ensure "sky-tpu,quickstart"' in task['setup']
  words = shlex.split(task['run'])
  assert words[1:] == launcher.calls()[1][1:]
  assert words[-2:] == [f'--config.data.data_dir={nasty}', '--model=vit']
  assert not (cluster.folder / 'pwned').exists()
  assert sky_state(cluster, 'vit') == ('done', ['done'])


@pytest.mark.parametrize(
  ('states', 'status', 'outcomes'),
  [
    (['FAILED_NO_RESOURCE'], 0, ['preempted', 'done']),
    (['FAILED_CONTROLLER'] * 2, 0, ['preempted', 'preempted', 'done']),
    (['forgotten'], 0, ['preempted', 'done']),
    (['FAILED'], 1, ['failed']),
    (['FAILED_SETUP'], 1, ['failed']),
    (['CANCELLED'], 1, ['failed']),
  ],
)
def test_skypilot_s_ends_are_told_apart(cluster, states, status, outcomes):
  cluster.launcher.models('base', 'vit')
  cluster.play('vit', *states)
  assert cluster.launcher(*on_sky(cluster, '--parallel=1')) == status
  assert sky_state(cluster, 'vit')[1] == outcomes
  assert sky_state(cluster, 'base')[1] == ['done']


def test_a_silent_skypilot_loses_no_unit(cluster, monkeypatch, capsys):
  flags = on_sky(cluster)
  cluster.launcher.models('base')
  cluster.play('base', 'RUNNING')
  monkeypatch.setattr(skypilot.SkyPilot, 'batch', 1)
  sky = cluster.bin / 'sky'
  sky.write_text(sky.read_text() + "\nif argv[1] == 'queue':\n  sys.exit(1)\n")
  assert cluster.launcher(*flags) == 1
  assert 'sky jobs queue must succeed' in capsys.readouterr().err
  file = cluster.launcher.folder / 'state' / 'units' / 'base' / 'state.json'
  assert json.loads(file.read_text())['state'] == 'running'


def on_tpus(cluster, monkeypatch, *more):
  cluster.install(GCLOUD, 'gcloud')
  home = cluster.folder / 'home' / 'overlap' / '.venv' / 'bin'
  home.mkdir(parents=True)
  fake = cluster.launcher.folder / 'fake'
  (home / 'overlap').symlink_to(fake)
  monkeypatch.setenv('TPU_ZONE', 'z-a')
  monkeypatch.setenv('TPU_LOGS', str(cluster.folder / 'logs'))
  state = cluster.launcher.folder / 'state'
  cluster.launcher.workdir = 'gs://bucket/w'
  return ('--executor=tpu_vm', f'--state={state}', '--tpus=t1,t2', *more)


def test_tpu_vms_take_a_unit_each_and_a_lost_one_none(cluster, monkeypatch):
  launcher = cluster.launcher
  launcher.models('base', 'vit', 'dropout', 'densenet')
  flags = on_tpus(cluster, monkeypatch)
  cluster.play('base', 'PREEMPTED')
  assert launcher(*flags) == 0
  assert sky_state(cluster, 'base') == ('done', ['preempted', 'done'])
  ssh = cluster.asked('gcloud', 'compute', 'tpus', 'tpu-vm', 'ssh')
  used = [call[4] for call in ssh]
  # Nothing more is started on the VM that is gone.
  assert sorted(used[:2]) == ['t1', 't2']
  assert used.count('t1') == 1
  assert len(used) == 5
  assert all('--worker=all' in call for call in ssh)
  assert sorted(launcher.names()) == ['base', 'densenet', 'dropout', 'vit']
  assert launcher.calls()[0][-1] == '--coordinator=auto'


def test_a_command_that_fails_on_a_tpu_vm_is_told_with_its_last_line(
  cluster, monkeypatch, capsys
):
  cluster.launcher.models('base')
  cluster.launcher.play('base', 3)
  assert cluster.launcher(*on_tpus(cluster, monkeypatch)) == 1
  assert 'base (failed, exit status 3: [' in capsys.readouterr().err


def test_an_interrupted_launcher_stops_what_runs_on_a_tpu_vm(
  cluster, monkeypatch
):
  launcher = cluster.launcher
  launcher.models('base')
  launcher.play('base', 'hang')
  process = launcher.start(*on_tpus(cluster, monkeypatch))
  launcher.wait_for(1)
  process.terminate()
  process.communicate(timeout=60)
  assert process.returncode == 130
  ssh = cluster.asked('gcloud', 'compute', 'tpus', 'tpu-vm', 'ssh')
  assert 'kill' in ssh[-1][-1]
  assert sky_state(cluster, 'base') == ('waiting', ['stopped'])


BAD = {
  'no vm': (('--executor=tpu_vm',), {}, '--tpus must name TPU VMs'),
  'zone': (('--executor=tpu_vm', '--tpus=a'), {}, 'TPU_ZONE must name'),
  'local': (
    ('--executor=tpu_vm', '--tpus=a'),
    {'TPU_ZONE': 'z'},
    '--workdir must be a folder of gs://',
  ),
  'bucket': (('--executor=skypilot',), {}, '--workdir must be in a bucket'),
  'resource': (
    ('--executor=skypilot', '--workdir=gs://b/w', '--resources=spot'),
    {},
    "must be KEY=VALUE, as in use_spot=true, got 'spot'",
  ),
}


@pytest.mark.parametrize(('flags', 'env', 'text'), BAD.values(), ids=BAD)
def test_what_a_place_needs_is_asked_for(
  launcher, monkeypatch, capsys, flags, env, text
):
  launcher.models('base')
  monkeypatch.delenv('TPU_ZONE', raising=False)
  for name, value in env.items():
    monkeypatch.setenv(name, value)
  assert launcher(*flags) == 2
  err = capsys.readouterr().err
  assert err.count('\n') == 1
  assert text in err


@pytest.mark.parametrize(
  ('flags', 'words'),
  [
    (('--executor=slurm',), ['sbatch --parsable', '--model=vit', 'srun ']),
    (
      ('--executor=skypilot', '--workdir=gs://b/w'),
      ['sky jobs launch', '--model=vit', '"setup": "bash -c'],
    ),
    (
      ('--executor=tpu_vm', '--workdir=gs://b/w', '--tpus=t1'),
      [f'{ROOT}/launch/tpu_run.sh t1 study', '--model=vit'],
    ),
  ],
)
def test_dry_run_prints_what_would_be_asked(
  launcher, monkeypatch, capsys, flags, words
):
  monkeypatch.setenv('TPU_ZONE', 'z')
  monkeypatch.setenv('PATH', '/nowhere')
  launcher.models('base', 'vit')
  assert launcher(*flags, '--dry_run') == 0
  out = capsys.readouterr().out
  for text in words:
    assert text in out
