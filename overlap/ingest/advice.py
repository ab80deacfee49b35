"""Advice for files that cannot be read, by extension."""

from overlap.ingest import raw_file

_SAVE = "numpy.savez('m.npz', logits={}, labels=labels, ids=ids)"
_TORCH = (
  'it may be a pickle, which is never loaded; load it where it was made and '
  f'save it by {_SAVE.format("logits.float().cpu().numpy()")}'
)
_PICKLE = (
  'it is a pickle, which is never loaded; load it where it was made and save '
  f'it by {_SAVE.format("logits")}'
)
_H5PY = (
  "save it by f = h5py.File('m.h5'); "
  "numpy.savez('m.npz', logits=f['logits'][:], labels=f['labels'][:])"
)
_MATLAB = (
  "save it by f = scipy.io.loadmat('m.mat'); "
  "numpy.savez('m.npz', logits=f['logits'], labels=f['labels'].ravel())"
)
_SHEET = 'save the sheet as CSV'
_FEATHER = "save it by pandas.read_feather('m.feather').to_parquet('m.parquet')"
_ARCHIVE = 'decompress it first'

_ADVICE = {
  **dict.fromkeys(('.pt', '.pth', '.ckpt', '.bin'), _TORCH),
  **dict.fromkeys(('.pkl', '.pickle', '.joblib'), _PICKLE),
  **dict.fromkeys(('.h5', '.hdf5'), _H5PY),
  '.mat': _MATLAB,
  **dict.fromkeys(('.xlsx', '.xls', '.ods'), _SHEET),
  **dict.fromkeys(('.feather', '.arrow'), _FEATHER),
  **dict.fromkeys(('.zip', '.tar', '.tgz', '.7z', '.rar', '.xz'), _ARCHIVE),
}


def for_file(path: str) -> str:
  """Returns how to make a file that is read of one that is not, or ''."""
  extension = raw_file.split_extension(path)[1]
  if extension.endswith(tuple(raw_file.COMPRESSIONS)):
    return _ARCHIVE
  return _ADVICE.get(extension, '')
