"""launch/quickstart.sh: what it installs, when, and what it then runs."""

import shutil

import pytest

SCRIPT = 'quickstart.sh'


def study(machine, workdir, *more):
  """The one call of `overlap` that a launch ends with."""
  config = f'--config={machine.root}/configs/quickstart.py'
  return [['overlap', 'study', config, f'--workdir={workdir}', *more]]


def test_a_fresh_machine_gets_an_environment_and_the_study(machine):
  done = machine.launch(SCRIPT)
  assert done.returncode == 0, done.stderr
  assert machine.calls('python3', 'venv') == [
    ['python3', '-m', 'venv', '--clear', f'{machine.root}/.venv']
  ]
  (pip,) = machine.calls('python', 'install')
  assert pip[-2:] == ['--editable', '.[quickstart]']
  assert '--disable-pip-version-check' in pip
  workdir = machine.root / 'workdir' / 'quickstart'
  assert machine.calls('overlap') == study(machine, workdir)


def test_a_second_call_installs_nothing_and_says_nothing(machine):
  machine.launch(SCRIPT)
  done = machine.launch(SCRIPT, 'w')
  assert machine.installs() == 0
  assert (done.returncode, done.stderr) == (0, '')
  # One start of Python, to learn whether it is still the same.
  assert len(machine.calls('python')) == 1
  assert machine.calls('overlap') == study(machine, machine.elsewhere / 'w')


def test_arguments_reach_the_study_as_they_are(machine):
  more = ('--stages=predict,analyse', '--config.data.label=a  b', '*', '')
  machine.launch(SCRIPT, 'my work', *more)
  workdir = machine.elsewhere / 'my work'
  assert machine.calls('overlap') == study(machine, workdir, *more)


def test_a_workdir_in_the_cloud_stays_as_it_is(machine):
  machine.launch(SCRIPT, 'gs://bucket/w')
  assert machine.calls('overlap') == study(machine, 'gs://bucket/w')


@pytest.mark.parametrize('status', [0, 1, 2])
def test_the_exit_status_is_the_study_s(machine, status):
  assert machine.launch(SCRIPT, FAKE_OVERLAP=str(status)).returncode == status


@pytest.mark.parametrize('venv', ['an env', 'nested/an env'])
def test_the_environment_is_where_the_variable_says(machine, venv):
  for _ in range(2):
    machine.launch(SCRIPT, OVERLAP_VENV=venv)
  assert machine.installs() == 0
  assert (machine.elsewhere / venv / 'bin' / 'overlap').exists()
  assert not (machine.root / '.venv').exists()


def test_a_changed_setup_installs_again_into_the_same_environment(machine):
  machine.launch(SCRIPT)
  (machine.root / 'setup.py').write_text('second')
  machine.launch(SCRIPT)
  assert not machine.calls('python3', 'venv')
  assert len(machine.calls('python', 'install')) == 1
  machine.launch(SCRIPT)
  assert machine.installs() == 0


def test_an_earlier_setup_that_comes_back_is_installed_again(machine):
  for text in ('first', 'second', 'first'):
    (machine.root / 'setup.py').write_text(text)
    machine.launch(SCRIPT)
    assert len(machine.calls('python', 'install')) == 1


def test_another_python_in_the_environment_installs_again(machine):
  machine.launch(SCRIPT)
  machine.launch(SCRIPT, FAKE_VERSION='3.12.1')
  assert machine.installs() == 1


def test_another_project_s_environment_is_taken_over(machine):
  machine.launch(SCRIPT)
  other = machine.root.rename(machine.root.parent / 'moved')
  machine.root = other
  machine.launch(SCRIPT)
  assert len(machine.calls('python', 'install')) == 1


def test_a_failed_installation_leaves_no_stamp(machine):
  done = machine.launch(SCRIPT, FAKE_PIP_FAILS='1')
  assert done.returncode == 1
  assert 'error: pip could not install' in done.stderr.splitlines()[-1]
  assert not machine.calls('overlap')
  done = machine.launch(SCRIPT)
  assert done.returncode == 0
  assert machine.installs() == 1  # The environment itself was whole.


