"""Formatting of numbers for readers: '8.5 % (8.1–8.9)', '+1.17 points'.

Tables hold fractions, which this module converts to per cent and points. Each
format exists twice: as a Python function for the page, and as a Vega expression
for the tooltips of charts.
"""

import math
from collections.abc import Sequence
from typing import Any

MISSING = '–'
_PREFIXES = ('', 'k', 'M', 'G', 'T', 'P', 'E', 'Z')


def number(value: Any, digits: int = 1, *, plus: bool = False) -> str:
  """Returns a rounded number with a true minus sign; '–' if it is absent."""
  if absent(value):
    return MISSING
  text = f'{float(value):{"+" if plus else ""},.{digits}f}'
  if not text.strip('+-0.,'):  # No '-0.0'.
    text = text.lstrip('+-')
  return text.replace('-', '−')


def absent(value: Any) -> bool:
  """Returns whether a table's cell is None, NaN, infinite or pandas' NA."""
  try:
    return value is None or not math.isfinite(float(value))
  except (TypeError, ValueError):
    return True


def interval(lower: Any, upper: Any, digits: int = 1) -> str:
  """Returns ' (8.1–8.9)' with a leading space, or '' if a bound is missing."""
  if absent(lower) or absent(upper):
    return ''
  between = ' to ' if lower < 0 else '–'
  return f' ({number(lower, digits)}{between}{number(upper, digits)})'


def percent(
  value: Any, lower: Any = None, upper: Any = None, *, digits: int = 1
) -> str:
  """Returns a fraction as per cent with its interval: '8.5 % (8.1–8.9)'."""
  if absent(value):
    return MISSING
  bounds = interval(_hundredfold(lower), _hundredfold(upper), digits)
  return f'{number(_hundredfold(value), digits)} %{bounds}'


def points(
  value: Any, lower: Any = None, upper: Any = None, *, digits: int = 2
) -> str:
  """Returns a difference in percentage points: '+1.17 (0.95–1.40)'."""
  if absent(value):
    return MISSING
  bounds = interval(_hundredfold(lower), _hundredfold(upper), digits)
  return f'{number(_hundredfold(value), digits, plus=True)}{bounds}'


def decimal(
  value: Any, lower: Any = None, upper: Any = None, *, digits: int = 2
) -> str:
  """Returns a decimal number with its interval: '0.97 (0.93–0.99)'."""
  return f'{number(value, digits)}{interval(lower, upper, digits)}'


def p_value(value: Any) -> str:
  """Returns a p-value with three decimals, or a power of ten if < 0.001."""
  if absent(value):
    return MISSING
  if not value:  # Below the smallest floating-point number.
    return '<1e−300'
  return f'{value:.3f}' if value >= 0.001 else f'{value:.0e}'.replace('-', '−')


def count(value: Any) -> str:
  """Returns a whole number with thousands separators: '10,000'."""
  return number(value, 0)


def duration(seconds: Any) -> str:
  """Returns a duration as '12 s', '3 min 20 s' or '2 h 5 min'."""
  if absent(seconds):
    return MISSING
  if seconds < 10:
    return f'{seconds:.1f} s'
  minutes, left = divmod(round(seconds), 60)
  if not minutes:
    return f'{left} s'
  hours, minutes = divmod(minutes, 60)
  return f'{hours} h {minutes} min' if hours else f'{minutes} min {left} s'


def size(number_of_bytes: Any) -> str:
  """Returns a size as '512 MiB' or '1.4 GiB'."""
  if absent(number_of_bytes):
    return MISSING
  mebibytes = float(number_of_bytes) / 2**20
  if mebibytes < 1024:
    return f'{mebibytes:.0f} MiB'
  return f'{mebibytes / 1024:.1f} GiB'


def flops(value: Any) -> str:
  """Returns operations with three digits: '1.23 TFLOP'."""
  if absent(value):
    return MISSING
  place = 0
  while value >= 1000 and place < len(_PREFIXES) - 1:
    value, place = value / 1000, place + 1
  return f'{value:.3g} {_PREFIXES[place]}FLOP'


def percent_of(
  field: str, *, bounds: Sequence[str] | None = None, digits: int = 1
) -> str:
  """Returns a Vega expression that formats a column like `percent`.

  Args:
    field: name of the column.
    bounds: two columns of its interval; `field_lower` and `field_upper` by
      default, no interval if empty.
    digits: number of decimals.
  """
  return _expression(field, bounds, digits, unit=' %', sign='')


def points_of(
  field: str, *, bounds: Sequence[str] | None = None, digits: int = 2
) -> str:
  """Returns a Vega expression that formats a column like `points`.

  Args:
    field: name of the column.
    bounds: two columns of its interval; `field_lower` and `field_upper` by
      default, no interval if empty.
    digits: number of decimals.
  """
  return _expression(field, bounds, digits, unit='', sign='+')


def _expression(
  field: str,
  bounds: Sequence[str] | None,
  digits: int,
  *,
  unit: str,
  sign: str,
) -> str:
  def text(name: str, sign: str = '') -> str:
    return f"format(datum.{name}*100,'{sign},.{digits}f')"

  value = f"{text(field, sign)}+'{unit}'"
  if bounds is None:
    bounds = (f'{field}_lower', f'{field}_upper')
  if bounds:
    low, high = bounds
    value += (
      f"+(isValid(datum.{low})&&isValid(datum.{high})?' ('+{text(low)}"
      f"+(datum.{low}<0?' to ':'–')+{text(high)}+')':'')"
    )
  return f"isValid(datum.{field})?{value}:'{MISSING}'"


def _hundredfold(value: Any) -> Any:
  return None if absent(value) else 100 * float(value)


def noun(count: int, word: str) -> str:
  """Returns the noun, in the plural unless `count` is 1: 'batches'."""
  if count == 1 or not word:
    return word
  if word.endswith(('s', 'x', 'z', 'ch', 'sh')):
    return f'{word}es'
  if word.endswith('y') and word[-2:-1] not in ('', *'aeiou'):
    return f'{word[:-1]}ies'
  return f'{word}s'


def counted(count: int, word: str) -> str:
  """Returns a count with its noun: '2 batches'."""
  return f'{count} {noun(count, word)}'


def verb(count: int, one: str, many: str) -> str:
  """Returns the form of a verb for `count`: `one` for 1, else `many`."""
  return one if count == 1 else many
