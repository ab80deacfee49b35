"""Progress of what runs long: bars, lines, and the items as they are."""

import io
import sys

import pytest

from overlap.core import progress


class Terminal(io.StringIO):
  def isatty(self):
    return True


@pytest.fixture
def lines(monkeypatch):
  """What is logged, a step taking 25 seconds."""
  said, clock = [], iter(range(0, 10_000, 25))
  monkeypatch.setattr(progress.time, 'monotonic', lambda: float(next(clock)))
  monkeypatch.setattr(
    progress.logging, 'info', lambda text, *args: said.append(text % args)
  )
  return said


def test_a_line_each_minute_where_there_is_no_terminal(lines, monkeypatch):
  monkeypatch.setattr(sys, 'stderr', io.StringIO())
  got = list(progress.track('abcdefg', total=7, what='it', unit='step'))
  assert got == list('abcdefg')
  # Of 25 s each the third and the sixth end a minute; the last needs no line.
  # The rate is that of those after the first.
  assert lines == [
    'it: 3 of 7 steps, 0.04 a second, 100 s left',
    'it: 6 of 7 steps, 0.04 a second, 25 s left',
  ]


def test_units_are_in_the_plural(lines, monkeypatch):
  monkeypatch.setattr(sys, 'stderr', io.StringIO())
  list(progress.track('abcd', total=10, what='it', unit='batch'))
  assert [line.partition(',')[0] for line in lines] == ['it: 3 of 10 batches']


def test_what_was_done_before_counts_and_does_not_speed_up(lines, monkeypatch):
  monkeypatch.setattr(sys, 'stderr', io.StringIO())
  list(progress.track('abc', total=10, what='it', unit='step', done=6))
  assert lines == ['it: 9 of 10 steps, 0.04 a second, 25 s left']


@pytest.fixture
def compiled(monkeypatch):
  """The clock, with a first step of 64 s and others of 0.5 s."""
  moments = [0.0] + [64 + 0.5 * i for i in range(1000)]
  clock = iter(moments)
  monkeypatch.setattr(progress.time, 'monotonic', lambda: next(clock))


@pytest.mark.parametrize('done', [0, 100])
def test_compilation_is_in_no_time_left(compiled, done, monkeypatch):
  said = []
  monkeypatch.setattr(sys, 'stderr', io.StringIO())
  monkeypatch.setattr(
    progress.logging, 'info', lambda text, *args: said.append(text % args)
  )
  left = range(800 - done)
  list(progress.track(left, total=800, what='it', unit='step', done=done))
  assert said[:2] == [
    f'it: {done + 1} of 800 steps',
    f'it: {done + 121} of 800 steps, 2 a second, {(679 - done) / 2:.0f} s left',
  ]


def test_compilation_is_in_no_bar(monkeypatch):
  now = [0.0]
  monkeypatch.setattr(sys, 'stderr', Terminal())
  monkeypatch.setattr('tqdm.std.time', lambda: now[0])
  bars, made = [], progress.tqdm.tqdm
  monkeypatch.setattr(
    progress.tqdm, 'tqdm', lambda **more: bars.append(made(**more)) or bars[0]
  )
  shown = []
  for i in progress.track(range(800), total=800, what='it', unit='step'):
    shown.append(str(bars[0]).rpartition('| ')[2])
    if i == 11:
      break
    now[0] += 0.5 if i else 64.0
  assert shown[1] == '1/800 [00:00<?, ?step/s]'
  assert shown[11] == '11/800 [00:05<06:34,  2.00step/s]'


def test_a_bar_with_rate_and_time_left_on_a_terminal(monkeypatch):
  terminal = Terminal()
  monkeypatch.setattr(sys, 'stderr', terminal)
  monkeypatch.setattr(progress.tqdm, 'tqdm', _eager(progress.tqdm.tqdm))
  got = list(progress.track('abc', total=4, what='it', unit='step', done=1))
  assert got == list('abc')
  bars = terminal.getvalue()
  assert 'it: ' in bars
  assert '4/4 [' in bars
  assert 'step/s' in bars


def test_a_line_does_not_end_up_in_a_bar(monkeypatch):
  terminal = Terminal()
  monkeypatch.setattr(sys, 'stderr', terminal)
  log = progress.BesideBars(terminal)
  for _ in progress.track('ab', total=2, what='it', unit='step'):
    before = terminal.tell()
    log.write('a line\n')
    after = terminal.getvalue()[before:]
    # The bar is wiped out, the line written, and the bar drawn anew.
    wiped, drawn = after.split('a line\n')
    assert wiped.endswith('\r')
    assert not wiped.strip()
    assert 'it: ' in drawn
  assert log.isatty()


def _eager(bar):
  """Draws each step, which a bar leaves out where they are quick."""
  return lambda **more: bar(mininterval=0, miniters=1, **more)
