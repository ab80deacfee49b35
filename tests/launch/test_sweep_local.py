"""launch/sweep.py on this machine: once each, kills, failures, preemption."""

import json
import os
import pathlib
import signal
import subprocess
import sys

import psutil
import pytest

from overlap.launch import supervised

ROOT = pathlib.Path(__file__).resolve().parents[2]
EIGHT = (
  'base', 'reinit_1', 'reinit_2', 'reinit_3', 'dropout', 'vit', 'densenet',
  'simclr',
)  # fmt: skip


def at_once(launcher):
  """The most units that were running at any moment."""
  running = most = 0
  for line in launcher.calls_file.read_text().splitlines():
    running += 1 if line.startswith('begin') else -1
    most = max(most, running)
  return most


def running(launcher, names):
  folders = launcher.workdir / 'sweep' / 'units'
  return [n for n in names if supervised.is_running(folders / n)]


def test_units_run_two_at_a_time_and_a_second_call_runs_none(launcher, capsys):
  launcher.models('base', 'vit', 'dropout', 'densenet')
  assert launcher('--parallel=2') == 0
  assert sorted(launcher.names()) == ['base', 'densenet', 'dropout', 'vit']
  assert at_once(launcher) <= 2
  out, err = capsys.readouterr()
  assert '4 done of 4' in out
  assert out.splitlines()[-1].startswith('compare them: overlap study --config')
  assert not err
  assert launcher('--parallel=2') == 0
  assert len(launcher.calls()) == 4
  assert launcher.state('vit')['attempts'][0]['exit_status'] == 0


def test_a_launcher_that_is_killed_twice_runs_each_to_done_once(launcher):
  launcher.models(*EIGHT)
  for count in (3, 6):
    process = launcher.start('--parallel=2', FAKE_SECONDS='1')
    launcher.wait_for(count)
    process.kill()
    process.communicate()
    # What it has started goes on without it.
    assert running(launcher, EIGHT)
  process = launcher.start('--parallel=2', FAKE_SECONDS='1')
  out, err = process.communicate(timeout=100)
  assert process.returncode == 0, err
  assert '8 done of 8' in out
  # Found again, not run again: each began once, and ended once.
  assert sorted(launcher.names()) == sorted(EIGHT)
  assert sorted(launcher.names('end')) == sorted(EIGHT)
  assert at_once(launcher) <= 2
  for name in EIGHT:
    assert launcher.state(name)['state'] == 'done'
    # A kill may come between noting that one starts and starting it.
    before, last = launcher.outcomes(name)[:-1], launcher.outcomes(name)[-1]
    assert (set(before) <= {'preempted'}, last) == (True, 'done')


def test_what_a_machine_lost_with_its_launcher_is_run_again(launcher):
  launcher.models('base', 'vit', 'dropout')
  launcher.play('base', 'hang')
  process = launcher.start('--parallel=1')
  launcher.wait_for(1)
  process.kill()
  process.communicate()
  units = launcher.workdir / 'sweep' / 'units'
  os.killpg(int((units / 'base' / 'lock').read_text()), signal.SIGKILL)
  assert launcher('--parallel=1') == 0
  assert launcher.names() == ['base', 'base', 'vit', 'dropout']
  assert launcher.outcomes('base') == ['preempted', 'done']


def test_what_is_left_running_is_shown_and_can_be_stopped(launcher, capsys):
  launcher.models('base', 'vit')
  launcher.play('base', 'hang')
  process = launcher.start('--parallel=1')
  launcher.wait_for(1)
  process.kill()
  process.communicate()
  assert launcher('--list') == 0
  assert 'base  running' in capsys.readouterr().out
  assert launcher('--stop') == 0
  assert 'stopped 1 unit\n' in capsys.readouterr().out
  assert not running(launcher, ['base', 'vit'])
  assert launcher.state('base')['state'] == 'waiting'
  assert launcher.outcomes('base') == ['stopped']


