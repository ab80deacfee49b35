"""Findings of a study in plain words.

Each function takes the study's tables and returns a `Finding`, or None if the
tables lack the data for it. Fractions are shown as per cent and points.
"""

import contextlib
import functools
from collections.abc import Mapping
from typing import Any

import pandas as pd

from overlap.catalog.paper import published
from overlap.core import wording
from overlap.figures import frames, style, trends
from overlap.report import gains, specialisation
from overlap.report import joined as joined_lib
from overlap.report import larger as larger_lib
from overlap.report import order as order_lib
from overlap.report import sentences as say
from overlap.report import similarity as similarity_lib
from overlap.report import transfer as transfer_lib

Tables = frames.Tables
ALPHA = 0.05


def findings(tables: Tables, confidence: float = 0.95) -> list[say.Finding]:
  """Returns all findings that the tables allow, the most relevant first.

  Args:
    tables: tables of the study.
    confidence: level of the intervals that are computed here.
  """
  functions = (
    differences, functools.partial(gains.ensembles, confidence=confidence),
    larger_lib.larger, order_lib.order, correlation,
    similarity_lib.similarity, joined_lib.joined, transfer_lib.transfer,
    significance, specialisation.confident, specialisation.groups,
    specialisation.weights, window, calibration, uncategorised,
  )  # fmt: skip
  found = (function(tables) for function in functions)
  return [finding for finding in found if finding is not None]


def differences(tables: Tables) -> say.Finding | None:
  """Sentences on the most and least different pairs, and on the base."""
  pairs = tables['pairs'].dropna(subset=['error_inconsistency'])
  if pairs.empty:
    return None
  most = pairs.loc[pairs['error_inconsistency'].idxmax()]
  least = pairs.loc[pairs['error_inconsistency'].idxmin()]
  differ = 'differ most' if len(pairs) > 1 else 'differ'
  said = [
    f'{say.both(most)} {differ}: only one of the two is right on'
    f' {say.inconsistency(most)} of the {wording.count(most["n"])} examples.'
  ]
  if len(pairs) > 1:
    said.append(
      f'The most alike are {say.both(least)}, with {say.inconsistency(least)}.'
    )
  with contextlib.suppress(frames.NotDrawableError):  # No pair with the base.
    base = frames.base_pairs(tables)
    far = base.loc[base['error_inconsistency'].idxmax()]
    name = say.quote(frames.base_name(tables['models']))
    if len(base) > 1:
      said.append(
        f'Furthest from the base, {name}, is {say.quote(far["model"])}:'
        f' {say.inconsistency(far)}.'
      )
  return say.Finding('Which models differ most', tuple(said))


def correlation(tables: Tables) -> say.Finding | None:
  """Sentences on error inconsistency against gain and conversion."""
  gain = _correlation(tables, 'gain')
  if gain is None:
    return None
  if trends.enough(gain):
    said = _of_the_base(gain)
    what = ''
  else:
    said = [
      f'With the base there are {trends.too_few(gain)} of error inconsistency'
      ' and gain.'
    ]
    what = ' the two correlate with'
  everywhere = _correlation(tables, 'gain', scope='all')
  if everywhere is not None and trends.enough(everywhere):
    said.append(
      f'Over all {wording.count(everywhere["n"])} pairs,{what}'
      f' r = {_r(everywhere)}.'
    )
  conversion = _correlation(tables, 'conversion_rate')
  if conversion is not None and trends.enough(conversion):
    said.append(
      'Error inconsistency and the share of inconsistent examples that the'
      f' ensemble gets right correlate with r = {_r(conversion)}; in the paper'
      ' that share rises with error inconsistency.'
    )
  said += _neither(tables)
  return say.Finding('Does inconsistency pay?', tuple(said))


def _of_the_base(gain: Mapping[str, Any]) -> list[str]:
  """Sentence on gain against error inconsistency, over pairs with the base."""
  said = [
    f'Over the {wording.count(gain["n"])} pairs with the base, error'
    f' inconsistency and gain correlate with r = {_r(gain)}; the paper, on'
    f' ImageNet, has {published.CORRELATION}.'
  ]
  if not wording.absent(gain['slope']):
    slope = wording.decimal(
      gain['slope'], gain.get('slope_lower'), gain.get('slope_upper')
    )
    said.append(
      f'A point more of error inconsistency goes with {slope} points of gain.'
    )
  return said


def _neither(tables: Tables) -> list[str]:
  """Sentence on ensembles being right where neither model is."""
  means = frames.category_means(tables)
  name = 'neither_conversion_rate'
  if name not in means or means[name].nunique() < 2:
    return []
  known = means.dropna(subset=[name])
  low, high = (known.loc[known[name].agg(end)] for end in ('idxmin', 'idxmax'))
  papers = [
    f'{wording.percent(converted / neither)} for {category}'
    for category, (converted, neither) in published.NEITHER.items()
  ]

  def rate(row: Mapping[str, Any]) -> str:
    ends = row.get(f'{name}_lower'), row.get(f'{name}_upper')
    return f'{wording.percent(row[name], *ends)} for {row["category"]}'

  return [
    'Of the examples that neither the base nor the other model gets right,'
    f' the ensemble gets {rate(low)} and {rate(high)} on average, the least'
    f' and the most of the categories; the paper has {", ".join(papers)}.'
  ]


