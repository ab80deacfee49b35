"""ImageNet-X's model predictions: `file_name,predicted_class,...` as CSV."""

from overlap.ingest import columns, csv_table
from overlap.ingest import source as source_lib
from overlap.ingest.columns import NUMBER, TEXT
from overlap.ingest.source import Source

_CLASSES = tuple(map(str, range(1000)))


def read_imagenet_x(path: str) -> Source:
  """Reads classes of ImageNet with the predicted class's probability."""
  table = csv_table.open_csv(path)
  found = columns.read_columns(
    table,
    {
      'file_name': TEXT,
      'predicted_class': TEXT,
      'predicted_probability': NUMBER,
    },
  )
  predicted = source_lib.classes_or_names(
    found['predicted_class'], f'predicted_class of {path}'
  )
  return Source(
    source_lib.CLASSES,
    len(predicted),
    predicted=predicted,
    confidence=source_lib.confidences(
      found['predicted_probability'], f'predicted_probability of {path}'
    ),
    ids=found['file_name'],
    class_names=_CLASSES,
  )
