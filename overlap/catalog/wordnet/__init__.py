"""WordNet's groups of the 1,000 classes of ImageNet: animals, artifacts, ...

`imagenet.csv` has the WordNet 3.0 id of each class, in the order that TFDS
has for `imagenet2012`, and the name of the lexicographer file that WordNet
keeps the synset in. It was read off `data.noun` of WordNet 3.0 (Debian's
`wordnet-base` 1:3.0-37): an id is the synset's offset there, and all 1,000 are
found. WordNet's licence stands in `LICENSE` beside it.
"""

import csv
import functools
import importlib.resources


@functools.lru_cache(maxsize=1)
def lexicographer_files() -> dict[str, str]:
  """From the id of each class of ImageNet ('n01440764') to 'noun.animal'."""
  file = importlib.resources.files(__name__).joinpath('imagenet.csv')
  with file.open(encoding='utf-8') as f:
    return {row['wnid']: row['lexicographer_file'] for row in csv.DictReader(f)}
