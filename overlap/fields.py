"""The fields of a study's config, with their defaults.

See `config` for how a config is read and checked.
"""

from typing import Any

import ml_collections

from overlap import schemas

TABLES = tuple(schemas.SCHEMAS)
FIGURES = (
  'fig01', 'fig02', 'fig03', 'fig04', 'fig05', 'fig06', 'fig07', 'fig08',
  'fig09', 'fig10', 'fig11', 'fig12', 'fig13', 'heatmap', 'table1', 'table2',
  'table3', 'table4',
)  # fmt: skip


def study() -> ml_collections.ConfigDict:
  """The fields of a study, all models still to be named."""
  config = ml_collections.ConfigDict()
  config.name = 'study'
  config.base = 'base'  # The model that the others are compared with.
  config.models = ml_collections.ConfigDict()  # Name -> `model(...)`.

  config.data = ml_collections.ConfigDict(_data())
  config.predict = ml_collections.ConfigDict(_predict())
  config.transfer = ml_collections.ConfigDict(_transfer())
  config.analyses = ml_collections.ConfigDict(_analyses())
  config.report = ml_collections.ConfigDict(_report())
  config.lock()
  config.models.unlock()
  config.analyses.specialisation.groups.unlock()
  config.analyses.transfer.groups.unlock()
  return config


def model(architecture: str, **options: Any) -> ml_collections.ConfigDict:
  """The fields of one model of a study.

  Args:
    architecture: a key of `overlap.models.MODELS`.
    **options: fields of that Flax module (`depth`, `dropout_rate`, ...).
  """
  config = ml_collections.ConfigDict()
  config.source = 'train'  # 'train' (or load) it here, or 'store'.
  config.method = 'supervised'  # A key of `overlap.train.METHODS`.
  config.seed = 0
  config.dtype = 'float32'  # Of the computation; parameters are float32.
  config.architecture = ml_collections.ConfigDict(
    dict(name=architecture, options=options)
  )
  config.input = ml_collections.ConfigDict(_input())
  config.init = ml_collections.ConfigDict(_init())
  config.train = ml_collections.ConfigDict(_train())
  config.simclr = ml_collections.ConfigDict(_simclr())
  config.image_text = ml_collections.ConfigDict(_image_text())
  config.mpl = ml_collections.ConfigDict(_mpl())
  config.pretrain = ml_collections.ConfigDict(_pretrain())
  config.distill = ml_collections.ConfigDict(_distill())
  config.head = ml_collections.ConfigDict(_head())
  config.lock()
  config.architecture.options.unlock()
  config.image_text.attributes.unlock()
  return config


def probe(*models: str) -> ml_collections.ConfigDict:
  """The fields of a model that is a linear probe on others' features.

  It stores no features of its own, and takes part in every comparison of
  predictions, with the head 'L-BFGS', as the paper's CLIP-S does.

  Args:
    *models: names of models of the study; their stored features are
      concatenated.
  """
  config = ml_collections.ConfigDict()
  config.source = 'probe'
  config.models = models
  config.train = 'probe_train'  # Of `data.splits`, as is the next.
  config.heldout = 'probe_heldout'
  config.normalisation = 'l2_standardise'  # Of each model's features.
  config.strengths = 45  # Of L2, evenly spaced in the logarithm.
  config.weakest = 1e-6
  config.strongest = 1e5
  config.max_iterations = 1000
  config.stream = False  # Whether features are read anew in each pass.
  return config.lock()


def _data() -> dict[str, Any]:
  """Fields of the data: data set, splits and location."""
  return dict(
    dataset='',  # See overlap/data/__init__.py for the sources.
    label='',  # What tables call it ('IN'); the data set's name if empty.
    data_dir='',  # Where its files are, or are put; `./data` if empty.
    fallback='',  # Data set to take where `dataset` can't be fetched; in the
    # place of one that is never fetched, such as a folder, none is taken.
    classes=(),  # Names of the classes in the order of their labels, a file
    # of them, or 'imagenet'; '()': the data set's own. See
    # overlap/catalog/class_lists.
    image_size=0,  # Side of the square images, 0: as they are stored; see
    # also `input.resize` of a model.
    splits=dict(
      train='train',
      heldout='',
      test='test',
      probe_train='',  # Whose features linear probes are fitted on, and
      probe_heldout='',  # by which their strength is chosen.
    ),
    num_threads=2,  # That read and decode images.
  )


