"""Groups of classes: by names, indices, ranges, and WordNet."""

import numpy as np
import pytest

from overlap.analyses.specialisation import groups
from overlap.analyses.specialisation.options import Specialisation
from overlap.catalog import wordnet
from overlap.core import errors

NAMES = ['T-shirt/top', 'Trouser', 'Bag', '7', 'a-b']
THOUSAND = [f'class {i}' for i in range(1000)]


def resolve(given, names=NAMES, **options):
  found = groups.resolve(Specialisation(groups=given, **options), names)
  return {name: classes.tolist() for name, classes in found.items()}


def test_names_indices_and_ranges():
  given = {
    'late': ['Bag', 3],
    'early': 'T-shirt/top, 1-2',
    'own names': ['a-b', '7'],  # A class's name comes before a number.
  }
  found = resolve(given)
  assert found == {'early': [0, 1, 2], 'late': [2, 3], 'own names': [3, 4]}
  # By the lowest class, however they were given.
  assert list(found) == ['early', 'late', 'own names']
  assert list(resolve(dict(reversed(given.items())))) == list(found)


def test_the_papers_groups_are_the_default_of_a_thousand_classes():
  found = resolve({}, THOUSAND)
  assert list(found) == ['nature', 'anthropogenic']
  assert found['nature'] == list(range(301))
  assert found['anthropogenic'] == list(range(500, 901))
  assert list(resolve({'mine': [3]}, THOUSAND)) == ['mine']
  assert resolve({}) == resolve({'mine': [3]}, grouping='none') == {}


def test_wordnet_files_every_class_of_imagenet_once():
  ids = list(wordnet.lexicographer_files())
  assert len(ids) == 1000
  assert ids == sorted(ids)
  found = resolve({}, ids, grouping='wordnet')
  assert list(found)[:2] == ['animal', 'artifact']
  assert sorted(np.concatenate(list(found.values()))) == list(range(1000))
  # Tench, Chihuahua, tabby; abacus, water tower; toilet tissue.
  assert {0, 151, 281} <= set(found['animal'])
  assert {398, 900} <= set(found['artifact'])
  assert found['substance'] == [999]
  # A subset in another order, with a class of another data set.
  some = resolve({}, [ids[900], 'cat', ids[0]], grouping='wordnet')
  assert some == {'artifact': [0], 'animal': [2]}


def test_groups_of_another_data_set_are_left_out():
  assert resolve({'tops': ['Pullover', 'Coat'], 'mine': ['Bag']}) == {
    'mine': [2]
  }


@pytest.mark.parametrize(
  ('given', 'grouping', 'message'),
  [
    ({'a': ['Bag', 'Trousers']}, '', "Did you mean 'Trouser'"),
    ({'a': [5]}, '', 'within 0-4, got 5'),
    ({'a': ['3-9']}, '', "got '3-9'"),
    ({'a': ['3-1']}, '', "got '3-1'"),
    ({'a': [-1]}, '', 'got -1'),
    ({}, 'imagenet', 'got 5'),
    ({}, 'wordnet', 'n01440764'),
  ],
)
def test_classes_that_are_none(given, grouping, message):
  with pytest.raises(errors.UsageError, match=message) as caught:
    resolve(given, grouping=grouping)
  assert '\n' not in str(caught.value)


def test_ranges_as_text():
  for classes, text in (
    ([0], '0'), (range(301), '0-300'), ([0, 2, 3, 4, 6], '0,2-4,6'),
  ):  # fmt: skip
    assert groups.as_text(np.array(classes)) == text
    assert resolve({'a': text}, [f'c{i}' for i in range(301)])['a'] == list(
      classes
    )
