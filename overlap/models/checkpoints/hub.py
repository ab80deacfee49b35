"""Files of the Hugging Face hub, from its cache on this machine or from it."""

import re
import urllib.parse
from typing import Any

from etils import epath

from overlap import errors

SCHEME = 'hf://'
_FORM = re.compile(r'hf://([^/@]+/[^/@]+)(?:@([^/@]+))?/(.+)')
_SECONDS = 10  # Until the hub counts as out of reach.


def fetch(path: str) -> epath.Path:
  """Finds a file of a repository of models, and downloads it where it must.

  A file that is in the cache is taken as it is, and nothing is asked of the
  network: name a commit as the revision where it matters which one it is. The
  cache is where HF_HUB_CACHE says, as for all that uses the hub.

  Args:
    path: 'hf://OWNER/REPO/FILE', of the branch 'main', or
      'hf://OWNER/REPO@REVISION/FILE'; a '/' in the revision is '%2F'.

  Raises:
    UsageError: the path has another form, or huggingface_hub is not installed.
    DataError: the file is not in the cache and can't be downloaded.
  """
  match = _FORM.fullmatch(path)
  if not match or '..' in match[3].split('/'):
    raise _malformed(path)
  repo, revision, file = match.groups()
  revision = urllib.parse.unquote(revision) if revision else None
  huggingface_hub = _library(path)
  try:
    cached = huggingface_hub.try_to_load_from_cache(
      repo, file, revision=revision
    )
  except ValueError as e:  # of the repository's name
    raise _malformed(path) from e
  if isinstance(cached, str):  # no mark of a file that is known to be absent
    return epath.Path(cached)
  return epath.Path(_download(huggingface_hub, path, repo, file, revision))


def _malformed(path: str) -> errors.UsageError:
  return errors.UsageError(
    f"A path must be 'hf://OWNER/REPO[@REVISION]/FILE', got {path!r}."
  )


def _library(path: str) -> Any:
  try:
    import huggingface_hub
    import huggingface_hub.constants  # Not an attribute until then.
  except ImportError as e:
    raise errors.UsageError(
      f'{path} must be read by the package huggingface_hub, which is not '
      "installed: pip install 'overlap[transformers]'."
    ) from e
  return huggingface_hub


def _download(
  huggingface_hub: Any, path: str, repo: str, file: str, revision: str | None
) -> str:
  """Downloads into the cache; returns the file's path there."""
  constants = huggingface_hub.constants
  try:
    # The library itself would go on trying for half a minute.
    huggingface_hub.get_session().head(constants.ENDPOINT, timeout=_SECONDS)
  # Its HTTP client, which differs between releases, has its own classes; so
  # has the library, below.
  except Exception as e:
    raise errors.DataError(
      f'{path} must be in the cache {constants.HF_HUB_CACHE} or be '
      f'downloaded: it is not there, and {constants.ENDPOINT} is out of reach '
      f'({type(e).__name__}).'
    ) from e
  try:
    return huggingface_hub.hf_hub_download(repo, file, revision=revision)
  except Exception as e:
    lines = [line for line in str(e).split('\n') if line.strip()]
    reason = ' '.join(lines[:2])[:200] or type(e).__name__
    raise errors.DataError(
      f'{path} must be a file that the hub has and gives, got: {reason}'
    ) from e
