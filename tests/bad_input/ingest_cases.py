"""Files of predictions, and what is given beside them."""

import gzip
import io
import json
import struct
import zipfile

import numpy as np
import pandas as pd
import safetensors.numpy

IDS = [f'image {i}' for i in range(12)]
LABELS = [i % 3 for i in range(12)]
SCORES = np.random.default_rng(1).normal(size=(12, 3)).astype(np.float32)


def cases(case):
  """Named cases; `case` is the class."""
  return (
    _flags(case) | _arrays(case) | _tables(case) | _json(case) | _beside(case)
  )


def _hard(**changed):
  return {'id': IDS, 'predicted': LABELS} | changed


def _flags(case):
  def words(*words, status=2, told=(), name='m.csv', predicted_alone=False):
    columns = {'predicted': LABELS} if predicted_alone else _hard()
    return case(
      lambda a: a.ingested(a.csv(name, **columns), *words), status, told
    )

  return {
    'ingest without predictions': words(
      '--predictions=', told=['must be given']
    ),
    'ingest without a data set': words('--dataset=', told=['--dataset']),
    'ingest without a split': words('--split=', told=['--split']),
    'ingest into a data set of two lines': words(
      '--dataset=a\nb', told=['dataset', "'a\\nb'"]
    ),
    'ingest of a model of two lines': words(
      '--model=a\nb', told=['model', "'a\\nb'"]
    ),
    'ingest of a model with a NUL': words('--model=a\0', told=['x00']),
    'ingest of a model of 300 characters': words(
      f'--model={"m" * 300}', told=['200', '300']
    ),
    'ingest of a model of half a character': words(
      '--model=\udcff', told=['udcff']
    ),
    'ingest of an unknown format': words(
      '--format=pickle', told=["'pickle'", 'npz']
    ),
    'ingest with an unknown way with what is missing': words(
      '--missing=skip', told=["'skip'", 'refuse, drop']
    ),
    'ingest of rows in an order that is not known': words(
      '--noby_order',
      status=1,
      told=['--ids=FILE', '--by_order'],
      predicted_alone=True,
    ),
    'ingest of an unknown kind': words(
      '--kind=scores', told=["'scores'", 'logits']
    ),
    'ingest of an unknown category': words(
      '--category=X', told=["'X'", 'ARCH']
    ),
    'ingest of classes as logits': words(
      '--kind=logits', told=['--kind', 'classes', "'logits'"]
    ),
    'ingest of a file without an extension': words(
      name='m', told=['--format', 'npz']
    ),
    'ingest of a file of PyTorch': words(
      name='m.pt', told=['never loaded', 'numpy.savez', '.float().cpu()']
    ),
    'ingest of a spreadsheet': words(name='m.xlsx', told=['as CSV']),
    'ingest of what is not there': words(
      '--predictions=/none/*.npy', status=1, told=["'/none/*.npy'"]
    ),
    'ingest of an empty folder': case(
      lambda a: a.ingested(a.case),
      1,
      ['.npy', 'there is none'],
    ),
    'ingest of two files as one model': case(
      lambda a: (
        [a.csv(f'{m}.csv', **_hard()) for m in 'xy']
        and a.ingested(a.case, '--model=x')
      ),
      2,
      ['--model', '2 files'],
    ),
    'ingest of two files of one name': case(
      lambda a: (
        [a.csv(f'x.{e}', **_hard()) for e in ('csv', 'CSV')]
        and a.ingested(a.case)
      ),
      2,
      ['different names'],
    ),
    'ingest of a model that is there': case(
      lambda a: a.ingested(a.csv('a.csv', **_hard())),
      1,
      ["'a'", '--replace'],
    ),
    'ingest without labels': words(
      '--split=new', status=1, told=['needs labels', '--labels']
    ),
    'ingest with two kinds of ids': case(
      lambda a: a.ingested(
        a.csv('m.csv', **_hard()), f'--ids={a.json("ids.json", IDS)}'
      ),
      2,
      ['--ids'],
    ),
    'ingest into a folder that is a file': case(
      lambda a: [
        'ingest',
        f'--workdir={a.file("w")}',
        '--dataset=d',
        '--split=s',
        f'--predictions={a.csv("m.csv", **_hard())}',
      ],
      1,
      ['--workdir'],
    ),
  }