def _predict() -> dict[str, Any]:
  """Fields of prediction: what enters the store."""
  return dict(
    splits=('test',),  # Which of `data.splits` enter the store.
    feature_splits=(),  # Of which only features do, for probes.
    batch_size=512,  # Over all devices of all processes.
  )


def _transfer() -> dict[str, Any]:
  """Another data set, to probe the features on."""
  return dict(
    dataset='',  # Another one, to probe the features on; '': none.
    data_dir='',  # Where its files are; that of `data` if empty.
    optional=False,  # Whether the study goes on where it can't be had.
    splits=dict(train='train', heldout='', test='test'),
  )


def _analyses() -> dict[str, Any]:
  """Fields of the analyses."""
  return dict(
    split='test',
    tables=TABLES,
    pairs='all',  # 'all', 'base', or 'model:model,model:model'.
    calibration='nll',  # 'nll', 'all', 'grid' or 'ece_sweep'.
    folds=5,
    resamples=1000,  # Of the bootstrap.
    confidence=0.95,
    accuracy_interval='wilson',  # Or 'exact' (Clopper-Pearson).
    summary_interval='jackknife',  # Over models; or 'bootstrap'.
    window=0.0,  # Half-width around the base's accuracy; 0: all models.
    greedy=dict(
      starts=(),  # Models; the base and the most accurate if empty.
      pool=(),  # Models that may be added; all if empty.
      bound=0.0,  # Most accurate that may be; 0: less than the start.
      max_members=8,
      repetition=False,
      method='logits',  # Or 'probs', whose mean is taken.
      protocols=('cross_fitted', 'optimistic'),
      candidates=(),  # Of the exact search; the twelve best if empty.
    ),
    seed=0,
    memory_mb=1024,  # For the examples of all models held at once.
    specialisation=dict(
      pairs='',  # 'model:model,model:model'; '': chosen by itself.
      contrast='',  # One more pair; '': of FRAMEWORK and DATASET.
      bins=30,
      max_examples=2000,  # Drawn as points.
      groups=dict(),  # Name -> classes: names, indices, '0-300'.
      grouping='',  # 'config', 'imagenet', 'wordnet' or 'none'.
    ),
    interpolation=dict(
      pairs='base',  # 'base' or 'views'.
      points=101,
      group_a='',  # Of the groups above; '': the first two.
      group_b='',
    ),
    probing=dict(
      train='probe_train',  # Of `data.splits`, as is the next.
      heldout='probe_heldout',
      normalisation='l2_standardise',
      strengths=45,  # Of L2, evenly spaced in the logarithm.
      weakest=1e-6,
      strongest=1e5,
      max_iterations=1000,
      stream=False,  # Whether features are read anew in each pass.
      pairs='base',  # 'base' or 'views'.
      percents=(0, 25, 50, 75, 100),  # Of the base's dimensions.
      seeds=3,
      rankings=('correlation', 'variance', 'cholesky', 'random'),
      kept=(),  # Dimensions; '()': by eighths of the base's width.
      target=0.0,  # Accuracy; 0: that of the base's probe.
    ),
    transfer=dict(
      dataset='',  # In the store; '': that of `transfer` above.
      models=(),  # '()': the base and the best of three categories.
      groups=dict(),  # Name -> classes: further labels, as above.
      strengths=45,
      weakest=1e-6,
      strongest=1e5,
      permutations=1000,  # Of the test of a gain; 0: none.
    ),
    similarity=dict(
      normalise='l2',  # 'l2', 'standardise', 'both' or 'none'.
      max_examples=10_000,  # Drawn by a hash of their ids; 0: all.
      variance=0.99,  # Kept by principal directions; 0: no CCA.
      neighbours=10,  # Of each example; 0: none.
      neighbour_examples=2000,  # Among which they are looked for.
    ),
  )


def _report() -> dict[str, Any]:
  """Fields of figures and page."""
  return dict(
    figures=FIGURES,
    # Pixels a side of examples shown in the page; 0: none are. They are copies
    # of the data: think of whom the page is for.
    thumbnails=0,
  )


