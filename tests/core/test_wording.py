"""Tests of overlap.core.wording."""

import re

import altair as alt
import numpy as np
import pandas as pd
import pytest
import vl_convert

from overlap.core import wording
from overlap.figures import frames


@pytest.mark.parametrize(
  ('arguments', 'expected'),
  [
    ((0.085,), '8.5 %'),
    ((0.085, 0.081, 0.089), '8.5 % (8.1–8.9)'),
    ((0.085, None, 0.089), '8.5 %'),
    ((0.01, -0.004, 0.02), '1.0 % (−0.4 to 2.0)'),
    ((1.0,), '100.0 %'),
    ((0.0,), '0.0 %'),
    ((-0.0001,), '0.0 %'),
    ((float('nan'), 0.1, 0.2), '–'),
    ((None,), '–'),
    ((pd.NA,), '–'),
  ],
)
def test_percent(arguments, expected):
  assert wording.percent(*arguments) == expected


@pytest.mark.parametrize(
  ('arguments', 'expected'),
  [
    ((0.0117, 0.0095, 0.014), '+1.17 (0.95–1.40)'),
    ((-0.0117,), '−1.17'),
    ((-0.0117, -0.02, -0.01), '−1.17 (−2.00 to −1.00)'),
    ((0.0,), '0.00'),
    ((np.nan,), '–'),
  ],
)
def test_points(arguments, expected):
  assert wording.points(*arguments) == expected


def test_decimal_and_count():
  assert wording.decimal(0.97, 0.93, 0.99) == '0.97 (0.93–0.99)'
  assert wording.decimal(-0.1, -0.2, 0.1) == '−0.10 (−0.20 to 0.10)'
  assert wording.count(10000) == '10,000'
  assert wording.count(np.int64(7)) == '7'


@pytest.mark.parametrize(
  ('p', 'expected'),
  [
    (0.0432, '0.043'), (1.0, '1.000'), (0.001, '0.001'),
    (3.14e-12, '3e−12'), (0.0, '<1e−300'), (None, '–'),
  ],
)  # fmt: skip
def test_p_value(p, expected):
  assert wording.p_value(p) == expected


@pytest.mark.parametrize(
  ('seconds', 'expected'),
  [
    (0.04, '0.0 s'), (9.94, '9.9 s'), (10, '10 s'), (59.6, '1 min 0 s'),
    (200, '3 min 20 s'), (3600, '1 h 0 min'), (7500, '2 h 5 min'),
    (None, '–'),
  ],
)  # fmt: skip
def test_duration(seconds, expected):
  assert wording.duration(seconds) == expected


def test_size():
  assert wording.size(512 * 2**20) == '512 MiB'
  assert wording.size(1.5 * 2**30) == '1.5 GiB'


@pytest.mark.parametrize(
  ('python', 'expression'),
  [
    (wording.percent, wording.percent_of('x')),
    (wording.points, wording.points_of('x')),
  ],
)
def test_charts_say_the_same(python, expression):
  values = [(0.085, 0.081, 0.089), (-0.0117, -0.02, 0.01), (0.5, None, None)]
  values += [(None, None, None), (0.0, 0.0, 0.0), (0.123, 0.1, np.nan)]
  frame = pd.DataFrame(values, columns=['x', 'x_lower', 'x_upper'])
  frame = frame.astype(float).assign(row=range(len(frame)))
  chart = (
    alt.Chart(frames.as_data(frame))
    .mark_text(limit=0)
    .encode(y='row:O', text='text:N')
    .transform_calculate(text=expression)
  )
  svg = vl_convert.vegalite_to_svg(chart.to_dict())
  marks = svg[svg.index('role-mark') :]
  drawn = re.findall(r'<text[^>]*>([^<]*)</text>', marks)
  # An axis of row numbers is drawn too.
  drawn = [text for text in drawn if not text.isdigit() and text != 'row']
  expected = [python(*row) for row in values]
  # The sign of zero gains is the one thing that d3 writes in its own way.
  assert [text.replace('+0.00', '0.00') for text in drawn] == expected


@pytest.mark.parametrize(
  ('value', 'text'),
  [
    (0, '0 FLOP'), (999, '999 FLOP'), (1234, '1.23 kFLOP'),
    (4.5e12, '4.5 TFLOP'), (2e25, '2e+04 ZFLOP'), (float('nan'), '–'),
  ],
)  # fmt: skip
def test_operations_in_words(value, text):
  assert wording.flops(value) == text