def _arrays(case):
  def npy(values, *told, status=1, words=(), **options):
    return case(
      lambda a: a.ingested(a.npy('m.npy', values, **options), *words),
      status,
      told or ['m.npy'],
    )

  def raw(name, content, *told):
    return case(lambda a: a.ingested(a.file(name, content)), 1, told or [name])

  def npz(*told, **arrays):
    def make(a):
      np.savez(a.case / 'm.npz', **arrays)
      return a.ingested(a.case / 'm.npz')

    return case(make, 1, told or ['m.npz'])

  def changed(row, column, value):
    values = SCORES.astype(np.float64)
    values[row, column] = value
    return values

  def header(text, data=b''):
    text = text.encode().ljust(118) + b'\n'
    return b'\x93NUMPY\x01\x00' + struct.pack('<H', len(text)) + text + data

  buffer = io.BytesIO()
  np.save(buffer, SCORES)
  whole = buffer.getvalue()
  objects = np.array([{'a': 1}] * 12, object)
  shape = "{'descr': '<f4', 'fortran_order': False, 'shape': "
  return {
    'npy of no bytes': raw('m.npy', b''),
    'npy of objects': npy(objects, 'pickled objects'),
    'npy that ends early': raw('m.npy', whole[:-4]),
    'npy that is longer': raw('m.npy', whole + b'x', 'more bytes'),
    'npy of a huge shape': raw('m.npy', header(shape + '(12, 1 << 60)}')),
    'npy of a shape of terabytes': raw(
      'm.npy', header(f'{shape}(12, {2**38})}}', bytes(99)), 'bytes early'
    ),
    'npy of a negative shape': raw('m.npy', header(shape + '(-12, 3)}')),
    'npy with a deep header': raw('m.npy', header('(' * 100)),
    'npy with a header of code': raw('m.npy', header('__import__("os")')),
    'npy of another version': raw('m.npy', b'\x93NUMPY\x09\x09' + bytes(99)),
    'npy of a single number': npy(np.float32(1), 'single value'),
    'npy of three dimensions': npy(np.zeros((12, 3, 1)), '[12, 3, 1]'),
    'npy of no rows': npy(np.zeros((0, 3)), 'no rows'),
    'npy of no columns': npy(np.zeros((12, 0)), '3 classes', 'got 0'),
    'npy of a row too few': npy(SCORES[:11], '12 examples', 'got 11'),
    'npy of a column too many': npy(np.zeros((12, 4)), '3 classes', 'got 4'),
    'npy of complex numbers': npy(SCORES.astype(complex), 'complex128'),
    'npy of truths': npy(np.ones((12, 3), bool), 'bool'),
    'npy of text': npy(np.full((12, 3), 'a'), '[12, 3]'),
    'npy of dates': npy(np.zeros((12, 3), 'M8[s]'), 'datetime64'),
    'npy of records': npy(np.zeros(12, [('a', 'f4')]), 'm.npy'),
    'npy with NaN': npy(changed(3, 1, np.nan), '1 of 12', 'row 3'),
    'npy with infinity': npy(changed(5, 0, np.inf), '1 of 12', 'row 5'),
    'npy beyond float32': npy(changed(7, 2, 1e300), '3.4e38', 'row 7'),
    'npy of Fortran order with NaN': npy(
      np.asfortranarray(changed(3, 1, np.nan)), 'row 3'
    ),
    'npy of big-endian numbers with NaN': npy(
      changed(3, 1, np.nan).astype('>f8'), 'row 3'
    ),
    'npy of classes out of range': npy(
      np.array(LABELS[:11] + [3]), '[0, 3)', 'got 3', 'row 11'
    ),
    'npy of negative classes': npy(
      np.array([-1, *LABELS[1:]]), '[0, 3)', 'got -1'
    ),
    'npy of classes beyond 64 bits': npy(
      np.full(12, 2**64 - 1, np.uint64), '[0, 3)'
    ),
    'npy of half a class': npy(np.full(12, 0.5), 'whole numbers', '0.5'),
    'npy of rows that look like probabilities': npy(
      np.full((12, 3), 1 / 3), '--kind=probs', status=2
    ),
    'npy of probabilities that do not sum to 1': npy(
      np.full((12, 3), 0.5), 'sum', '1.5', words=['--kind=probs']
    ),
    'npy of negative probabilities': npy(
      changed(0, 0, -1.0), 'probabilities', words=['--kind=probs']
    ),
    'npz that is none': raw('m.npz', b'PK\x03\x04' + bytes(50)),
    'npz of nothing': raw('m.npz', b'PK\x05\x06' + bytes(18), 'none'),
    'npz of two arrays of scores': npz(
      'logits, probs', logits=SCORES, probs=SCORES
    ),
    'npz of objects': npz('pickled objects', logits=objects),
    'npz with ids of numbers': npz('ids', logits=SCORES, ids=SCORES[:, 0]),
    'npz with too few ids': npz(
      'ids', '12 rows', 'got 11', logits=SCORES, ids=IDS[:11]
    ),
    'npz with ids twice': npz(
      '1 missing', '1 repeated', logits=SCORES, ids=IDS[:11] + IDS[:1]
    ),
    'npz with other ids': npz(
      '12 missing', '12 extra', logits=SCORES, ids=[f'x{i}' for i in range(12)]
    ),
    'npz with other labels': npz(
      'labels', '12 of 12', logits=SCORES, ids=IDS, labels=np.roll(LABELS, 1)
    ),
    'npz with other classes': npz(
      '3 classes',
      'got 2',
      logits=SCORES,
      ids=IDS,
      class_names=['a', 'triangle'],
    ),
    'npz of a bomb': case(lambda a: a.ingested(_bomb(a)), 1, ['200 times']),
    'npz with paths outside': case(
      lambda a: a.ingested(_outside(a)),
      1,
      ['m.npz', 'passwd'],
    ),
    'safetensors that overlap in what is ingested': raw(
      'm.safetensors',
      (lambda h: struct.pack('<Q', len(h)) + h + bytes(48))(
        json.dumps(
          {
            'logits': {
              'dtype': 'F32',
              'shape': [2, 3],
              'data_offsets': [0, 24],
            },
            'ids': {'dtype': 'I64', 'shape': [3], 'data_offsets': [20, 44]},
          }
        ).encode()
      ),
    ),
    'safetensors of a type that is not read': raw(
      'm.safetensors',
      safetensors.numpy.save({'logits': np.ones(12, bool)}),
      'BOOL',
      'F32',
    ),
    'safetensors of a single value': raw(
      'm.safetensors',
      safetensors.numpy.save({'logits': np.array(1, np.float32)}),
      'single value',
    ),
    'a pickle that is called npy': raw('m.npy', b'\x80\x04N.'),
  }


