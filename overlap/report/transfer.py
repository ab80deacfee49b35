"""Findings on the transfer of two models' features compared with one's."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from overlap.catalog.paper import published
from overlap.core import wording
from overlap.figures import frames
from overlap.report import sentences as say

_ALPHA = 0.05
_METRICS = {'mAP': '11-point mean average precision', 'accuracy': 'accuracy'}
Row = Mapping[str, Any]


def transfer(tables: frames.Tables) -> say.Finding | None:
  """Sentences on the best features for another data set, and pairs' gains."""
  table = tables.get('transfer')
  if table is None:
    return None
  known = table.dropna(subset=['score'])
  alone, pairs = (
    known[known['model_2'].eq('').eq(one)] for one in (True, False)
  )
  if alone.empty:
    return None
  said = [_best(known), _source(alone)]
  if len(pairs):
    said += _gains(pairs)
  loose = known[~known['converged']]
  if len(loose):
    names = [_name(row) for row in loose.to_dict('records')]
    said.append(f'Probes that did not converge: {say.cut(names)}.')
  title = 'Do two models’ features transfer better than one’s?'
  return say.Finding(title, tuple(said), warning=bool(len(loose)))


def _best(known: pd.DataFrame) -> str:
  """Sentence on the highest score and overlapping intervals."""
  best = known.loc[known['score'].idxmax()]
  near = int((known['score_upper'] >= best['score_lower']).sum()) - 1
  text = (
    f'On {best["dataset"]}, linear probes on the features of {_name(best)} have'
    f' the highest {_METRICS[best["metric"]]}, {_score(best)} on'
    f' {wording.count(best["n"])} test examples'
  )
  if near > 0:
    others = 'one other' if near == 1 else f'{near} others'
    text += f'; the intervals of {others} of {len(known)} reach into its own'
  return f'{text}.'


def _source(alone: pd.DataFrame) -> str:
  """Sentence on whether the most accurate model on the source is best here."""
  best = alone.loc[alone['score'].idxmax()]
  first = alone.loc[alone['source_accuracy_1'].idxmax()]
  paper = 'in the paper, on Pascal VOC, it is not'
  if best['model_1'] == first['model_1']:
    return (
      f'Of models alone, {_name(best)} scores highest, and is also the most'
      f' accurate of them on the source; {paper}.'
    )
  return (
    f'Of models alone, {_name(best)} scores highest, {_score(best)}; the most'
    f' accurate of them on the source, {_name(first)}, has {_score(first)}: as'
    ' in the paper, on Pascal VOC, these are not the same.'
  )


def _gains(pairs: pd.DataFrame) -> list[str]:
  """Sentences on gains of pairs over their better model."""
  level = wording.percent(_ALPHA, digits=0)
  sure = int((pairs['gain_lower'] > 0).sum())
  tested = pairs['p_value_holm'].dropna()
  text = (
    f'{sure} of {wording.counted(len(pairs), "pair")}'
    f' {wording.verb(sure, "scores", "score")} higher than the better of the'
    ' two models by more than the uncertainty of the difference'
  )
  if len(tested):
    gained = pairs['gain'] > 0
    significant = int((gained & (pairs['p_value_holm'] < _ALPHA)).sum())
    test = (
      'a permutation test' if pairs['metric'].iloc[0] == 'mAP'
      else 'McNemar’s test'
    )  # fmt: skip
    text += f', {significant} by {test} at {level} after Holm’s correction'
  most = pairs.loc[pairs['gain'].idxmax()]
  verb = 'gain most' if len(pairs) > 1 else 'gain'
  said = [
    f'{text}. {say.both(most)} {verb}: {_gain(most)} points over'
    f' {say.quote(most["best_single"])}.'
  ]
  best = pairs.loc[pairs['score'].idxmax()]
  apart = pairs.dropna(subset=['error_inconsistency'])
  if len(apart) > 1:
    far = apart.loc[apart['error_inconsistency'].idxmax()]
    share = wording.percent(far['error_inconsistency'])
    place = int((pairs['score'] > far['score']).sum()) + 1
    said.append(
      f'{say.both(far)} err most differently on the source ({share}):'
      f' {_gain(far)} points, place {place} of {len(pairs)} pairs by score. The'
      f' paper’s best pair, {_paper_best()}, has its most diverse model.'
    )
  if best['model_1'] != most['model_1'] or best['model_2'] != most['model_2']:
    said.append(
      f'The best pair, {say.both(best)}, gains {_gain(best)} points over'
      f' {say.quote(best["best_single"])}.'
    )
  said.append(
    'The better of two models is found on the very test examples, which'
    ' favours models alone; intervals say what other test examples would'
    ' change, not other training examples.'
  )
  return said


def _paper_best() -> str:
  pair, _ = max(published.VOC_PAIRS.items(), key=lambda item: item[1])
  return ' and '.join(pair)


def _name(row: Row) -> str:
  return say.both(row) if row['model_2'] else say.quote(row['model_1'])


def _score(row: Row) -> str:
  return wording.percent(row['score'], row['score_lower'], row['score_upper'])


def _gain(row: Row) -> str:
  return wording.points(row['gain'], row['gain_lower'], row['gain_upper'])