def test_an_interrupted_launcher_takes_its_units_with_it(launcher):
  launcher.models('base', 'vit')
  launcher.play('base', 'hang')
  process = launcher.start('--parallel=2')
  launcher.wait_for(2)
  process.terminate()
  _, err = process.communicate(timeout=60)
  assert process.returncode == 130
  assert err == 'sweep: interrupted; the same command goes on.\n'
  assert not running(launcher, ['base', 'vit'])
  assert launcher('--parallel=2') == 0
  assert launcher.outcomes('base') == ['stopped', 'done']


def test_a_unit_that_fails_stops_no_other_but_those_that_need_it(
  launcher, capsys
):
  launcher.models('vit', 'distilled', 'dropout', 'densenet')
  launcher.play('base', 3)
  assert launcher('--parallel=2') == 1
  out, err = capsys.readouterr()
  assert '3 done, 1 failed, 1 blocked of 5' in out
  assert err.count('\n') == 1
  log = launcher.workdir / 'sweep' / 'units' / 'base' / 'attempt_1.log'
  assert err.startswith(
    f'sweep: 1 of 5 units failed: base (failed, exit status 3: base says so; '
    f'{log}); 1 that need them have not begun.'
  )
  # A failure is no preemption: it was tried once. A new call tries it again.
  assert launcher.names().count('base') == 1
  assert 'distilled' not in launcher.names()
  assert launcher('--parallel=2') == 0
  assert launcher.names()[-2:] == ['base', 'distilled']
  assert len(launcher.calls()) == 6


@pytest.mark.parametrize('status', ['SIGKILL', 'SIGTERM', '75', '143'])
def test_a_unit_that_is_preempted_is_tried_again(launcher, status):
  launcher.models('base', 'vit')
  launcher.play('vit', status, status)
  assert launcher() == 0
  assert launcher.outcomes('vit') == ['preempted', 'preempted', 'done']
  assert launcher.outcomes('base') == ['done']


def test_preemption_is_borne_so_often_and_no_more(launcher, capsys):
  launcher.models('base', 'vit')
  launcher.play('base', *['SIGTERM'] * 9)
  assert launcher('--retries=2') == 1
  assert launcher.outcomes('base') == ['preempted'] * 3
  assert launcher.outcomes('vit') == ['done']
  err = capsys.readouterr().err
  assert 'base (preempted, exit status -15: ended with status -15;' in err


@pytest.mark.parametrize('status', ['SIGSEGV', 'SIGABRT', '2', '127'])
def test_a_crash_is_no_preemption(launcher, status):
  launcher.models('base')
  launcher.play('base', status)
  assert launcher() == 1
  assert launcher.outcomes('base') == ['failed']


def test_a_program_that_is_not_there_is_a_failure(launcher, capsys):
  launcher.models('base')
  assert launcher('--program=/nowhere/overlap') == 1
  assert '/nowhere/overlap: No such file' in capsys.readouterr().err


def test_what_a_command_leaves_behind_ends_with_it(launcher):
  launcher.models('base')
  fake = launcher.folder / 'fake'
  fake.write_text('#!/usr/bin/env bash\nsleep 300 & echo $!\n')
  assert launcher() == 0
  log = launcher.workdir / 'sweep' / 'units' / 'base' / 'attempt_1.log'
  left = int(log.read_text())
  # One that has ended may wait for somebody to ask how.
  assert (
    not psutil.pid_exists(left) or psutil.Process(left).status() == 'zombie'
  )


def test_one_launcher_at_a_time(launcher, capsys):
  launcher.models('base')
  launcher.play('base', 'hang')
  process = launcher.start()
  launcher.wait_for(1)
  assert launcher() == 2
  err = capsys.readouterr().err
  assert err.startswith(
    f'sweep: A sweep must have one launcher, and process {process.pid} is at'
  )
  process.terminate()
  process.communicate(timeout=60)