def _input() -> dict[str, Any]:
  """Fields of a model's input images."""
  return dict(
    size=0,  # Images are resized to it; 0: the data's.
    channels=0,  # 1 or 3; 0: the data's.
    mean=(0.5,),  # Of images in [0, 1]; one for all channels or one each.
    std=(0.25,),
    # How the original images are made square for this model alone, by one of
    # the rules in overlap/data/preparation.py: 'shorter_side', 'squash' or
    # 'crop_first'. '': the square images of `data.image_size` are resized.
    resize='',
    crop=0.875,  # The share of the resized side that is kept.
    interpolation='bicubic',  # Or 'bilinear', 'lanczos' or 'nearest'.
    antialias=True,  # As Pillow; False: as TensorFlow.
    channel_order='rgb',  # Or 'bgr'.
  )


def _init() -> dict[str, Any]:
  """Fields of a model's initial weights."""
  return dict(
    checkpoint='',  # Weights trained elsewhere; '': random.
    pretrained_on='',  # The data set they were trained on.
    # Refuse weights that lack a leaf of the model or have another besides;
    # False: what is missing stays random, and both are logged.
    strict=True,
  )


def _train() -> dict[str, Any]:
  """Fields of training on labels."""
  return dict(
    total_steps=0,
    total_epochs=0.0,  # Passes over the split, where total_steps is 0.
    batch_size=128,  # Over all devices of all processes.
    # 'sgd' (with momentum), 'adamw', 'rmsprop', 'lars' or 'lamb'.
    optimizer='sgd',
    learning_rate=0.1,
    # For which batch it is meant: it grows in proportion; 0: it stays.
    learning_rate_batch=0,
    warmup_steps=0,
    warmup_epochs=0.0,  # Of total_epochs.
    schedule='cosine',  # Or 'linear', 'constant', or 'step', which decays at
    milestones=(),  # these shares of the steps, such as (0.3, 0.6, 0.9),
    decay_factor=0.1,  # by this factor.
    weight_decay=1e-4,
    decay_all=False,  # Whether biases and normalisation decay too.
    momentum=0.9,
    nesterov=True,
    clip_norm=0.0,  # Of the gradient; 0: unclipped.
    ema_decay=0.0,  # Of an average of the weights, which is then the result.
    # Parts that a batch is computed in, one after another, to save memory.
    accumulate_steps=1,
    # Groups of neighbouring devices, each with statistics of its own in batch
    # norm; 1: those of the whole batch.
    batch_norm_groups=1,
    label_smoothing=0.0,
    augment='none',  # See overlap/data/augment.
    # How many of its first operations act on the original images, as these are
    # read: 1 for a resized_crop, more for flip and randaugment after it. The
    # others act on square images, on the device.
    augment_on_host=0,
    resize=0,  # Side of images before `augment`, which must bring them to
    # `input.size`, as 'cut(128)' does; 0: `input.size`.
    mixup=0.0,  # Alpha of MixUp; 0: none.
    # Whether DropBlock drops more from step to step: nothing at first, and what
    # the architecture's options say at last, as its authors have it.
    dropblock_ramp=False,
    log_every_steps=100,
    checkpoint_every_steps=250,
    # How parameters and the optimiser's state lie on the devices: 'replicated',
    # or 'fsdp', cut over all of them. Changes no result but by rounding.
    sharding='replicated',
  )


def _simclr() -> dict[str, Any]:
  """Fields of training without labels (SimCLR)."""
  return dict(
    total_steps=0,
    total_epochs=0.0,  # As for `train`, as are the other fields.
    batch_size=256,
    optimizer='',  # As for `train`, whose it is if empty.
    learning_rate=1e-3,
    learning_rate_batch=0,
    warmup_steps=0,
    warmup_epochs=0.0,
    weight_decay=1e-4,
    augment='simclr',
    augment_on_host=0,
    temperature=0.5,  # Of NT-Xent.
    hidden_size=128,  # Of the projection head.
    projection_size=64,
  )


