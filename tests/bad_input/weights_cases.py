"""Checkpoints that are cut short, hostile, or of another model."""

import functools
import io
import json
import os
import struct
import zipfile

import msgpack
import numpy as np
import orbax.checkpoint as ocp
import safetensors.numpy
from flax import serialization


def cases(case):
  """Named cases; `case` is the class."""
  return (
    _paths(case)
    | _safetensors(case)
    | _npz(case)
    | _msgpack(case)
    | _torch(case)
    | _orbax(case)
  )


def _paths(case):
  def at(path, status, *told):
    return case(lambda a: a.weights(path), status, told)

  return {
    'weights that are not there': at('/none.npz', 1, '/none.npz'),
    'weights in a folder': case(
      lambda a: a.weights(a.case),
      1,
      ['checkpoint', 'none', 'save_pretrained'],
    ),
    'weights with a NUL in their path': at('/a\0b', 1, 'a\\x00b'),
    'weights with a name too long': at(f'/{"a" * 300}', 1, 'aaa'),
    'weights of a package that is not there': at(
      'package://no_such_package/x.npz', 2, 'not installed'
    ),
    'weights outside of a package': at(
      'package://numpy/../../../etc/passwd', 2, 'package://PACKAGE/FILE'
    ),
    'weights of no package': at('package://', 2, 'package://PACKAGE/FILE'),
    'weights of a hub without a repository': at(
      'hf://owner', 2, 'hf://OWNER/REPO'
    ),
    'weights outside of a hub': at(
      'hf://owner/repo/../../x', 2, 'hf://OWNER/REPO'
    ),
    'weights without bytes': case(
      lambda a: a.weights(a.file('w.npz')),
      1,
      ['w.npz'],
    ),
    'weights of an unknown kind': case(
      lambda a: a.weights(a.file('w.h5', b'\x89HDF\r\n')),
      1,
      ['w.h5', '.safetensors'],
    ),
    'weights that are a pipe': case(
      lambda a: os.mkfifo(a.case / 'w.npz') or a.weights(a.case / 'w.npz'),
      1,
      ['w.npz'],
    ),
    'weights without saying where they learned': case(
      lambda a: a.study('--config.models.base.init.pretrained_on=IN'),
      2,
      ['init.checkpoint', "'IN'"],
    ),
  }


def _safetensors(case):
  def header(text, data=bytes(64), told=('safetensors',)):
    text = text if isinstance(text, bytes) else json.dumps(text).encode()
    content = struct.pack('<Q', len(text)) + text + data
    return case(lambda a: a.weights(a.file('w.safetensors', content)), 1, told)

  def tensor(begin, end, shape=(4,), dtype='F32'):
    return {'dtype': dtype, 'shape': list(shape), 'data_offsets': [begin, end]}

  def of(**arrays):
    content = safetensors.numpy.save(arrays)
    return lambda a: a.weights(a.file('w.safetensors', content))

  def sharded(weight_map, *told):
    content = json.dumps({'weight_map': weight_map})
    return case(
      lambda a: a.weights(a.file('w.safetensors.index.json', content)),
      1,
      ('w.safetensors.index.json', 'overlap ingest', *told),
    )

  kernel = {'params/head/kernel': np.zeros((3, 2), np.float32)}
  return {
    'safetensors that overlap': header(
      {'a': tensor(0, 16), 'b': tensor(8, 24)}, bytes(24)
    ),
    'safetensors with a gap': header(
      {'a': tensor(0, 16), 'b': tensor(32, 48)}, bytes(48)
    ),
    'safetensors beyond the end': header({'a': tensor(0, 1 << 40)}),
    'safetensors of a negative shape': header({'a': tensor(0, 16, (-4,))}),
    'safetensors of a huge shape': header({'a': tensor(0, 16, (2**62, 2**62))}),
    'safetensors of other numbers than bytes': header(
      {'a': tensor(0, 16, (5,))}, bytes(16)
    ),
    'safetensors of an unknown type': header({'a': tensor(0, 16, dtype='F3')}),
    'safetensors with a header of text': header(b'not json at all'),
    'safetensors with a header too deep': header(b'{"a":' * 5000),
    'safetensors of the same name twice': header(
      b'{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]},'
      b'"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}',
      bytes(16),
      ["'a'"],
    ),
    'safetensors with a huge header': case(
      lambda a: a.weights(
        a.file('w.safetensors', struct.pack('<Q', 2**60) + b'{' + bytes(99))
      ),
      1,
      ['safetensors'],
    ),
    'safetensors that end early': case(
      lambda a: a.weights(
        a.file('w.safetensors', safetensors.numpy.save(kernel)[:-5])
      ),
      1,
      ['safetensors'],
    ),
    'safetensors of another model': case(
      of(**kernel),
      1,
      ['must hold the weights of this resnet', 'missing'],
    ),
    'safetensors of names of nobody': case(
      of(x=np.zeros(3, np.float32)),
      1,
      ['must have names such as', "'x'"],
    ),
    'safetensors in files elsewhere': sharded(
      {'a': '../w.safetensors'}, 'own folder', '../w.safetensors'
    ),
    'safetensors in files that are not there': sharded(
      {'a': 'w-1-of-2.safetensors'}, "'w-1-of-2.safetensors' is absent"
    ),
    'safetensors in files of no names': sharded([1, 2], 'weight_map'),
    'safetensors in files by an index of no text': sharded(
      {'a': {'b': 1}}, 'own folder'
    ),
    'safetensors of nothing': case(of(), 1, ['missing']),
  }