def test_studies_of_their_own_have_their_own_workdirs(launcher):
  launcher.write(
    "sweeps.named('label', 'data.label', "
    "{'a': 'plain', 'b': '$(id) \\'x\\' ; y'})"
  )
  assert launcher('--', '--resume=update') == 0
  for name, label in (('a', 'plain'), ('b', "$(id) 'x' ; y")):
    (words,) = [c for c in launcher.calls() if c[0] == f'label_{name}']
    # What a value holds is one argument, whatever it is.
    assert words[1:] == [
      'study', '--config=configs/quickstart.py',
      f'--workdir={launcher.workdir}/units/label_{name}',
      f'--config.data.label={label}', '--resume=update',
    ]  # fmt: skip


def test_variants_share_a_workdir_with_the_base(launcher):
  launcher.write("sweeps.variants('vit', sweeps.named('seed', 'seed', (1, 2)))")
  assert launcher() == 0
  assert launcher.names() == ['base', 'vit_seed_1', 'vit_seed_2']
  config = f'configs/swept.py:configs/quickstart.py+{launcher.sweep}'
  assert launcher.calls()[1][1:] == [
    'study', f'--config={config}', f'--workdir={launcher.workdir}',
    '--stages=train,predict', '--model=vit_seed_1',
  ]  # fmt: skip


def test_a_unit_that_is_done_and_was_another_is_refused(launcher, capsys):
  seeds = "sweeps.variants('vit', sweeps.named('seed', 'seed', {{'a': {}}}))"
  launcher.write(seeds.format(1))
  assert launcher() == 0
  launcher.write(seeds.format(2))
  capsys.readouterr()
  assert launcher() == 2
  err = capsys.readouterr().err
  assert err.count('\n') == 1
  assert 'The unit vit_seed_a is done in' in err
  assert '--again=vit_seed_a' in err
  assert launcher('--again=vit_seed_a') == 0
  assert launcher.names() == ['base', 'vit_seed_a', 'vit_seed_a']
  assert launcher.outcomes('vit_seed_a') == ['done', 'done']
  assert launcher('--again=vit_sed_a') == 2
  assert "Did you mean 'vit_seed_a'" in capsys.readouterr().err


def test_where_data_lie_makes_no_other_unit(launcher):
  launcher.models('base')
  assert launcher() == 0
  assert launcher('--', '--config.data.data_dir=/elsewhere') == 0
  assert launcher.names() == ['base']


BAD = {
  'duplicate': (
    "sweeps.models('base', 'base')",
    (),
    "must have different names, got 'base' twice",
  ),
  'empty': ('[]', (), 'A sweep needs items, got none'),
  'field': (
    "sweeps.named('x', 'data.datset', ('mnist_5k',))",
    (),
    "No field of config.data is called 'datset'. Did you mean 'dataset'",
  ),
  'option': (
    "sweeps.variants('base', sweeps.named('x', "
    "'architecture.options.dropout', (0.1,)))",
    (),
    "Did you mean 'dropout_rate'",
  ),
  'model': ("sweeps.models('vitt')", (), "Did you mean 'vit'"),
  'mixed': (
    "[*sweeps.models('vit'), *sweeps.named('x', 'base', ('vit',))]",
    (),
    "all of models or all of the whole study, got 'vit' and 'x_vit'",
  ),
  'flag': ("sweeps.models('vit')", ('--paralel=2',), 'paralel'),
  'flag of overlap': (
    "sweeps.models('vit')",
    ('--', '--config.models.vit.sed=1'),
    "Did you mean 'seed'",
  ),
  'executor': ("sweeps.models('vit')", ('--executor=loca',), "mean 'local'"),
  'ways': ("sweeps.models('vit')", ('--list', '--stop'), 'exclude each other'),
  'word': ("sweeps.models('vit')", ('x',), "flags only, got 'x'"),
  'device': (
    "sweeps.models('vit')",
    ('--devices=cuda',),
    "as in 'cuda:0,1', got 'cuda'",
  ),
}


