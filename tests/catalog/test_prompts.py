"""Names and sentences for zero-shot heads, and what may be given instead."""

import re

import pytest

from overlap.catalog import prompts, wordnet
from overlap.core import errors


def test_every_class_of_imagenet_has_a_name_in_the_order_of_labels():
  names = prompts.imagenet_names()
  assert list(names) == list(wordnet.lexicographer_files())
  assert len(names) == 1000
  assert all(name == name.strip() != '' for name in names.values())
  # OpenAI's examples of names that they changed, and the first and the last.
  assert names['n01440764'] == 'tench'
  assert names['n01608432'] == 'kite (bird of prey)'
  assert names['n03804744'] == 'metal nail'
  assert names['n15075141'] == 'toilet paper'
  assert len(set(names.values())) == 998


def test_lists_of_templates():
  lists = prompts.templates()
  assert {name: len(found) for name, found in lists.items()} == {
    'photo': 1,
    'openai_7': 7,
    'openai_80': 80,
  }
  assert set(lists['openai_7']) < set(lists['openai_80'])
  assert len(set(lists['openai_80'])) == 80
  for name, found in lists.items():
    assert prompts.sentences([name]) == found


def test_sentences_may_be_given_in_any_way(tmp_path):
  file = tmp_path / 'sentences.txt'
  file.write_text('a {}\n\n  the {}!  \n', encoding='utf-8')
  got = prompts.sentences(['photo', 'one {}', str(file)])
  assert got == ('a photo of a {}.', 'one {}', 'a {}', 'the {}!')


@pytest.mark.parametrize(
  ('given', 'text'),
  [
    (['openai_70'], "Did you mean 'openai_7'"),
    (['/no/such/file'], 'list or file of templates'),
    ([], 'at least one template'),
    (['a {} and a {}'], "once.*'a {} and a {}'"),
    (['a {name}'], 'once'),
    (['a {0}'], 'once'),
    (['a {:>3}'], 'once'),
    (['a {!r}'], 'once'),
    (['a {'], 'once'),
    (['{{}}'], 'once'),
    (['photo', 'a }'], 'once'),
  ],
)
def test_wrong_sentences_are_one_line(given, text):
  with pytest.raises(errors.UsageError, match=text) as caught:
    prompts.sentences(given)
  assert '\n' not in str(caught.value)


def test_a_file_of_sentences_without_places_is_one_line(tmp_path):
  file = tmp_path / 'sentences.txt'
  file.write_text('a photo\n')
  with pytest.raises(errors.UsageError, match="'a photo'"):
    prompts.sentences([str(file)])
  file.write_text('\n')
  with pytest.raises(errors.UsageError, match='at least one'):
    prompts.sentences([str(file)])


def test_a_data_set_s_own_names():
  got = prompts.class_names(['n01440764', 'T-shirt', 'sea_lion', 'n0144'])
  assert got == ('tench', 'T-shirt', 'sea lion', 'n0144')


def test_names_may_be_given_in_a_file_or_one_by_one(tmp_path):
  file = tmp_path / 'names.txt'
  file.write_text('grey cat\ndog\n', encoding='utf-8')
  assert prompts.class_names('ab', [str(file)]) == ('grey cat', 'dog')
  assert prompts.class_names('ab', ['x', 'y']) == ('x', 'y')
  assert prompts.class_names('a', ['x']) == ('x',)


def test_a_list_of_another_length_is_one_line(tmp_path):
  file = tmp_path / 'names.txt'
  file.write_text('cat\ndog\n')
  with pytest.raises(
    errors.UsageError, match=rf'{re.escape(str(file))}.*of the 3.*got 2'
  ) as caught:
    prompts.class_names('abc', [str(file)])
  assert '\n' not in str(caught.value)
  with pytest.raises(errors.UsageError, match=r'each of the 3 classes.*got 2'):
    prompts.class_names('abc', ['x', 'y'])
  with pytest.raises(errors.UsageError, match='a readable text file'):
    prompts.class_names('abc', [str(tmp_path / 'none.txt')])