def _bomb(a):
  path = a.case / 'm.npz'
  np.savez_compressed(path, logits=np.zeros(9999, np.uint8))
  size = struct.pack('<I', 9999 + 128)
  path.write_bytes(
    path.read_bytes().replace(size, struct.pack('<I', 2**31 - 1))
  )
  return path


def _outside(a):
  path = a.case / 'm.npz'
  buffer = io.BytesIO()
  np.save(buffer, SCORES)
  with zipfile.ZipFile(path, 'w') as archive:
    for name in ('../../etc/passwd.npy', '/etc/passwd.npy'):
      archive.writestr(name, buffer.getvalue())
  return path


def _tables(case):
  def text(content, *told, words=(), status=1):
    return case(
      lambda a: a.ingested(a.file('m.csv', content), *words),
      status,
      told or ['m.csv'],
    )

  def csv(*told, words=(), **changed):
    return case(
      lambda a: a.ingested(a.csv('m.csv', **_hard(**changed)), *words),
      1,
      told or ['m.csv'],
    )

  def csv_of(scores, *told):
    columns = {f'logit_{i}': scores[:, i] for i in range(scores.shape[1])}
    return case(
      lambda a: a.ingested(a.csv('m.csv', id=IDS, **columns)), 1, told
    )

  def parquet(content, *told):
    def make(a):
      path = a.case / 'm.parquet'
      if callable(content):
        content(path)
      else:
        path.write_bytes(content)
      return a.ingested(path)

    return case(make, 1, told or ['m.parquet'])

  def cut(path):
    pd.DataFrame(_hard()).to_parquet(path)
    path.write_bytes(path.read_bytes()[:-20])

  def of(**columns):
    return lambda path: pd.DataFrame(columns).to_parquet(path)

  scores = {f'logit_{i}': SCORES[:, i] for i in range(3)}
  rows = '\r\n'.join(f'{i},{x}' for i, x in zip(IDS, LABELS))
  return {
    'CSV of no bytes': text('', 'names of its columns'),
    'CSV of a header alone': text('id,predicted\n', 'no rows'),
    'CSV of blank lines': text('\n\n\n'),
    'CSV without a header': text(rows, 'must have one of the columns'),
    'CSV with a column twice': text('id,id,predicted\n', "'id' twice"),
    'CSV of other columns': text(
      'name,class\nx,1\n', 'predicted', 'name, class'
    ),
    'CSV with a byte-order mark and CRLF, a row too few': text(
      '\ufeffid,predicted\r\n' + rows.rpartition('\r\n')[0],
      '1 missing',
      "'image 11'",
    ),
    'CSV of UTF-16': text('id,predicted\n'.encode('utf-16')),
    'CSV of Latin-1': text(b'id,predicted\n\xe9,1\n'),
    'CSV with a NUL': text('id,predicted\nimage\0 0,1\n'),
    'CSV with a quote that does not end': text('id,predicted\n"image 0,1\n'),
    'CSV with a row too long': text('id,predicted\nimage 0,1,2\n'),
    'CSV with an empty cell': text('id,predicted\nimage 0,\n', 'm.csv'),
    'CSV with ids twice': csv('1 missing', '1 repeated', id=IDS[:11] + IDS[:1]),
    'CSV with other ids': csv('1 extra', "'other'", id=IDS[:11] + ['other']),
    'CSV of classes out of range': csv('[0, 3)', 'got 7', predicted=[7] * 12),
    'CSV of classes that are huge': csv(predicted=[10**30] * 12),
    'CSV of classes by unknown names': csv("'dog'", predicted=['dog'] * 12),
    'CSV of half a class': csv(predicted=[0.5] * 12),
    'CSV with confidences above 1': csv('[0, 1]', '1.5', confidence=[1.5] * 12),
    'CSV with a confidence of NaN': csv(
      'confidence', confidence=[0.5] * 11 + [np.nan]
    ),
    'CSV with confidences of text': csv("'hi'", confidence=['hi'] * 12),
    'CSV with other labels': csv('labels', label=[2, 0, 1] * 4),
    'CSV of logits and classes': csv('logit_0', **scores),
    'CSV of logits that lack one': text(
      'id,logit_0,logit_2\nimage 0,1,2\n', 'lacks logit_1'
    ),
    'CSV of logits of text': text(
      'id,logit_0,logit_1,logit_2\nimage 0,1,2,x\n'
    ),
    'CSV of 100,000 columns': text(
      'id,' + ','.join(f'logit_{i}' for i in range(10**5)) + '\n'
    ),
    'CSV of scores that are sorted by value': csv_of(
      -np.sort(-SCORES, axis=1), 'sorted by value', '--include-index'
    ),
    'CSV that is compressed and cut': case(
      lambda a: a.ingested(
        a.file('m.csv.gz', gzip.compress(b'id,predicted\n')[:-4])
      ),
      1,
      ['m.csv.gz', 'runcated'],
    ),
    'CSV that is compressed by its name alone': case(
      lambda a: a.ingested(a.file('m.csv.zst', 'id,predicted\n')),
      1,
      ['m.csv.zst', 'ZSTD'],
    ),
    'CSV with a list that was cut': text(
      'id,logits\nimage 0,[0.5 ... 1.5]\n', 'row 0', 'cut where it was printed'
    ),
    'Parquet of no bytes': parquet(b''),
    'Parquet that ends early': parquet(cut),
    'Parquet that is CSV': parquet(b'id,predicted\n'),
    'Parquet with a hole': parquet(
      of(id=IDS, predicted=[None, *LABELS[1:]]), 'every row', "'' in row 0"
    ),
    'Parquet of lists': parquet(of(id=IDS, predicted=[[1]] * 12), 'list'),
    'Parquet of other columns': parquet(of(x=IDS), 'predicted'),
    "timm's file without files": text(
      'index\n1\n', 'filename', words=['--format=timm']
    ),
    "timm's file of lists that differ": text(
      'filename,prob\na,"[0.1 0.9]"\nb,"[1.0]"\n', words=['--format=timm']
    ),
    'trials of two people, each with an image of their own': text(
      'subj,object_response,category,imagename\na,x,x,i\nb,x,x,j\n',
      "1 missing ('i'); 1 extra ('j')",
      words=['--format=model-vs-human'],
    ),
    'predictions of ImageNet-X with text': text(
      'file_name,predicted_class,predicted_probability\na,1,high\n',
      words=['--format=imagenet-x'],
    ),
  }