def significance(tables: Tables) -> say.Finding | None:
  """Sentences on the accuracies that differ after Holm's correction."""
  pairs = tables['pairs'].dropna(subset=['mcnemar_p_holm'])
  if pairs.empty:
    return None
  level = wording.percent(ALPHA, digits=0)
  said = [f'By McNemar’s test at {level} after Holm’s correction:']
  with contextlib.suppress(frames.NotDrawableError):  # No pair with the base.
    said += _against_base(frames.base_pairs(tables))
  if len(pairs) > 1 or len(said) == 1:
    everywhere = int((pairs['mcnemar_p_holm'] < ALPHA).sum())
    said.append(
      f'{everywhere} of {wording.counted(len(pairs), "pair")}'
      f' {wording.verb(everywhere, "differs", "differ")} in accuracy.'
    )
  return say.Finding('Which accuracies differ significantly', tuple(said))


def window(tables: Tables) -> say.Finding | None:
  """Sentence on the models outside the accuracy window."""
  models = tables['models']
  outside = models[~frames.flag(models, 'in_window', default=True)]
  if outside.empty:
    return None
  texts = [
    f'{say.quote(row["model"])} ({wording.percent(row["accuracy"])})'
    for row in outside.to_dict('records')
  ]
  return say.Finding(
    'Outside the accuracy window',
    (
      f'{say.cut(texts)}: category means and correlations leave'
      f' {"it" if len(texts) == 1 else "them"} out; tables and points do not.',
    ),
  )


def calibration(tables: Tables) -> say.Finding | None:
  """Sentences on unreliable temperatures and models without temperatures."""
  models = tables['models']
  bound = models[frames.flag(models, 'calibration_bound_hit', default=False)]
  loose = models[~frames.flag(models, 'calibration_converged', default=True)]
  loose = loose[loose['temperature'].notna()]
  none = models[models['temperature'].isna()]
  said = []
  if len(bound):
    said.append(
      'The temperature stopped at the bound of its search:'
      f' {say.named(bound["model"])}. Their ensembles may weigh them'
      ' wrongly.'
    )
  if len(loose):
    said.append(
      'The search for the temperature did not converge:'
      f' {say.named(loose["model"])}.'
    )
  said += _left_out(models)
  if len(none):
    who = 'all models' if len(none) == len(models) else say.named(none['model'])
    said.append(f'No logits, so no temperature and no ensembles: {who}.')
  known = models.dropna(subset=['temperature'])
  if len(known):
    said.append(_temperatures(known))
  warning = bool(len(bound) or len(loose) or _left_out(models))
  return say.Finding('Calibration', tuple(said), warning)


def _left_out(models: pd.DataFrame) -> list[str]:
  """Sentence on the examples that calibration left out, if any."""
  if 'calibration_left_out' not in models:
    return []
  some = models[models['calibration_left_out'].fillna(0) > 0]
  if some.empty:
    return []
  counts = [
    f'{say.quote(model)} {wording.count(left)} of {wording.count(n)}'
    for model, left, n in zip(
      some['model'], some['calibration_left_out'], some['n']
    )
  ]
  return [
    'Calibration leaves out examples whose logits are not finite, or whose'
    f' label they rule out: {say.cut(counts)}. NLL is then empty, and so is'
    ' the calibrated ECE where labels are ruled out.'
  ]


def uncategorised(tables: Tables) -> say.Finding | None:
  """Sentence for a study in which no model but the base has a category."""
  models = tables['models']
  named = set(models['category'].map(style.category_name))
  if len(models) < 2 or named & set(style.CATEGORIES):
    return None
  return say.Finding(
    'No categories',
    (
      'No model has a category, so there are no means by category. A category'
      ' says how a model’s training differs from the base’s:'
      f' {say.either(style.CATEGORIES)}; overlap ingest takes it as its option'
      ' “category”.',
    ),
  )


def _against_base(pairs: pd.DataFrame) -> list[str]:
  pairs = pairs.dropna(subset=['mcnemar_p_holm'])
  differ = pairs[pairs['mcnemar_p_holm'] < ALPHA]
  above = differ[differ['accuracy'] > differ['base_accuracy']]
  below = differ[differ['accuracy'] < differ['base_accuracy']]
  return [
    f'{len(differ)} of {wording.counted(len(pairs), "model")}'
    f' {wording.verb(len(differ), "differs", "differ")} in accuracy from the'
    ' base.',
    f'More accurate than it: {say.named(above["model"])}; less accurate:'
    f' {say.named(below["model"])}.',
  ]


def _r(row: Mapping[str, Any]) -> str:
  return wording.decimal(row['pearson'], row['lower'], row['upper'], digits=3)


def _correlation(
  tables: Tables, name: str, scope: str = 'base'
) -> Mapping[str, Any] | None:
  table = tables.get('correlations')
  if table is None or table.empty:
    return None
  chosen = table[
    (table['name'] == f'error_inconsistency_vs_{name}')
    & (table['scope'] == scope)
    & table['pearson'].notna()
  ]
  return None if chosen.empty else chosen.iloc[0]


def _temperatures(models: pd.DataFrame) -> str:
  low = models.loc[models['temperature'].idxmin()]
  high = models.loc[models['temperature'].idxmax()]
  text = (
    f'Temperatures run from {wording.number(low["temperature"], 2)}'
    f' ({say.quote(low["model"])}) to'
    f' {wording.number(high["temperature"], 2)}'
    f' ({say.quote(high["model"])})'
  )
  both = models.dropna(subset=['ece', 'ece_calibrated'])
  before, after = both['ece'].median(), both['ece_calibrated'].median()
  if wording.absent(before) or wording.absent(after):
    return f'{text}.'
  return (
    f'{text}; they change the median calibration error from'
    f' {wording.percent(before)} to {wording.percent(after)}.'
  )
