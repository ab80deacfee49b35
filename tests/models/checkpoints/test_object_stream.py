"""The interpreter on streams written by hand, instruction by instruction."""

import io

import numpy as np
import pytest

from overlap.core import errors
from overlap.models.checkpoints import object_stream, torch_objects


def read(content):
  return object_stream.read_object(io.BytesIO(content), path='name.pth')[0]


STORAGE = (
  b'(X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\0kX\0\0\0\0K\x06tQ'
)


@pytest.mark.parametrize(
  ('content', 'value'),
  [
    (b'\x80\x02N.', None),
    (b'\x88.', True),
    (b'\x89.', False),
    (b'K\xff.', 255),
    (b'M\xff\x01.', 511),
    (b'J\xff\xff\xff\xff.', -1),
    (b'\x8a\x00.', 0),
    (b'\x8a\x09\0\0\0\0\0\0\0\0\x01.', 2**64),
    (b'\x8b\x01\0\0\0\xff.', -1),
    (b'G?\xf8\0\0\0\0\0\0.', 1.5),
    (b'X\x02\0\0\0\xc3\xa9.', 'é'),
    (b'\x8c\x01a.', 'a'),
    (b'\x8d\x01\0\0\0\0\0\0\0a.', 'a'),
    (b'U\x01\xe9.', 'é'),
    (b'T\x01\0\0\0\xe9.', 'é'),
    (b').', ()),
    (b'K\x01\x85.', (1,)),
    (b'K\x01K\x02\x86.', (1, 2)),
    (b'K\x01K\x02K\x03\x87.', (1, 2, 3)),
    (b'(K\x01(K\x02tt.', (1, (2,))),
    (b'].', []),
    (b']K\x01a.', [1]),
    (b'](K\x01K\x02e.', [1, 2]),
    (b'}.', {}),
    (b'}K\x01K\x02s.', {1: 2}),
    (b'}(K\x01K\x02K\x03K\x04u.', {1: 2, 3: 4}),
    (b']q\x05h\x05K\x01ah\x05\x87.', ([1], [1], [1])),
    (b']r\x05\0\0\0j\x05\0\0\0\x86.', ([], [])),
    (b'(]\x94K\x01\x94h\x00h\x01t.', ([], 1, [], 1)),
    (b'\x80\x04\x95\x02\0\0\0\0\0\0\0N.', None),
    (b'ccollections\nOrderedDict\n)R.', {}),
    (b'\x8c\x0bcollections\x8c\x0bOrderedDict\x93)R.', {}),
    (b'ccollections\nOrderedDict\n)R}b.', {}),
    (b'ctorch\nfloat16\n.', np.dtype('float16')),
    (b'ctorch\nSize\nK\x02K\x03\x86\x85R.', (2, 3)),
  ],
)
def test_instructions(content, value):
  got = read(content)
  assert got == value
  assert type(got) is type(value)


@pytest.mark.parametrize(
  'content',
  [
    b'',
    b'N',
    b'.',  # nothing on the stack
    b'NN.',  # two things
    b'(N.',  # a mark that nothing closes
    b't.',
    b'a.',
    b'b.',
    b'R.',
    b'Q.',
    b'\x93.',
    b'K\x01\x86.',
    b'h\x00.',  # an empty memo
    b'NK\x01a.',
    b'}K\x01a.',
    b']K\x01K\x02s.',
    b'}(K\x01u.',  # a key alone
    b'N)R.',  # a call of nothing
    b'X\x01\0\0\0a)R.',
    b'ccollections\nOrderedDict\nNR.',
    b'ctorch\nfloat16\n)R.',
    b'ctorch\nFloatStorage\n)R.',
    b']}b.',
    b'NQ.',
    b'X\x01\0\0\0kQ.',
    b'X\x02\0\0\0a.',  # longer than what is left
    b'X\xff\xff\xff\xffa.',
    b'\x8d\xff\xff\xff\xff\xff\xff\xff\x7fa.',
    b'X\x01\0\0\0\xff.',  # no UTF-8
    b'ccollections.',
    b'ccollections\nOrderedDict',
    b'c\xff\nOrderedDict\n.',
    b'NN\x93.',
    b'\xff.',
  ],
)
def test_faulty_streams(content):
  with pytest.raises(errors.DataError, match=r'^name\.pth must hold whole obj'):
    read(content)


@pytest.mark.parametrize(
  'instruction',
  [
    b'(S"a"\ncposix\nsystem\no',  # OBJ
    b'(iposix\nsystem\n',  # INST
    b'\x82\x01',  # EXT1
    b'P1\n',  # PERSID
    b"S'\\z'\n",  # STRING, whose argument would warn
    b'I1\n',
    b'V\\uZZZZ\n',
    b'\x97',
    b'0',
    b'2',
  ],
)
def test_other_instructions_are_not_known(instruction):
  with pytest.raises(errors.DataError, match=r'is not read|is refused'):
    read(b'N' + instruction + b'.')