def _json(case):
  def text(content, *told, words=()):
    return case(
      lambda a: a.ingested(a.file('m.json', content), *words),
      1,
      told or ['m.json'],
    )

  return {
    'JSON of no bytes': text(''),
    'JSON that ends early': text('[1, 2'),
    'JSON of bytes': text(b'\xff\xfe[1]'),
    'JSON of a number': text('5', 'int'),
    'JSON lines of which one is none': case(
      lambda a: a.ingested(a.file('m.jsonl', '{"id": "a"}\n{"id": \n')),
      1,
      ['m.jsonl', 'line 2 of JSON lines'],
    ),
    'JSON of records of different things': text(
      '[{"id": "a", "logits": [1, 2]}, {"id": "b", "logits": 1}]', 'one type'
    ),
    'JSON of a dict': text('{"a": [1], "b": 2}', 'dict'),
    'JSON of classes by other ids': text('{"a": 1}', "1 extra ('a')"),
    'JSON of nothing': text('[]', 'no rows'),
    'JSON of null': text(json.dumps([None, *LABELS[1:]]), 'every row', 'row 0'),
    'JSON of dicts': text('[{}, {}]'),
    'JSON of NaN': text(
      json.dumps([float('nan'), *LABELS[1:]]), 'every row', 'row 0'
    ),
    'JSON of infinity': text('[Infinity]', 'whole numbers'),
    'JSON with NaN among scores': text(
      json.dumps([[1.0, 2.0, float('nan')]] * 12), '12 of 12'
    ),
    'JSON too deep': text('[' * 100_000),
    'JSON of a huge number': text('[' + '9' * 400 + ']'),
    'JSON of a number of 5,000 digits': text('[' + '9' * 5000 + ']'),
    'JSON of a huge number among scores': text('[[' + '9' * 400 + ', 1, 2]]'),
    'JSON of rows of other lengths': text('[[1, 2, 3], [1, 2]]', 'row 1'),
    'JSON of rows of text': text('[["a", "b", "c"]]', 'row 0'),
    'JSON of rows and numbers': text('[[1, 2, 3], 4]', 'row 1'),
    "JSON of timm's that is none": text(
      '{"a": {"index": 1}, "b": {}}', words=['--format=timm']
    ),
    "JSON of CIFAR-10.1's of scores": text(
      '[[1, 2, 3]]', 'list of classes', words=['--format=cifar10.1']
    ),
    "JSON of CIFAR-10.1's of three classes": text(
      json.dumps(LABELS), '10', words=['--format=cifar10.1']
    ),
  }