def _image_text() -> dict[str, Any]:
  """Fields of training on images and texts."""
  return dict(
    total_steps=0,
    batch_size=256,
    optimizer='',  # As for `train`, whose it is if empty.
    learning_rate=1e-3,
    warmup_steps=0,
    weight_decay=0.1,
    augment='none',
    temperature=0.07,  # Before the first step; from then on it is learned.
    label_smoothing=0.0,
    # CSV or TSV file of pairs, with columns 'path', from the file's folder,
    # and 'caption'; a folder of .tar files with KEY.jpg (.png, .webp) and
    # KEY.txt, or a pattern of them; or 'tfds:NAME', from `data.data_dir`.
    # '': the training split, with its classes in templates.
    pairs='',
    caption='',  # Of TFDS's text features, as 'captions/text'; '': the only.
    templates=('openai_80',),  # As for `head`.
    # Phrase -> classes that it is true of, one of which may follow a class's
    # name: {'footwear': ('Sandal', 'Sneaker')} makes 'a Sandal, footwear'.
    attributes=dict(),
    tokenizer='bytes',  # Or 'clip' or 'align', of `head.text_folder`.
    text_tower='clip',  # Or 'align', which is BERT.
    context_length=96,  # Tokens of a text at most.
    hidden_size=128,  # Of the text tower, as are the next two.
    depth=3,
    num_heads=2,
  )


def _mpl() -> dict[str, Any]:
  """Fields of training by meta pseudo labels."""
  return dict(
    total_steps=0,
    batch_size=128,  # Of labelled examples,
    unlabelled_ratio=1,  # and so many times as many without.
    # Slice of the data set, such as 'train[10%:]', whose labels are not looked
    # at; '': the training split.
    unlabelled='',
    optimizer='',  # As for `train`, whose it is if empty.
    learning_rate=0.1,
    warmup_steps=0,
    weight_decay=1e-4,
    augment='none',  # Of what the student sees; else that of `train`.
    gradient='exact',  # Of the teacher; or 'sampled', the paper's.
    step_size=0.1,  # Of the student's step that the teacher looks ahead.
    consistency=0.0,  # Weight of the teacher's agreeing on both views,
    temperature=1.0,  # whose targets are sharpened by this divisor.
  )


def _pretrain() -> dict[str, Any]:
  """Fields of pre-training on the labels of another data set."""
  return dict(
    dataset='',  # As for `data`.
    data_dir='',  # Where its files are; that of `data` if empty.
    split='train',  # Which of its examples.
    total_steps=0,
    total_epochs=0.0,  # As for `train`, as are the other fields.
    batch_size=128,
    optimizer='',  # As for `train`, whose it is if empty.
    learning_rate=0.1,
    learning_rate_batch=0,
    warmup_steps=0,
    warmup_epochs=0.0,
    weight_decay=1e-4,
    label_smoothing=0.0,
    augment='none',
    augment_on_host=0,
  )


def _distill() -> dict[str, Any]:
  """Fields of distillation from another model."""
  return dict(
    teacher='',  # The name of another model of the study.
    kind='hard',  # 'hard': the teacher's class; 'soft': its distribution.
    weight=0.5,  # Of the teacher against the labels.
    temperature=1.0,  # Of 'soft'.
  )


def _head() -> dict[str, Any]:
  """Fields of the classifier."""
  return dict(
    # 'trained' with the network; 'lbfgs' on features; 'zero_shot' from texts,
    # and trained from there where there are steps; or 'class_mapping': that
    # of a checkpoint with other classes.
    fit='trained',
    max_examples=0,  # Of the training split; 0: all.
    strengths=(1e-4, 1e-3, 1e-2, 1e-1, 1.0),  # Of L2, chosen held-out.
    max_iterations=1000,
    # Of 'zero_shot'. See overlap/catalog/prompts for what may be given.
    text_folder='',  # Tokenizer and config.json; '': beside the checkpoint.
    templates=('openai_7',),  # Sentences, names of lists of them, files.
    class_names=(),  # Names, or one file; '()': the data set's.
    # Of 'class_mapping'. See overlap/models/class_mapping.
    mapping='',  # CSV file: source_class, target_class.
    source_classes='',  # File of one name a line, in the checkpoint's order.
    reduction='logsumexp',  # Of a class's sources; or 'max'.
  )
