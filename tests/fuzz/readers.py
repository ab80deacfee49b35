"""Every reader of bytes from elsewhere, and a few valid files for each.

A reader takes the path of a file, reads all of it, and may raise nothing but
`errors.OverlapError`. `test_readers.py` tries mutations of the valid files,
`run.py` searches for more under the guidance of coverage.
"""

import bz2
import gzip
import io
import json
import os
import pathlib
import struct
import tarfile
import zipfile
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import google_crc32c
import ml_dtypes
import msgpack
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import safetensors.numpy
import scipy.io
from flax import serialization
from PIL import Image

from overlap.catalog import class_lists
from overlap.core import errors
from overlap.data import (
  idx,
  imagenet,
  images,
  pair_shards,
  pair_tables,
  parquet,
  tar_files,
  tfrecord,
  webdataset,
)
from overlap.data import source as data_source
from overlap.ingest import beside, classes, convert, formats
from overlap.ingest import source as source_lib
from overlap.ingest import zeros as zeros_lib
from overlap.models import checkpoints
from overlap.models.checkpoints import (
  msgpack_file,
  npz_file,
  safetensors_file,
  torch_file,
)

IDS = ['a', 'b', 'é']
SCORES = np.arange(6, dtype=np.float32).reshape(3, 2)


class Reader(NamedTuple):
  """How a file is read, what it is called, and valid ones to begin with."""

  read: Callable[[str], object]
  name: str
  seeds: Sequence[bytes]


def _predictions(form: str = '') -> Callable[[str], object]:
  """Reads a file of predictions to its last block, as `ingest` does."""

  def read(path: str) -> object:
    source = formats.read_predictions(path, form)
    if source.blocks is not None:
      kind = source.kind or source_lib.LOGITS
      zeros = None
      if kind != source_lib.LOGITS:
        zeros = zeros_lib.survey(
          source.blocks(), logarithms=kind == source_lib.LOG_PROBS
        )
      for _ in convert.logits(
        source.blocks(), kind=kind, what=path, rows=source.rows,
        allow_nan=True, zeros=zeros,
      ):  # fmt: skip
        pass
    if source.columns is not None:
      source.columns()
    return source

  return read


def _labels(path: str) -> object:
  """Reads a file of labels to the classes that they are."""
  labels = beside.read_labels(path)
  present = ~classes.missing(labels.labels, None)
  values = classes.settled(labels.labels[present])
  names = classes.names_of(values, None, path)
  return labels, classes.indices(values, names, path)


def _records(path: str) -> object:
  """Two records, which is what the valid files have."""
  return tfrecord.TfRecords([path], [2], bytes).__getitems__([1, 0])


def _image(path: str) -> object:
  content = pathlib.Path(path).read_bytes()
  images.native_shape(content, 'x')
  return images.decode(
    content, name='x', image_size=4, channels=3, native=False
  )


def _bytes(write: Callable[[io.BytesIO], object]) -> bytes:
  buffer = io.BytesIO()
  write(buffer)
  return buffer.getvalue()


def _npy(values: np.ndarray) -> bytes:
  return _bytes(lambda f: np.save(f, values))


# A state dict of one tensor [2], as torch.save writes it.
_STATE_STREAM = (
  b'}q\x00X\x01\x00\x00\x00wq\x01ctorch._utils\n_rebuild_tensor_v2\n'
  b'q\x02((X\x07\x00\x00\x00storageq\x03ctorch\nFloatStorage\nq\x04'
  b'X\x01\x00\x00\x000q\x05X\x03\x00\x00\x00cpuq\x06K\x02tq\x07QK\x00K\x02'
  b'\x85q\x08K\x01\x85q\t\x89ccollections\nOrderedDict\nq\n)Rq\x0btq\x0cRq\r'
  b's'
)
# It, averaged, beside objects of classes that are not read.
_BESIDE_STREAM = (
  b'}(X\x09\x00\x00\x00model_ema' + _STATE_STREAM + b'X\x04\x00\x00\x00args'
  b'cargparse\nNamespace\n)\x81}X\x02\x00\x00\x00lrG?\xf0\0\0\0\0\0\0sb'
  b'X\x04\x00\x00\x00bestcnumpy\nscalar\ncnumpy\ndtype\nC\x02\0\0\x86R'
  b'X\x03\x00\x00\x00set\x8f(K\x01\x90u'
)


def _torch(stream: bytes = _STATE_STREAM) -> bytes:
  def write(f: io.BytesIO) -> None:
    with zipfile.ZipFile(f, 'w') as archive:
      archive.writestr('w/data.pkl', b'\x80\x04' + stream + b'.')
      archive.writestr('w/byteorder', b'little')
      archive.writestr('w/data/0', bytes(8))

  return _bytes(write)


