"""Tests of overlap.catalog.class_lists."""

import json

import pytest

from overlap.catalog import class_lists, prompts
from overlap.core import errors

NAMES = ['zebra', 'hot dog', 'cat', 'b 52']


@pytest.mark.parametrize(
  ('name', 'content'),
  [
    ('a.txt', '\ufeffzebra\nhot dog\n\ncat\r\nb 52\n'),
    ('a.txt', '\n'.join(f'/{n} {i}' for i, n in reversed([*enumerate(NAMES)]))),
    ('a.txt', '\n'.join(f'{i}: {n}' for i, n in enumerate(NAMES))),
    ('a.csv', '\n'.join(f'{n},{i}' for i, n in enumerate(NAMES))),
    ('a.json', json.dumps(NAMES)),
    ('a.json', json.dumps({n: i for i, n in enumerate(NAMES)})),
    ('a.json', json.dumps({str(3 - i): n for i, n in enumerate(NAMES[::-1])})),
    ('a.json', json.dumps({i: [n, f'{n}!'] for i, n in enumerate(NAMES)})),
  ],
)
def test_files_that_people_have(tmp_path, name, content):
  path = tmp_path / name
  path.write_text(content)
  assert class_lists.read_class_list([str(path)]) == tuple(NAMES)


def test_names_that_end_in_their_numbers_are_names(tmp_path):
  path = tmp_path / 'a.txt'
  path.write_text('class 2\nclass 0\nclass 1\n')
  assert class_lists.read_class_list([str(path)]) == (
    'class 2',
    'class 0',
    'class 1',
  )


def test_synset_ids_with_names_behind_are_ids(tmp_path):
  path = tmp_path / 'LOC_synset_mapping.txt'
  path.write_text('n01443537 goldfish, Carassius\nn01440764 tench, Tinca\n')
  assert class_lists.read_class_list([str(path)]) == ('n01443537', 'n01440764')


def test_imagenet_by_its_name_and_by_its_names(tmp_path):
  ids = tuple(prompts.imagenet_names())
  assert class_lists.read_class_list(['imagenet']) == ids
  assert (len(ids), ids[0], ids[999]) == (1000, 'n01440764', 'n15075141')
  path = tmp_path / 'a.txt'
  path.write_text('\n'.join(prompts.imagenet_names().values()))
  assert class_lists.read_class_list([str(path)]) == ids


def test_no_list_and_names():
  assert class_lists.read_class_list([]) == ()
  assert class_lists.read_class_list(['b', 'cafe\u0301']) == ('b', 'café')


@pytest.mark.parametrize('given', [(1, 2), ('a', ''), ('b', 'a', ' a')])
def test_other_names_are_refused(given):
  with pytest.raises(errors.UsageError, match='A list of classes must'):
    class_lists.read_class_list(given)


@pytest.mark.parametrize(
  ('name', 'content', 'told'),
  [
    ('a.json', '{"a": 0, "b": 0}', 'each once'),
    ('a.json', '{"a": 0, "b": 2}', '0 to 1'),
    ('a.json', '{"a": "b"}', 'no map'),
    ('a.json', '[1, 2]', '1 for a name'),
    ('a.json', '3', 'type int'),
    ('a.json', '[', 'must list names'),
    ('a.json', '[' * 100_000, 'must list names'),
    ('a.txt', '', 'names none'),
    ('a.txt', b'\xff\xfe', 'readable'),
  ],
)
def test_other_files_are_one_line(tmp_path, name, content, told):
  path = tmp_path / name
  path.write_bytes(content if isinstance(content, bytes) else content.encode())
  with pytest.raises(errors.DataError, match=told):
    class_lists.read_class_list([str(path)])


@pytest.mark.parametrize(
  ('names', 'classes', 'expected'),
  [
    (['a', 'b'], ['b', 'c', 'a'], [2, 0]),
    (['a/x', '/a/y'], ['a/y', 'a/x'], [1, 0]),
    (['cafe\u0301'], ['tea', 'café'], [1]),
    (['0', '2', '10'], [f'c{i}' for i in range(11)], [0, 2, 10]),
    (['10', '2'], ['2', '10'], [1, 0]),
    (['n01443537', 'n01440764'], ['tench', 'goldfish'], [1, 0]),
    (['goldfish', 'tench'], ['n01440764', 'n01443537'], [1, 0]),
    ([], ['a'], []),
  ],
)
def test_names_are_found_in_a_list(names, classes, expected):
  assert class_lists.match(names, classes, 'd') == expected


@pytest.mark.parametrize(
  ('names', 'told'),
  [
    (['circle', 'sqare'], "got 1 of 2 .* 'sqare'. Did you mean 'square'"),
    (['1', '3'], "'3'"),
    (['0', 'x'], '2 of 2'),
    (['missile', 'circle'], "'missile'"),  # A name of two of ImageNet's.
    (['circle', '/circle'], 'an index of its own'),
  ],
)
def test_others_are_refused(names, told):
  with pytest.raises(errors.DataError, match=told):
    class_lists.match(names, ['square', 'circle', 'star'], 'd')
