"""Brings in predictions made elsewhere: logits, probabilities or classes.

From .npy, .npz, safetensors, CSV, Parquet or JSON, or as --format says. Tables
have a column id, and predicted (with confidence), or logit_0, ... or prob_0,
...; rows are matched by id, in whichever column it is, and by row
order where neither the data set nor the labels have ids, or by --by_order.
"""

from typing import Any

from absl import flags

from overlap.cli import common, flag_kinds

_TEXTS = {
  'dataset': 'the data set in the store; made from ids and labels if it is new',
  'split': 'its split',
  'model': "the model's name; if empty, that of each file without extension, "
  'or of its folder where the files have one name',
  'predictions': 'a file; or a folder or a pattern: a model a file',
  'labels': 'where the data set is new, labels in the order of the predictions '
  '(.npy, .json, .txt) or by id (.csv, .parquet, .json, .jsonl: id, label; '
  '.npz: ids, labels)',
  'ids': 'ids in the order of the predictions (.npy, .json, .txt), or a column '
  'id (.csv, .parquet, .json, .jsonl; .npz: ids)',
  'class_names': 'names of the classes in their order (.txt, .json)',
  'format': 'npy, npz, safetensors, csv, parquet, json, timm, model-vs-human, '
  'imagenet-x or cifar10.1; if empty, by the extension',
  'kind': 'of the numbers: logits, probs, log_probs or classes',
  'condition': 'conditions to take of model-vs-human files, with commas '
  'between; if empty, all, each as a split of its own: SPLIT/CONDITION',
  'category': "the model's, relative to the base: REINIT, HPARAM, ARCH, "
  'FRAMEWORK or DATASET',
  'method': 'how it was trained, for the tables',
  'head': 'how its head was made, for the tables',
}

_PATHS = ('predictions', 'labels', 'ids', 'class_names')


def define(values: flags.FlagValues, argv: list[str]) -> None:
  """Defines the command's flags."""
  del argv
  common.define_workdir(values)
  for name, text in _TEXTS.items():
    kind = flag_kinds.define_path if name in _PATHS else flags.DEFINE_string
    kind(name, '', text, flag_values=values)
  flags.DEFINE_bool(
    'replace', False,
    'take these where the model has others, which are refused without',
    flag_values=values,
  )  # fmt: skip
  flags.DEFINE_string(
    'missing',
    'refuse',
    'what becomes of examples without a label (empty, NA, NaN, null): refuse, '
    'or drop, which leaves them out and counts them',
    flag_values=values,
  )
  flags.DEFINE_bool(
    'by_order',
    False,
    'take rows in the order of the data set where its examples have ids and '
    'nothing in the file holds them',
    flag_values=values,
  )
  common.define_wait(values)
  flags.DEFINE_bool(
    'allow_nan', False, 'take scores that are NaN or infinite; NaN is wrong',
    flag_values=values,
  )  # fmt: skip


def run(values: flags.FlagValues) -> None:
  """Stores the predictions and prints what is there."""
  from overlap import ingest

  texts: dict[str, Any] = {name: values[name].value or '' for name in _TEXTS}
  made = ingest.ingest(
    ingest.Request(
      workdir=common.workdir(values),
      replace=values['replace'].value,
      allow_nan=values['allow_nan'].value,
      missing=values['missing'].value,
      by_order=values['by_order'].value,
      wait=values['wait'].value,
      **texts,
    )
  )
  for record, new in made:
    name = record['model']
    if record['split'] != texts['split']:
      name += f' on {record["split"]}'
    state = (
      f'{record["kind"]} of {record["num_examples"]} examples, aligned by '
      f'{record["aligned_by"]}'
      if new
      else 'there already, unchanged'
    )
    print(f'{name}: {state}, accuracy {record["accuracy"]:.4f}')
    for note in record.get('notes', []) if new else []:
      print(f'{name}: {note}')