def _beside(path: str, name: str) -> str:
  """Writes weights beside a file."""
  weights = os.path.join(os.path.dirname(path), name)
  with open(weights, 'wb') as f:
    f.write(_SAFE)
  return weights


def _sharded(path: str) -> object:
  _beside(path, '1.safetensors')
  return checkpoints.load_state(path)


def _described(path: str) -> object:
  """Options by each family; it is refused where all of them refuse it."""
  weights = _beside(path, 'w.safetensors')
  read, refused = [], None
  for family in ('vit', 'resnet', 'clip', 'efficientnet'):
    try:
      read.append(checkpoints.follow(family, weights, {}))
    except errors.OverlapError as e:
      refused = e
  if refused is not None and not read:
    raise refused
  return read


def _record(content: bytes) -> bytes:
  def masked(data: bytes) -> bytes:
    value = google_crc32c.value(data)
    rotated = ((value >> 15) | (value << 17)) & 0xFFFFFFFF
    return struct.pack('<I', (rotated + 0xA282EAD8) & 0xFFFFFFFF)

  length = struct.pack('<Q', len(content))
  return length + masked(length) + content + masked(content)


def _nested(path: str) -> object:
  return list(tar_files.list_nested(path))


def _folder(source: data_source.Source) -> Callable[[str], object]:
  """Reads every image of the split 'train' in the file's folder."""

  def read(path: str) -> object:
    examples = source.load(
      dataset='x', split='train', data_dir=os.path.dirname(path), image_size=4,
      channels=0,
    )  # fmt: skip
    return examples.fetch(np.arange(len(examples)))

  return read


def _class_list(path: str) -> object:
  return class_lists.read_class_list([path])


def _meta() -> bytes:
  rows = np.zeros(1, [('ILSVRC2012_ID', 'O'), ('WNID', 'O')])
  rows[0] = 1, 'n01440764'
  return _bytes(lambda f: scipy.io.savemat(f, {'synsets': rows}))


def _images_table() -> bytes:
  image = {'bytes': _picture('PNG', 'L'), 'path': 'a.png'}
  table = pa.table({'image': [image], 'label': [0]})
  return _bytes(lambda f: pq.write_table(table, f))


_SAMPLE = {'a.txt': b'hi', 'a.jpg': b'x', 'b.txt': b''}


def _tar(members: Mapping[str, bytes] = _SAMPLE) -> bytes:
  def write(f: io.BytesIO) -> None:
    with tarfile.open(fileobj=f, mode='w') as archive:
      for name, content in members.items():
        member = tarfile.TarInfo(name)
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))

  return _bytes(write)


def _picture(form: str, mode: str) -> bytes:
  picture = Image.new(mode, (5, 4))
  return _bytes(lambda f: picture.save(f, form))


_FRAME = pd.DataFrame(
  {'id': IDS, 'logit_0': SCORES[:, 0], 'logit_1': SCORES[:, 1]}
)
_HARD = pd.DataFrame(
  {'id': IDS, 'predicted': [0, 1, 0], 'confidence': [0.5, 1.0, 0.25]}
)
_TIMM = b'filename,index,prob\na,"[1 0]","[0.9 0.1]"\nb,"[0 1]","[0.8 0.2]"\n'
_TRIALS = (
  b'subj,object_response,category,condition,imagename\n'
  b's,x,x,c1,1_a_s1_c1_x_0_b\ns,na,y,NaN,z\n'
)
_IMAGENET_X = b'file_name,predicted_class,predicted_probability\na,3,0.5\n'
_STATE = {'params': {'w': SCORES, 'b': np.zeros(2, np.float16)}}
_SAFE = safetensors.numpy.save({'logits': SCORES, 'ids': np.arange(3)})
_IDX = struct.pack('>IIII', 0x803, 2, 2, 2) + bytes(8)
_CSVS = tuple(
  text
  for frame in (_FRAME, _HARD)
  for text in (
    frame.to_csv(index=False).encode(),
    b'\xef\xbb\xbf' + frame.to_csv(index=False).replace('\n', '\r\n').encode(),
  )
)
# As spreadsheets, pandas and timm write them.
_ANY_CSVS = (
  _FRAME.to_csv(index=False, sep=';', decimal=',').encode(),
  b'sep=,\n' + _HARD.to_csv(index=False, lineterminator=',,\n').encode(),
  _HARD.to_csv(index=False, sep='\t').encode('utf-16'),
  b'id,logits\na,"[0.5, 1]"\nb,[1 2]\n',
  b'filename,index_0,index_1,prob_0,prob_1\na,1,0,0.9,0.1\nb,0,1,0.8,0.2\n',
  _TIMM,
)
_TABLES = (
  *(_FRAME.to_json(orient=way) for way in ('records', 'split', 'columns')),
  _FRAME.set_index('id').to_json(orient='index'),
  '{"ids": ["a", "b"], "labels": [0, 1], "logits": [[0.5, 1], [2, 3]]}',
  '[{"filename": "a", "index": [1, 0], "prob": [0.9, 0.1]}]',
  '{"a": 1, "b": 0}',
)
_LINES = _FRAME.to_json(orient='records', lines=True).encode()
_NPZ = _bytes(lambda f: np.savez(f, logits=SCORES, ids=IDS))
_JSONS = tuple(
  json.dumps(value).encode()
  for value in ([0, 1, 0], ['a', 'b'], SCORES.tolist(), [1.0, 2], [])
)


