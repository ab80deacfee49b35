"""launch/test.sh: what it installs, what it checks, how it ends."""

import pytest

SCRIPT = 'test.sh'


def test_all_is_installed_then_checked_then_tested(machine):
  done = machine.launch(SCRIPT, 'tests/test_files.py', '-k', 'a or b')
  assert done.returncode == 0, done.stderr
  extras = [call[-1] for call in machine.calls('python', '--editable')]
  assert extras == ['.[test,transformers]']
  assert machine.calls('ruff') == [
    ['ruff', 'check', '--output-format=concise'],
    ['ruff', 'format', '--check'],
  ]
  assert machine.calls('mypy') == [['mypy', '']]
  assert machine.calls()[-1] == [
    'python', '-m', 'pytest', '-n', '2', '--dist=loadfile',
    '--no-loadscope-reorder', '--max-worker-restart=0',
    'tests/test_files.py', '-k', 'a or b',
  ]  # fmt: skip


@pytest.mark.parametrize(
  ('words', 'expected'),
  [((), ('-m', 'not slow')), (('-m', 'slow'),) * 2, (('tests',),) * 2],
)
def test_alone_it_leaves_out_what_is_slow(machine, words, expected):
  done = machine.launch(SCRIPT, *words)
  assert f'unoptimised: {"no" if words else 1}' in done.stderr.splitlines()
  call = machine.calls()[-1]
  assert call[call.index('--max-worker-restart=0') + 1 :] == list(expected)


def test_bytecode_is_kept_whatever_the_caller_s_setting(machine):
  done = machine.launch(SCRIPT, PYTHONDONTWRITEBYTECODE='1')
  # For none is made as packages are installed.
  assert all('--no-compile' in call for call in machine.calls('python', '-qq'))
  assert 'bytecode: kept' in done.stderr.splitlines()


def test_pytest_s_closing_line_is_the_last_of_the_output(machine):
  assert machine.launch(SCRIPT).stdout == '1 passed in 0.01s\n'


def test_torch_is_the_cpu_build_and_what_needs_it_brings_nothing(machine):
  machine.launch(SCRIPT)
  torch, timm = (
    call[call.index('-qq') + 1 :]
    for call in machine.calls('python', 'install')[1:]
  )
  assert torch[-1] == 'torch==2.13.0+cpu'
  assert timm == ['--no-deps', 'torchvision==0.15.2', 'timm==1.0.31']


def test_torch_is_installed_beside_the_checks_and_before_the_tests(machine):
  machine.launch(SCRIPT, FAKE_SECONDS='0.5')
  calls = [call[:2] for call in machine.calls()]
  ends = [k for k, call in enumerate(calls) if call == ['pip', 'end']]
  # The project's own, then torch's and timm's.
  assert len(ends) == 3
  assert ends[0] < calls.index(['mypy', '']) < ends[2]
  assert calls[-1] == ['python', '-m']


def test_without_a_cpu_build_of_torch_the_tests_still_run(machine):
  done = machine.launch(SCRIPT, FAKE_NO_TORCH='1')
  assert done.returncode == 0
  assert 'tests that compare with PyTorch skip' in done.stderr
  machine.launch(SCRIPT)  # It is looked for again, the rest is not.
  assert all('torch' in call[-1] for call in machine.calls('python', '-qq')[:1])
  assert not machine.calls('python', '--editable')


def test_a_second_call_installs_nothing(machine):
  machine.launch(SCRIPT)
  machine.launch(SCRIPT)
  assert machine.installs() == 0


def test_the_tests_packages_serve_the_quickstart(machine):
  machine.launch(SCRIPT)
  machine.launch('quickstart.sh')
  assert machine.installs() == 0
  assert machine.calls('overlap')


def test_the_quickstart_s_packages_do_not_serve_the_tests(machine):
  machine.launch('quickstart.sh')
  machine.launch(SCRIPT)
  assert machine.calls('python', '.[test,transformers]')
  machine.launch('quickstart.sh')
  assert machine.installs() == 0


@pytest.mark.parametrize(
  ('pytest_status', 'ruff_status', 'expected'),
  [('0', '0', 0), ('0', '1', 1), ('1', '0', 1), ('5', '1', 5), ('2', '0', 2)],
)
def test_the_exit_status_tells_of_both(
  machine, pytest_status, ruff_status, expected
):
  done = machine.launch(
    SCRIPT, FAKE_PYTEST=pytest_status, FAKE_RUFF=ruff_status
  )
  assert done.returncode == expected
  assert '1 passed' in done.stdout
  named = 'error: failed before the tests: ruff' in done.stderr
  assert named == (ruff_status != '0')


@pytest.mark.parametrize('word', ['--help', '-h'])
def test_help_tells_the_usage_and_installs_nothing(machine, word):
  done = machine.launch(SCRIPT, word)
  assert done.returncode == 0
  lines = done.stdout.splitlines()
  assert lines[0].startswith('Checks and tests, from nothing')
  assert '  launch/test.sh [arguments of pytest]' in lines
  assert lines[-1].startswith("Exit status: pytest's")
  assert not machine.calls()
  assert not (machine.root / '.venv').exists()


@pytest.mark.parametrize(
  'scripts', [(SCRIPT, 'quickstart.sh'), ('quickstart.sh', SCRIPT)]
)
def test_two_scripts_at_once_install_one_after_the_other(machine, scripts):
  running = [machine.start(name, FAKE_SECONDS='0.5') for name in scripts]
  told = [process.communicate(timeout=60)[1] for process in running]
  assert [process.returncode for process in running] == [0, 0], told
  # Each installation had ended before the next one began.
  marks = [call[1] for call in machine.calls('pip')]
  assert len(marks) >= 4
  assert marks == ['begin', 'end'] * (len(marks) // 2)
  assert len(machine.calls('python3', 'venv')) == 1
  assert sum('Waiting for another script' in text for text in told) >= 1