@pytest.mark.parametrize(
  'name',
  [
    b'posix\nsystem',
    b'builtins\neval',
    b'collections\nOrderedDict.fromkeys',
    b'torch._utils\n_rebuild_tensor_v2.__globals__',
    b'torch._utils\n_rebuild_qtensor',
    b'torch\nQInt8Storage',
    b'torch\nload',
    b'\n',
    b'overlap.models.checkpoints.torch_objects\nNAMES',
    b'a' * 10**6 + b'\nb',
    b'torch\n\xf0\x9f\xa6\x8a',
  ],
)
def test_other_names_stand_for_nothing(name):
  module, attribute = name.split(b'\n')
  streams = [
    b'c' + name + b'\n.',
    b''.join(
      b'X' + len(text).to_bytes(4, 'little') + text
      for text in (module, attribute)
    )
    + b'\x93.',
  ]
  for stream in streams:
    got = read(stream)
    assert type(got) is torch_objects.Unread
    assert got.name == name.decode().replace('\n', '.')


# An object made in each way of pickle, and what is put into it afterwards.
@pytest.mark.parametrize(
  'made',
  [
    b'cposix\nsystem\n(X\x04\0\0\0truetR',  # called
    b'cargparse\nNamespace\n)\x81}X\x01\0\0\0aK\x01sb',  # with attributes
    b'cargparse\nNamespace\n)}\x92',  # with named arguments
    b'ccollections\nCounter\n}K\x1eK\x01s\x85RK\x02K\x03s',  # with items
    b'ccollections\ndeque\n)R(K\x01K\x02e',  # with values
    b'cnumpy\nscalar\ncnumpy\ndtype\nB\x02\0\0\0\0\x01\x86R',
    b'\x8f(K\x01\x90',  # a set
    b'(K\x01\x91',
  ],
)
def test_objects_of_other_classes_are_nothing_but_a_name(made):
  state = b'}(X\x01\0\0\0a' + made + b'X\x01\0\0\0bK\x07u.'
  got = read(state)
  assert type(got['a']) is torch_objects.Unread
  assert got['b'] == 7


@pytest.mark.parametrize(
  'content',
  [
    b'ccollections\nOrderedDict\n)\x81.',  # no object of a function
    b'ctorch\nFloatStorage\n)\x81.',
    b'K\x01)\x81.',
    b')\x81.',
    b'\x81.',
    b'\x91.',
    b'K\x01(K\x02\x90.',
  ],
)
def test_no_objects(content):
  with pytest.raises(errors.DataError, match=r'^name\.pth must hold whole obj'):
    read(content)


@pytest.mark.parametrize('key', [b']', b')', b'\x88', b'K\x01K\x02\x86', b'N'])
def test_other_keys_are_not_hashed(key):
  ((got, value),) = read(b'}' + key + b'K\x05s.').items()
  assert type(got) is torch_objects.Unread
  assert value == 5


def test_a_tensor_is_described():
  tensor = b'ctorch._utils\n_rebuild_tensor_v2\n(' + STORAGE
  tensor += b'K\x01K\x02\x85K\x03\x85\x89NtR.'
  got, storages = object_stream.read_object(io.BytesIO(tensor), path='name.pth')
  assert isinstance(got, torch_objects.Tensor)
  assert (got.offset, got.shape, got.strides) == (1, (2,), (3,))
  assert got.dtype == np.float32
  assert got.storage is storages['k']
  assert (got.storage.size, got.storage.nbytes) == (6, 24)


def test_a_storage_has_one_size():
  assert read(STORAGE + STORAGE + b'\x86.')
  with pytest.raises(errors.DataError, match='one size'):
    read(STORAGE + STORAGE.replace(b'K\x06', b'K\x07') + b'\x86.')


def test_reading_stops_behind_the_object():
  stream = io.BytesIO(b'K\x01.K\x02.rest')
  assert object_stream.read_object(stream, path='') == (1, {})
  assert object_stream.read_object(stream, path='') == (2, {})
  assert stream.read() == b'rest'


def test_deep_nesting_is_no_harm():
  depth = 10**5
  value = read(b')' + b'\x85' * depth + b'.')
  for _ in range(depth):
    (value,) = value
  assert value == ()
  assert list(read(b'})' + b'\x85' * depth + b'Ns.').values()) == [None]


def test_a_list_of_pairs_is_used_once():
  # Each copy of a long list would cost seven bytes of the file.
  pairs = b'](K\x01K\x02\x86K\x03K\x04\x86e\x85q\x00'
  call = b'ccollections\nOrderedDict\nh\x00R'
  assert read(pairs + call + call + b'\x87.')[1:] == ({1: 2, 3: 4}, {})