def _zstd(content: bytes) -> bytes:
  return pa.compress(content, 'zstd', asbytes=True)


def _parquet(**columns: pa.Array) -> bytes:
  table = pa.table({'id': pa.array(IDS, pa.string_view())} | columns)
  return _bytes(lambda f: pq.write_table(table, f))


_PARQUETS = (
  _parquet(logits=pa.array(SCORES.tolist())),
  _parquet(probs=pa.array([[0.5, 0.5]] * 3, pa.list_(pa.float32(), 2))),
  _parquet(
    predicted=pa.array([True, False, True]),
    label=pa.array([1, 0, 1]).cast(pa.decimal128(19, 0)),
  ),
  _parquet(
    predicted=pa.array(['a', 'b', 'a']).dictionary_encode(),
    label=pa.array([b'a', b'b', b'a']),
  ),
)

READERS = {
  'npy': Reader(
    _predictions('npy'), 'm.npy',
    [_npy(SCORES), _npy(np.arange(3)), _npy(SCORES.T), _npy(np.array(IDS)),
     _npy(SCORES.astype('>f8')), _npy(SCORES.astype(ml_dtypes.bfloat16)),
     _npy(np.arange(3)[:, np.newaxis])],
  ),
  'npz': Reader(
    _predictions('npz'), 'm.npz',
    [_NPZ, _bytes(lambda f: np.savez_compressed(f, predicted=[1, 0]))],
  ),
  'safetensors': Reader(
    _predictions('safetensors'), 'm.safetensors', [_SAFE]
  ),
  'csv': Reader(_predictions('csv'), 'm.csv', _CSVS),
  'parquet': Reader(
    _predictions('parquet'), 'm.parquet',
    [_bytes(_FRAME.to_parquet), _bytes(_HARD.to_parquet)],
  ),
  'json': Reader(_predictions('json'), 'm.json', _JSONS),
  'timm csv': Reader(_predictions('timm'), 'm.csv', [_TIMM]),
  'timm json': Reader(
    _predictions('timm'), 'm.json',
    [b'{"a": {"index": [1, 0], "prob": [0.9, 0.1]}}',
     b'{"columns": ["filename", "prob"], "data": [["a", [0.5, 0.5]]]}'],
  ),
  'trials': Reader(_predictions('model-vs-human'), 'm.csv', [_TRIALS]),
  'imagenet-x': Reader(_predictions('imagenet-x'), 'm.csv', [_IMAGENET_X]),
  'any csv': Reader(_predictions(), 'm.csv', _ANY_CSVS),
  'any csv gz': Reader(_predictions(), 'm.csv.gz', [gzip.compress(_CSVS[0])]),
  'any csv bz2': Reader(_predictions(), 'm.csv.bz2', [bz2.compress(_CSVS[0])]),
  'any csv zst': Reader(_predictions(), 'm.csv.zst', [_zstd(_CSVS[0])]),
  'any npy gz': Reader(
    _predictions(), 'm.npy.gz', [gzip.compress(_npy(SCORES))]
  ),
  'any json': Reader(
    _predictions(), 'm.json', [text.encode() for text in _TABLES]
  ),
  'any jsonl': Reader(_predictions(), 'm.jsonl', [_LINES]),
  'any parquet': Reader(_predictions(), 'm.parquet', _PARQUETS),
  'labels npz': Reader(
    _labels, 'l.npz',
    [_bytes(lambda f: np.savez(f, labels=[0, 1, 1], ids=IDS))],
  ),
  'labels json': Reader(
    _labels, 'l.json',
    [b'{"a": 1, "b": 0}', b'[{"id": "a", "label": "x"}]', b'[1.0, null]'],
  ),
  'labels txt gz': Reader(_labels, 'l.txt.gz', [gzip.compress(b'1\n0\n')]),
  'labels npy': Reader(
    _labels, 'l.npy', [_npy(np.arange(3)), _npy(np.array([2.0, np.nan]))]
  ),
  'labels csv': Reader(
    _labels, 'l.csv', [b'id,label\na,1\n', b'file,label\na,1.0\nb,\nc,+2e1\n']
  ),
  'labels txt': Reader(
    _labels, 'l.txt', [b'1\n0\n', b'cat\ndog\n', b'c_2\nc_10\n\nNA\n']
  ),
  'ids': Reader(beside.read_ids, 'i.json', [b'["a", "b"]', b'[1, 2]']),
  'class names': Reader(beside.read_class_names, 'c.txt', [b'a\nb\n']),
  'weights npz': Reader(npz_file.load, 'w.npz', [_NPZ]),
  'weights safetensors': Reader(
    safetensors_file.load, 'w.safetensors', [_SAFE]
  ),
  'weights msgpack': Reader(
    msgpack_file.load, 'w.msgpack',
    [serialization.to_bytes(_STATE), msgpack.packb({'params': {'w': 1.5}})],
  ),
  'weights torch': Reader(
    torch_file.load, 'w.pth', [_torch(), _torch(_BESIDE_STREAM)]
  ),
  'weights index': Reader(
    _sharded, 'w.safetensors.index.json',
    [b'{"weight_map": {"logits": "1.safetensors"}}'],
  ),
  'weights config': Reader(
    _described, 'config.json',
    [
      b'{"model_type": "vit", "hidden_size": 8, "hidden_act": "gelu"}',
      b'{"model_type": "resnet", "depths": [1, 1], "layer_type": "basic"}',
      b'{"model_type": "clip", "vision_config": {"hidden_size": 8}}',
      b'{"architecture": "vit_tiny_patch16_224", "global_pool": "avg",'
      b' "model_args": {"num_heads": 2}}',
      b'{"model_cfg": {"embed_dim": 8, "vision_cfg": {"width": 64, "layers": 1'
      b', "patch_size": 8}, "text_cfg": {"width": 64, "heads": 1, "layers": 1}'
      b'}}',
    ],
  ),
  'weights': Reader(
    checkpoints.load_state, 'w.bin',
    [_torch(), _SAFE, _NPZ, serialization.to_bytes(_STATE)],
  ),
  'tfrecord': Reader(
    _records, 'r.tfrecord', [_record(b'first') + _record(b'')]
  ),
  'tar': Reader(pair_shards._index, 's.tar', [_tar()]),
  'nested tar': Reader(_nested, 's.tar', [_tar({'a.tar': _tar()})]),
  'webdataset': Reader(
    _folder(webdataset.SOURCE), 'train.tar',
    [_tar({'0.cls': b'1', '0.png': _picture('PNG', 'L')})],
  ),
  'images in parquet': Reader(
    _folder(parquet.SOURCE), 'train.parquet', [_images_table()]
  ),
  'class list': Reader(_class_list, 'c.txt', [b'a 1\nb 0\n', b'0: a\n1: b\n']),
  'class map': Reader(
    _class_list, 'c.json', [b'{"a": 1, "b": 0}', b'{"0": ["n0", "a"]}']
  ),
  'kaggle solution': Reader(
    lambda path: dict(imagenet._solutions(path)), 's.csv',
    [b'ImageId,PredictionString\na,n01440764 1 2 3 4\n'],
  ),
  'meta.mat': Reader(
    lambda path: imagenet._synsets(os.path.dirname(path)), 'meta.mat', [_meta()]
  ),
  'pairs': Reader(pair_tables._read, 'p.csv', [b'path,caption\na.jpg,hi\n']),
  'idx': Reader(idx.read_idx, 'x', [_IDX, gzip.compress(_IDX)]),
  'image': Reader(
    _image, 'x.png',
    [_picture(form, mode) for form, mode in (
      ('PNG', 'L'), ('PNG', 'P'), ('JPEG', 'RGB'), ('BMP', '1'),
      ('WEBP', 'RGBA'), ('PPM', 'RGB'), ('GIF', 'P'), ('JPEG', 'CMYK'),
    )],
  ),
}  # fmt: skip


def read_bytes(name: str, content: bytes, folder: os.PathLike) -> object:
  """Reads a file of these bytes as one of `READERS` does."""
  reader = READERS[name]
  path = os.path.join(folder, reader.name)
  with open(path, 'wb') as f:
    f.write(content)
  return reader.read(path)