def _npz(case):
  def archive(told, **members):
    def make(a):
      path = a.case / 'w.npz'
      with zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED) as f:
        for name, content in members.items():
          f.writestr(f'{name}.npy', content)
      return a.weights(path)

    return case(make, 1, told)

  def header(text, data=b''):
    text = text.encode().ljust(118) + b'\n'
    return b'\x93NUMPY\x01\x00' + struct.pack('<H', len(text)) + text + data

  def objects():
    buffer = io.BytesIO()
    np.save(buffer, np.array([{'a': 1}], object))
    return buffer.getvalue()

  def form(shape, kind='<f4', order=False):
    return f"{{'descr': '{kind}', 'fortran_order': {order}, 'shape': {shape}}}"

  return {
    'npz of objects': archive(['w.npz'], a=objects()),
    'npz that says it is huge': archive(
      ['w.npz'], a=header(form((2**40,)), bytes(16))
    ),
    'npz of a shape that overflows': archive(
      ['w.npz'], a=header(form((2**62, 2**62)), bytes(16))
    ),
    'npz of a negative shape': archive(
      ['w.npz'], a=header(form((-1,)), bytes(16))
    ),
    'npz with a header that is code': archive(
      ['w.npz'], a=header('__import__("os").system("true")')
    ),
    'npz with a deep header': archive(['w.npz'], a=header('(' * 3000)),
    'npz that is a bomb': case(
      lambda a: a.weights(_bomb(a)),
      1,
      ['w.npz', '200 times', '2147483647'],
    ),
    'npz that ends early': case(
      lambda a: a.weights(_cut(_saved(a), -30)),
      1,
      ['w.npz'],
    ),
    'npz that is no archive': case(
      lambda a: a.weights(a.file('w.npz', b'PK\x03\x04' + bytes(99))),
      1,
      ['w.npz'],
    ),
    'npz of another shape': case(
      lambda a: a.weights(_saved(a)),
      1,
      ['must hold the weights of this'],
    ),
  }


def _saved(a):
  path = a.case / 'w.npz'
  np.savez(path, **{'params/head/kernel': np.zeros((3, 2), np.float32)})
  return path


def _bomb(a):
  # It only says how large it would be: to make it would take as long.
  path = a.case / 'w.npz'
  np.savez_compressed(path, a=np.zeros(9999, np.uint8))
  size = struct.pack('<I', 9999 + 128)
  path.write_bytes(
    path.read_bytes().replace(size, struct.pack('<I', 2**31 - 1))
  )
  return path


def _cut(path, end):
  path.write_bytes(path.read_bytes()[:end])
  return path


def _msgpack(case):
  def packed(content, *told):
    return case(
      lambda a: a.weights(a.file('w.msgpack', content)),
      1,
      told or ['w.msgpack'],
    )

  def array(shape, dtype, data):
    return msgpack.packb(
      {'params': {'x': msgpack.ExtType(1, msgpack.packb((shape, dtype, data)))}}
    )

  whole = serialization.to_bytes({'params': {'x': np.zeros(3, np.float32)}})
  return {
    'msgpack that ends early': packed(whole[:-3]),
    'msgpack with more after it': packed(whole + b'\x01'),
    'msgpack of a list': packed(b'\x93\x01\x02\x03'),
    'msgpack that says it is huge': packed(b'\x81\xa1a\xdd\xff\xff\xff\xff'),
    'msgpack of a huge map': packed(b'\xdf\xff\xff\xff\xff\xa1a\x01'),
    'msgpack too deep': packed(b'\x81\xa1a' * 5000 + b'\x01'),
    'msgpack of objects': packed(array((1,), 'O', bytes(8))),
    'msgpack of a huge shape': packed(array((2**40,), 'float32', bytes(8))),
    'msgpack of a negative shape': packed(array((-1,), 'float32', bytes(8))),
    'msgpack of an unknown type': packed(array((2,), 'float99', bytes(8))),
    'msgpack of chunks that lie': packed(
      msgpack.packb(
        {
          'params': {
            'x': {
              '__msgpack_chunked_array__': True,
              'shape': {'0': 2**40},
              'chunks': {'0': 1},
            }
          }
        }
      )
    ),
    'msgpack of another model': packed(whole, 'must hold the weights of this'),
    'msgpack of text': packed(
      msgpack.packb({'params': {'x': 'text'}}), 'must be numbers'
    ),
  }


