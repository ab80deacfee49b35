"""Options of the analysis of specialisation."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from overlap.analyses import checks
from overlap.core import errors, lookup

GROUPINGS = {
  'config': 'the groups given in the option groups',
  'imagenet': 'nature, classes 0-300, and anthropogenic, 500-900, of 1,000',
  'wordnet': 'WordNet files of classes whose names are ids of ImageNet',
  'none': 'no groups',
}


@dataclasses.dataclass(frozen=True)
class Specialisation:
  """Options of specialisation: the pairs, the histograms and the groups.

  Attributes:
    pairs: pairs of the panels, 'model:model,model:model'; '': the base with one
      model each of REINIT, ARCH and DATASET (see `panels.choose`).
    contrast: a pair of models that may exclude the base (Fig. 12),
      'model:model'; '': the models of FRAMEWORK and DATASET that differ most.
    bins: number of bins of the histograms.
    max_examples: largest number of examples that a view keeps as points, chosen
      by a hash of their ids.
    groups: mapping from names to classes: a list of class names, indices and
      ranges '0-300' (both ends included), or a text of these joined by commas.
    grouping: a key of `GROUPINGS`; '': 'config' with groups, else 'imagenet'
      with 1,000 classes, else 'none'.
  """

  pairs: str = ''
  contrast: str = ''
  bins: int = 30
  max_examples: int = 2000
  groups: Mapping[str, Any] = dataclasses.field(default_factory=dict)
  grouping: str = ''


def check_specialisation_options(options: Specialisation) -> None:
  """Checks the values that depend on neither the models nor the classes.

  Raises:
    UsageError: a value is invalid.
  """
  checks.integer('specialisation.bins', options.bins, 2)
  checks.integer('specialisation.max_examples', options.max_examples, 0)
  parse_pairs('specialisation.pairs', options.pairs)
  if len(parse_pairs('specialisation.contrast', options.contrast)) > 1:
    raise errors.UsageError(
      "Option specialisation.contrast must be one pair 'model:model', got"
      f' {options.contrast!r}.'
    )
  if options.grouping != '':
    lookup.check_choice(
      'specialisation.grouping', options.grouping, ('', *GROUPINGS)
    )
  check_groups('specialisation.groups', options.groups)


def parse_pairs(name: str, text: Any) -> list[tuple[str, str]]:
  """Parses 'a:b,c:d' as pairs of names; '' has none.

  Raises:
    UsageError: the text is invalid, or a model is paired with itself.
  """
  if text == '':
    return []
  pairs = []
  for part in text.split(',') if isinstance(text, str) else [text]:
    names = part.split(':') if isinstance(part, str) else []
    if len(names) != 2 or not all(names) or names[0] == names[1]:
      raise errors.UsageError(
        f"Option {name} must be '' or pairs of two different models, "
        f"'model:model,model:model', got {text!r}."
      )
    pairs.append((names[0], names[1]))
  return pairs


def check_groups(option: str, groups: Any) -> None:
  """Checks groups of classes, without the classes of a data set.

  Args:
    option: name of the option, for messages.
    groups: mapping from names to classes.

  Raises:
    UsageError: the value is not such a mapping.
  """
  if not isinstance(groups, Mapping):
    raise errors.UsageError(
      f'Option {option} must map names of groups to classes, got {groups!r}.'
    )
  for name, classes in groups.items():
    listed = isinstance(classes, Sequence) and len(classes)
    if not listed or not all(_is_item(item) for item in classes):
      raise errors.UsageError(
        f'Option {option}.{name} must be a list of classes, such as '
        f"[3, '5-7', 'cat'], got {classes!r}."
      )


def _is_item(item: Any) -> bool:
  return isinstance(item, (int, str)) and not isinstance(item, bool)