@pytest.mark.parametrize(('items', 'flags', 'text'), BAD.values(), ids=BAD)
def test_bad_input_is_one_line_and_status_2(
  launcher, capsys, items, flags, text
):
  launcher.write(items)
  assert launcher(*flags) == 2
  out, err = capsys.readouterr()
  assert err.count('\n') == 1
  assert err.startswith('sweep: ')
  assert text in err
  assert not out
  assert not launcher.calls()
  assert not launcher.workdir.exists()


def test_dry_run_prints_commands_and_runs_nothing(launcher, capsys):
  launcher.models('base', 'vit')
  assert launcher('--dry_run') == 0
  lines = capsys.readouterr().out.splitlines()
  assert [line.split('--model=')[-1] for line in lines[:2]] == ['base', 'vit']
  assert lines[2].startswith('# 2 of 2 units to run, 0 done')
  assert not launcher.calls()
  assert not launcher.workdir.exists()


def test_the_folder_that_one_is_in_does_not_matter(
  launcher, monkeypatch, tmp_path
):
  launcher.write("sweeps.variants('vit', sweeps.named('seed', 'seed', (1,)))")
  monkeypatch.chdir(tmp_path)
  words = launcher.words('--workdir=relative')
  words[1] = '--sweep=sweep.py'
  assert launcher.main(words) == 0
  assert (tmp_path / 'relative' / 'sweep' / 'units' / 'vit_seed_1').is_dir()
  (call,) = [c for c in launcher.calls() if c[0] == 'vit_seed_1']
  assert call[2:4] == [
    f'--config=configs/swept.py:configs/quickstart.py+{tmp_path}/sweep.py',
    f'--workdir={tmp_path}/relative',
  ]


def test_a_workdir_that_cannot_be_is_one_line(launcher, capsys):
  launcher.models('base')
  launcher.workdir.write_text('a file')
  assert launcher() == 1
  assert capsys.readouterr().err.count('\n') == 1


def test_without_its_packages_it_says_which_python_to_take():
  done = subprocess.run(
    [sys.executable, '-I', '-S', ROOT / 'launch' / 'sweep.py'],
    capture_output=True, text=True, timeout=60,
  )  # fmt: skip
  assert done.returncode == 1
  assert done.stderr.count('\n') == 1
  assert '/.venv/bin/python' in done.stderr


def test_help_lists_every_flag():
  done = subprocess.run(
    [sys.executable, ROOT / 'launch' / 'sweep.py', '--help'],
    capture_output=True, text=True, timeout=60,
  )  # fmt: skip
  assert done.returncode == 0, done.stderr
  for flag in ('config', 'sweep', 'workdir', 'executor', 'retries', 'dry_run'):
    assert f'\n  --{flag}: ' in done.stdout


@pytest.mark.slow
def test_a_real_sweep_trains_variants_into_one_study(launcher, test_data):
  launcher.write("sweeps.variants('base', sweeps.named('seed', 'seed', (7,)))")
  words = launcher.words(
    '--parallel=2', '--stages=train', '--',
    f'--config.data.data_dir={test_data}', '--config.data.splits.heldout=',
    program=f'{sys.executable} -m overlap',
  )  # fmt: skip
  words[0] += ':smoke'
  done = subprocess.run(
    [sys.executable, ROOT / 'launch' / 'sweep.py', *words],
    env=os.environ | {'XLA_FLAGS': '--xla_backend_optimization_level=0'},
    capture_output=True, text=True, timeout=600,
  )  # fmt: skip
  assert done.returncode == 0, done.stdout + done.stderr
  models = launcher.workdir / 'models'
  assert sorted(p.name for p in models.iterdir()) == ['base', 'base_seed_7']
  made = json.loads((models / 'base_seed_7' / 'model.json').read_text())
  assert made['settings']['seed'] == 7