@pytest.mark.parametrize('removed', ['bin/python', 'bin', 'pyvenv.cfg'])
def test_a_half_made_environment_is_repaired(machine, removed):
  machine.launch(SCRIPT)
  venv = machine.root / '.venv'
  (venv / '.overlap-installed').unlink()
  if (venv / removed).is_dir():
    shutil.rmtree(venv / removed)
  else:
    (venv / removed).unlink()
  done = machine.launch(SCRIPT)
  assert done.returncode == 0, done.stderr
  assert len(machine.calls('python', 'install')) == 1
  assert (venv / 'bin' / 'python').exists()


def test_a_broken_python_is_noticed_although_there_is_a_stamp(machine):
  machine.launch(SCRIPT)
  (machine.root / '.venv' / 'bin' / 'python').unlink()
  assert machine.launch(SCRIPT).returncode == 0
  assert machine.installs() == 2


def test_a_folder_of_something_else_is_never_emptied(machine):
  precious = machine.elsewhere / 'precious'
  precious.write_text('mine')
  done = machine.launch(SCRIPT, OVERLAP_VENV=str(machine.elsewhere))
  assert done.returncode == 1
  assert done.stderr.startswith('error: OVERLAP_VENV must name')
  assert precious.read_text() == 'mine'


@pytest.mark.parametrize('present', [True, False])
def test_no_python_or_an_old_one_gives_one_line(machine, present):
  if not present:
    (machine.path / 'python3').unlink()
  done = machine.launch(SCRIPT, FAKE_OLD='1')
  assert done.returncode == 1
  assert done.stderr.count('\n') == 1
  assert done.stderr.startswith('error: Python 3.11 or newer is needed')


def test_a_later_name_is_taken_where_python3_is_old(machine):
  text = (machine.path / 'python3').read_text()
  (machine.path / 'python3.12').write_text(text)
  (machine.path / 'python3.12').chmod(0o755)
  (machine.path / 'python3').write_text('#!/usr/bin/env bash\nexit 1\n')
  assert machine.launch(SCRIPT).returncode == 0
  assert machine.calls('python3.12', 'venv')


def test_a_python_newer_than_those_tried_is_the_last_choice(machine):
  text = (machine.path / 'python3').read_text()
  (machine.path / 'python3.12').write_text(text.replace('FAKE_NEW', 'NO'))
  (machine.path / 'python3.12').chmod(0o755)
  assert machine.launch(SCRIPT, FAKE_NEW='1').returncode == 0
  assert machine.calls('python3.12', 'venv')


def test_a_newer_python_is_taken_where_there_is_no_other(machine):
  assert machine.launch(SCRIPT, FAKE_NEW='1').returncode == 0
  assert machine.calls('python3', 'venv')


def test_a_python_without_ensurepip_gives_one_line(machine):
  done = machine.launch(SCRIPT, FAKE_NO_ENSUREPIP='1')
  assert done.returncode == 1
  assert done.stderr.count('\n') == 1
  assert 'install python3-venv' in done.stderr


def test_a_failing_venv_stops_the_script(machine):
  done = machine.launch(SCRIPT, FAKE_VENV_FAILS='1')
  assert done.returncode == 1
  assert 'python3 -m venv failed' in done.stderr.splitlines()[-1]


def test_an_option_in_the_place_of_the_workdir_is_a_usage_error(machine):
  done = machine.launch(SCRIPT, '--stages=train')
  assert done.returncode == 2
  assert 'WORKDIR comes before' in done.stderr
  assert not machine.calls()


def test_help_tells_the_usage_and_installs_nothing(machine):
  done = machine.launch(SCRIPT, '--help')
  assert done.returncode == 0
  lines = done.stdout.splitlines()
  assert lines[0].startswith('The whole study at a small size')
  assert 'launch/quickstart.sh [WORKDIR' in done.stdout
  assert lines[-1].startswith('nothing, and goes on with the study')
  assert not machine.calls()
