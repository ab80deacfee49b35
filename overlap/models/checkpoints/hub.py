"""Files of the Hugging Face hub, from its cache on this machine or from it."""

import re
import urllib.parse
from typing import Any, NamedTuple

from etils import epath

from overlap.core import errors

SCHEME = 'hf://'
_FORM = re.compile(r'hf://([^/@]+/[^/@]+)(?:@([^/@]+))?(?:/(.+))?')
# What repositories and `save_pretrained` call the weights: the first is taken.
NAMES = (
  'model.safetensors',
  'model.safetensors.index.json',
  'open_clip_model.safetensors',
  'pytorch_model.bin',
  'pytorch_model.bin.index.json',
  'open_clip_pytorch_model.bin',
  'flax_model.msgpack',
)
_SECONDS = 10  # Until the hub counts as out of reach.


class _File(NamedTuple):
  """A file of a repository; `name` is '' for its weights."""

  path: str
  repo: str
  revision: str | None
  name: str


def fetch(path: str) -> epath.Path:
  """Finds a file of a repository of models, and downloads it where it must.

  A file that is in the cache is taken as it is, and nothing is asked of the
  network: name a commit as the revision where it matters which one it is. The
  cache is where HF_HUB_CACHE says, as for all that uses the hub.

  Args:
    path: 'hf://OWNER/REPO/FILE', of the branch 'main', or
      'hf://OWNER/REPO@REVISION/FILE'; a '/' in the revision is '%2F'. Without
      a file, the first of `NAMES` that is there.

  Raises:
    UsageError: the path has another form, or huggingface_hub is not installed.
    DataError: the file is not in the cache and can't be downloaded.
  """
  file = _parse(path)
  names = [file.name] if file.name else list(NAMES)
  huggingface_hub = _library(path)
  for name in names:
    cached = _cached(huggingface_hub, file._replace(name=name))
    if isinstance(cached, str):  # no mark of a file that is known to be absent
      return epath.Path(cached)
  for name in names:
    found = _download(huggingface_hub, file._replace(name=name))
    if found:
      return epath.Path(found)
  raise errors.DataError(
    f'{path} must be a repository with one of the files {", ".join(NAMES)}, '
    'and has none: name the file, hf://OWNER/REPO/FILE.'
  )


def beside(path: str, name: str) -> epath.Path | None:
  """Finds a file in the folder of another one; None where it is not there.

  Args:
    path: path of the other one, see `fetch`.
    name: name of the file.

  Raises:
    UsageError: as `fetch`.
    DataError: whether it is there can't be found out.
  """
  file = _parse(path)
  folder = file.name.rpartition('/')[0]
  file = file._replace(name=f'{folder}/{name}' if folder else name)
  huggingface_hub = _library(path)
  cached = _cached(huggingface_hub, file)
  if cached is None:
    cached = _download(huggingface_hub, file, optional=True)
  return epath.Path(cached) if isinstance(cached, str) else None


def _parse(path: str) -> _File:
  match = _FORM.fullmatch(path)
  if not match or '..' in (match[3] or '').split('/'):
    raise _malformed(path)
  repo, revision, name = match.groups()
  revision = urllib.parse.unquote(revision) if revision else None
  return _File(path, repo, revision, name or '')


def _cached(huggingface_hub: Any, file: _File) -> Any:
  """A path in the cache, a mark of a file that is not there, or None."""
  try:
    return huggingface_hub.try_to_load_from_cache(
      file.repo, file.name, revision=file.revision
    )
  except ValueError as e:  # of the repository's name
    raise _malformed(file.path) from e


def _malformed(path: str) -> errors.UsageError:
  return errors.UsageError(
    f"A path must be 'hf://OWNER/REPO[@REVISION][/FILE]', got {path!r}."
  )


def _library(path: str) -> Any:
  try:
    import huggingface_hub
    import huggingface_hub.constants  # Not attributes until then.
    import huggingface_hub.errors
  except ImportError as e:
    raise errors.UsageError(
      f'{path} must be read by the package huggingface_hub, which is not '
      "installed: pip install 'overlap[transformers]'."
    ) from e
  return huggingface_hub


def _download(
  huggingface_hub: Any, file: _File, *, optional: bool = False
) -> str | None:
  """Downloads into the cache.

  Returns:
    The file's path there; None where the repository has no such file, and it
    is `optional` or the path names none.
  """
  constants, path = huggingface_hub.constants, file.path
  try:
    # The library itself would go on trying for half a minute.
    huggingface_hub.get_session().head(constants.ENDPOINT, timeout=_SECONDS)
  # Its HTTP client, which differs between releases, has its own classes; so
  # has the library, below.
  except Exception as e:
    raise errors.DataError(
      f'{path} must be in the cache {constants.HF_HUB_CACHE} or be '
      f'downloaded: {file.name} is not there, and {constants.ENDPOINT} is out '
      f'of reach ({type(e).__name__}).'
    ) from e
  try:
    return huggingface_hub.hf_hub_download(
      file.repo, file.name, revision=file.revision
    )
  except Exception as e:
    absent = isinstance(e, huggingface_hub.errors.EntryNotFoundError)
    if absent and (optional or not path.endswith(f'/{file.name}')):
      return None
    lines = [line for line in str(e).split('\n') if line.strip()]
    reason = ' '.join(lines[:2])[:200] or type(e).__name__
    raise errors.DataError(
      f'{path} must be a file that the hub has and gives, got: {reason}'
    ) from e