def _beside(case):
  def beside(flag, name, content, *told, status=1):
    return case(
      lambda a: a.ingested(
        a.npy('m.npy', SCORES),
        '--split=new',
        f'--labels={a.json("l.json", LABELS)}',
        f'--{flag}={a.file(name, content)}',
      ),
      status,
      told or [name],
    )

  return {
    'labels of another kind': beside('labels', 'l.pkl', b'', '.npy', status=2),
    'labels of PyTorch': beside(
      'labels', 'l.pt', b'', 'never loaded', 'numpy.savez', status=2
    ),
    'labels of two lengths': case(
      lambda a: (
        np.savez(a.case / 'l.npz', labels=LABELS, ids=IDS[:3])
        or a.ingested(
          a.npy('m.npy', SCORES), '--split=new', f'--labels={a.case}/l.npz'
        )
      ),
      1,
      ['12 in labels', '3 in ids'],
    ),
    'labels in a folder': case(
      lambda a: a.ingested(
        a.npy('m.npy', SCORES), '--split=new', f'--labels={a.case}/'
      ),
      2,
      ['--labels'],
    ),
    'labels of no bytes': beside('labels', 'l.npy', b''),
    'labels of a truncated gzip': beside('labels', 'l.npy', b'\x1f\x8b\x08'),
    'labels that are negative': beside(
      'labels', 'l.json', json.dumps([-1] * 12), '[0, ', 'got -1'
    ),
    'labels beyond the classes': beside(
      'labels', 'l.json', json.dumps([0] * 11 + [99]), '[0, 3)', 'got 99'
    ),
    'labels of which one is missing': beside(
      'labels', 'l.json', json.dumps([*LABELS[:11], None]), 'row 11', '=drop'
    ),
    'labels of numbers and names': beside(
      'labels', 'l.json', json.dumps([*LABELS[:11], 'star']), "'star' in row 11"
    ),
    'labels that are too few': beside(
      'labels', 'l.json', '[0, 1]', '12 rows', 'got 2'
    ),
    'labels of fractions': beside('labels', 'l.json', json.dumps([0.5] * 12)),
    'labels of nothing': beside('labels', 'l.txt', '', '12 rows', 'got 0'),
    'labels without the column': beside('labels', 'l.csv', 'id\nx\n', 'label'),
    'labels of bytes': beside('labels', 'l.txt', b'\xff\xfe\x00'),
    'labels of a huge number': beside(
      'labels',
      'l.json',
      '[' + ', '.join(['9' * 30] * 12) + ']',
      'whole numbers',
    ),
    'ids twice': beside('ids', 'i.json', json.dumps(['x'] * 12), "'x'"),
    'ids that are too few': beside(
      'ids', 'i.json', '["x"]', '12 rows', 'got 1'
    ),
    'ids that are empty': beside(
      'ids', 'i.json', json.dumps([''] * 12), 'mpty'
    ),
    'ids of half a character': beside(
      'ids', 'i.json', json.dumps(['\ud800', *IDS[1:]]), 'Unicode'
    ),
    'ids of fractions': beside('ids', 'i.json', json.dumps([0.5] * 12)),
    'class names twice': beside(
      'class_names', 'c.json', '["a", "a", "b"]', '3 names', '2 of them'
    ),
    'class names that are too few': beside(
      'class_names', 'c.json', '["a", "b"]', '[0, 2)', 'got 2'
    ),
    'class names that are too many': beside(
      'class_names', 'c.json', '["a", "b", "c", "d"]', '4 classes', 'got 3'
    ),
    'class names of a table': beside(
      'class_names', 'c.csv', 'a\nb\nc\n', '.txt', status=2
    ),
  }