def _torch(case):
  def stream(content, *told):
    def make(a):
      path = a.case / 'w.pth'
      with zipfile.ZipFile(path, 'w') as f:
        f.writestr('w/data.pkl', content)
        f.writestr('w/data/0', bytes(16))
      return a.weights(path)

    return case(make, 1, told or ['w.pth'])

  # cos\nsystem\n(S'...'\ntR. as a file of PyTorch would have it.
  system = b'\x80\x02cos\nsystem\n(X\x04\x00\x00\x00truetR.'
  return {
    'a file of PyTorch that runs something': stream(
      system, "'os.system'", 'was not run', 'overlap ingest'
    ),
    'a file of PyTorch of builtins': stream(
      b'\x80\x02cbuiltins\neval\n(X\x01\x00\x00\x001tR.',
      'builtins.eval',
    ),
    'a pickle': case(
      lambda a: a.weights(a.file('w.pth', system)),
      1,
      ['os.system'],
    ),
    'a pickle of numbers': case(
      lambda a: a.weights(a.file('w.bin', b'\x80\x02K\x01.')),
      1,
      ['w.bin'],
    ),
    'a pickle of an old kind': case(
      lambda a: a.weights(a.file('w.pth', b"cos\nsystem\n(S'true'\ntR.")),
      1,
      ['w.pth'],
    ),
    'a file of PyTorch that ends early': stream(b'\x80\x02}q\x00', 'w.pth'),
    'a file of PyTorch without an object': case(
      functools.partial(_zip, names=('w/version',)),
      1,
      ['data.pkl'],
    ),
    'a file of PyTorch of two objects': case(
      functools.partial(_zip, names=('w/data.pkl', 'v/data.pkl')),
      1,
      ['data.pkl', '2'],
    ),
    'a file of PyTorch with paths outside': case(
      functools.partial(_zip, names=('../../w/data.pkl', '/etc/x')),
      1,
      ['w.pth'],
    ),
    'a whole module of PyTorch': stream(
      b'\x80\x02ctorch.nn.modules.linear\nLinear\n)\x81.',
      'Linear',
    ),
    'PyTorch bytes that claim to be many': stream(
      b'\x80\x02B\xff\xff\xff\x7f.',
      'w.pth',
    ),
  }


def _zip(a, names):
  path = a.case / 'w.pth'
  with zipfile.ZipFile(path, 'w') as f:
    for name in names:
      f.writestr(name, b'\x80\x02}.')
  return a.weights(path)


def _orbax(case):
  def folder(told, spoil=lambda path: None):
    def make(a):
      path = a.case / 'w'
      # Made once, since Orbax takes its time.
      tree = {'params': {'x': np.zeros(3, np.float32)}}
      with ocp.PyTreeCheckpointer() as made:
        made.save(path, tree)
      spoil(path)
      return a.weights(path)

    return case(make, 1, told)

  def without(pattern):
    def spoil(path):
      found = [p for p in path.rglob(pattern) if p.is_file()]
      assert found
      for file in found:
        file.unlink()

    return spoil

  def overwritten(pattern, content):
    def spoil(path):
      found = [p for p in path.rglob(pattern) if p.is_file()]
      assert found
      for file in found:
        file.write_bytes(content)

    return spoil

  return {
    'Orbax without what it holds': folder(
      ['w'], overwritten('_METADATA', b'{}')
    ),
    'Orbax with a damaged description': folder(
      ['w'], overwritten('_METADATA', b'{"tree_metadata": [')
    ),
    'Orbax without its numbers': folder(['w'], without('d/*')),
    'Orbax with damaged numbers': folder(['w'], overwritten('d/*', b'x' * 50)),
    'Orbax without its manifest': folder(['w'], without('manifest.ocdbt')),
    'Orbax that was never finished': case(
      lambda a: a.weights(
        a.file('w.orbax-checkpoint-tmp-1/_METADATA', '{}').parent
      ),
      1,
      ['w.orbax-checkpoint-tmp-1'],
    ),
    'Orbax of another model': folder(['must hold the weights of this']),
  }
