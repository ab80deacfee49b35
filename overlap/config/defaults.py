"""Fields of a study's config, with their defaults.

See `config` for how a config is read and checked.
"""

from typing import Any

import ml_collections

from overlap.tables import schemas

TABLES = tuple(schemas.SCHEMAS)
FIGURES = (
  'fig01', 'fig02', 'fig03', 'fig04', 'fig05', 'fig06', 'fig07', 'fig08',
  'fig09', 'fig10', 'fig11', 'fig12', 'fig13', 'heatmap', 'table1', 'table2',
  'table3', 'table4',
)  # fmt: skip


def study() -> ml_collections.ConfigDict:
  """Returns the fields of a study without models."""
  config = ml_collections.ConfigDict()
  config.name = 'study'
  config.base = 'base'  # Name of the model that the others are compared with.
  config.models = ml_collections.ConfigDict()  # Name -> `model` or `probe`.

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
  """Returns the fields of one model of a study.

  Args:
    architecture: a key of `overlap.models.MODELS`.
    **options: fields of that Flax module (`depth`, `dropout_rate`, ...).
  """
  config = ml_collections.ConfigDict()
  config.source = 'train'  # 'train' to train (or load) the model, or 'store'.
  config.method = 'supervised'  # A key of `overlap.train.METHODS`.
  config.seed = 0
  config.dtype = 'float32'  # Dtype of computations; parameters are float32.
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
  """Returns the fields of a model that is a linear probe on other models.

  It has no stored features of its own, and takes part in every comparison of
  predictions, with the head 'L-BFGS', like the paper's CLIP-S.

  Args:
    *models: names of models of the study; their stored features are
      concatenated.
  """
  config = ml_collections.ConfigDict()
  config.source = 'probe'
  config.models = models
  config.train = 'probe_train'  # Key of `data.splits`, like `heldout`.
  config.heldout = 'probe_heldout'
  config.normalisation = 'l2_standardise'  # Of each model.
  config.strengths = 45  # Number of L2 strengths, logarithmically spaced.
  config.weakest = 1e-6
  config.strongest = 1e5
  config.max_iterations = 1000
  config.stream = False  # Whether to read features anew in each pass.
  return config.lock()


def _data() -> dict[str, Any]:
  """Fields of the data: data set, splits and location."""
  return dict(
    dataset='',  # See overlap/data/__init__.py for the sources.
    label='',  # Name in tables ('IN'); '': the data set's name.
    data_dir='',  # Folder of the data files; '': `./data`.
    fallback='',  # Data set to use if `dataset` can't be fetched; not used for
    # data that are never fetched, such as a folder.
    classes=(),  # Names of the classes in the order of their labels, a file
    # of them, or 'imagenet'; '()': the data set's own. See
    # overlap/catalog/class_lists.
    image_size=0,  # Side of the square images; 0: as stored. See also
    # `input.resize` of a model.
    splits=dict(
      train='train',
      heldout='',
      test='test',
      probe_train='',  # Split to fit linear probes on.
      probe_heldout='',  # Split to select their strength on.
    ),
    num_threads=2,  # Threads that read and decode images.
  )


def _predict() -> dict[str, Any]:
  """Fields of prediction: contents of the store."""
  return dict(
    splits=('test',),  # Keys of `data.splits` to predict.
    feature_splits=(),  # Further splits with features only, for probes.
    batch_size=512,  # Over all devices of all processes.
  )


def _transfer() -> dict[str, Any]:
  """Fields of the data set for transfer, to probe the features on."""
  return dict(
    dataset='',  # Data set to probe the features on; '': none.
    data_dir='',  # Folder of its files; '': that of `data`.
    optional=False,  # Whether to go on if it is not available.
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
    resamples=1000,  # Number of bootstrap resamples.
    confidence=0.95,
    accuracy_interval='wilson',  # 'wilson' or 'exact' (Clopper-Pearson).
    summary_interval='jackknife',  # Over models: 'jackknife' or 'bootstrap'.
    window=0.0,  # Half-width around the base's accuracy; 0: all models.
    greedy=dict(
      starts=(),  # Models; '()': the base and the most accurate.
      pool=(),  # Models that may be added; '()': all.
      bound=0.0,  # Maximal accuracy of added models; 0: below the start's.
      max_members=8,
      repetition=False,
      method='logits',  # 'logits' or 'probs', the quantity to average.
      protocols=('cross_fitted', 'optimistic'),
      candidates=(),  # Models of the exact search; '()': the twelve best.
    ),
    seed=0,
    memory_mb=1024,  # Memory for the examples of all models.
    specialisation=dict(
      pairs='',  # 'model:model,model:model'; '': automatic.
      contrast='',  # One more pair; '': of FRAMEWORK and DATASET.
      bins=30,
      max_examples=2000,  # Maximal number of examples drawn as points.
      groups=dict(),  # Name -> classes: names, indices, '0-300'.
      grouping='',  # 'config', 'imagenet', 'wordnet' or 'none'.
    ),
    interpolation=dict(
      pairs='base',  # 'base' or 'views'.
      points=101,
      group_a='',  # Key of the groups above; '': the first two.
      group_b='',
    ),
    probing=dict(
      train='probe_train',  # Key of `data.splits`, like `heldout`.
      heldout='probe_heldout',
      normalisation='l2_standardise',
      strengths=45,  # Number of L2 strengths, logarithmically spaced.
      weakest=1e-6,
      strongest=1e5,
      max_iterations=1000,
      stream=False,  # Whether to read features anew in each pass.
      pairs='base',  # 'base' or 'views'.
      percents=(0, 25, 50, 75, 100),  # Percentages of the base's dimensions.
      seeds=3,
      rankings=('correlation', 'variance', 'cholesky', 'random'),
      kept=(),  # Numbers of dimensions; '()': by eighths of the base's.
      target=0.0,  # Target accuracy; 0: that of the base's probe.
    ),
    transfer=dict(
      dataset='',  # Name in the store; '': that of `transfer` above.
      models=(),  # '()': the base and the best of three categories.
      groups=dict(),  # Name -> classes: additional labels, as above.
      strengths=45,
      weakest=1e-6,
      strongest=1e5,
      permutations=1000,  # Number of permutations of the test; 0: no test.
    ),
    similarity=dict(
      normalise='l2',  # 'l2', 'standardise', 'both' or 'none'.
      max_examples=10_000,  # Maximal number, by hash of ids; 0: all.
      variance=0.99,  # Variance that CCA keeps; 0: no CCA.
      neighbours=10,  # Number of nearest neighbours; 0: none.
      neighbour_examples=2000,  # Examples to search for neighbours.
    ),
  )


def _report() -> dict[str, Any]:
  """Fields of figures and report."""
  return dict(
    figures=FIGURES,
    # Side in pixels of the examples shown in the report; 0: none are shown.
    # They are copies of the data: consider who will read the report.
    thumbnails=0,
  )


def _input() -> dict[str, Any]:
  """Fields of a model's input images."""
  return dict(
    size=0,  # Side of the images after resizing; 0: the data's.
    channels=0,  # 1 or 3; 0: the data's.
    mean=(0.5,),  # Mean of images in [0, 1], one value or one per channel.
    std=(0.25,),
    # Rule of overlap/data/preparation.py by which original images are made
    # square for this model: 'shorter_side', 'squash' or 'crop_first'. '': the
    # square images of `data.image_size` are resized.
    resize='',
    crop=0.875,  # Fraction of the resized side to keep.
    interpolation='bicubic',  # 'bicubic', 'bilinear', 'lanczos' or 'nearest'.
    antialias=True,  # True: as Pillow; False: as TensorFlow.
    channel_order='rgb',  # 'rgb' or 'bgr'.
  )


def _init() -> dict[str, Any]:
  """Fields of a model's initial weights."""
  return dict(
    checkpoint='',  # Pre-trained weights; '': random initialisation.
    pretrained_on='',  # Data set of the pre-training.
    # Whether to refuse weights with missing or surplus leaves; False: missing
    # ones stay random, and both are logged.
    strict=True,
  )


def _train() -> dict[str, Any]:
  """Fields of training on labels."""
  return dict(
    total_steps=0,
    total_epochs=0.0,  # Passes over the split, if total_steps is 0.
    batch_size=128,  # Over all devices of all processes.
    # 'sgd' (with momentum), 'adamw', 'rmsprop', 'lars' or 'lamb'.
    optimizer='sgd',
    learning_rate=0.1,
    # Batch size for which the learning rate is meant, for linear scaling; 0: no
    # scaling.
    learning_rate_batch=0,
    warmup_steps=0,
    warmup_epochs=0.0,  # Warm-up, as part of total_epochs.
    schedule='cosine',  # 'cosine', 'linear', 'constant' or 'step'.
    milestones=(),  # Of 'step': fractions of the steps, as (0.3, 0.6, 0.9).
    decay_factor=0.1,  # Of 'step': factor at each milestone.
    weight_decay=1e-4,
    decay_all=False,  # Whether to decay biases and normalisation too.
    momentum=0.9,
    nesterov=True,
    clip_norm=0.0,  # Maximal norm of the gradient; 0: no clipping.
    ema_decay=0.0,  # Decay of the average of weights; 0: no averaging.
    # Number of parts per batch (gradient accumulation), to save memory.
    accumulate_steps=1,
    # Number of groups of neighbouring devices with separate batch norm
    # statistics; 1: statistics of the whole batch.
    batch_norm_groups=1,
    label_smoothing=0.0,
    augment='none',  # See overlap/data/augment.
    # Number of first operations of `augment` that act on the original images
    # as they are read: 1 for a resized_crop, more for flip and randaugment
    # after it. The others act on square images, on the device.
    augment_on_host=0,
    resize=0,  # Side of images before `augment`, which must bring them to
    # `input.size`, as 'cut(128)' does; 0: `input.size`.
    mixup=0.0,  # Parameter alpha of MixUp; 0: no MixUp.
    # Whether the DropBlock rate grows linearly from 0 to that of the
    # architecture's options, as in its authors' schedule.
    dropblock_ramp=False,
    log_every_steps=100,
    checkpoint_every_steps=250,
    # Sharding of parameters and optimiser state: 'replicated', or 'fsdp' for
    # sharding over all devices. Results differ by rounding only.
    sharding='replicated',
  )


def _simclr() -> dict[str, Any]:
  """Fields of training without labels (SimCLR)."""
  return dict(
    total_steps=0,
    total_epochs=0.0,  # See `train`, also for the other fields.
    batch_size=256,
    optimizer='',  # '': that of `train`.
    learning_rate=1e-3,
    learning_rate_batch=0,
    warmup_steps=0,
    warmup_epochs=0.0,
    weight_decay=1e-4,
    augment='simclr',
    augment_on_host=0,
    temperature=0.5,  # Temperature of NT-Xent.
    hidden_size=128,  # Width of the projection head's hidden layer.
    projection_size=64,
  )


def _image_text() -> dict[str, Any]:
  """Fields of training on images and texts."""
  return dict(
    total_steps=0,
    batch_size=256,
    optimizer='',  # '': that of `train`.
    learning_rate=1e-3,
    warmup_steps=0,
    weight_decay=0.1,
    augment='none',
    temperature=0.07,  # Initial temperature; it is learned.
    label_smoothing=0.0,
    # Pairs of images and captions: a CSV or TSV file with the columns 'path',
    # relative to the file's folder, and 'caption'; a folder of .tar files with
    # KEY.jpg (.png, .webp) and KEY.txt, or a pattern of them; or 'tfds:NAME',
    # in `data.data_dir`. '': the training split, with class templates.
    pairs='',
    caption='',  # TFDS text feature, as 'captions/text'; '': the only one.
    templates=('openai_80',),  # See `head`.
    # Phrase -> classes that it describes; one phrase may follow a class's
    # name: {'footwear': ('Sandal', 'Sneaker')} makes 'a Sandal, footwear'.
    attributes=dict(),
    tokenizer='bytes',  # Or 'clip' or 'align', from `head.text_folder`.
    text_tower='clip',  # 'clip', or 'align', which is BERT.
    context_length=96,  # Maximal number of tokens per text.
    hidden_size=128,  # Width of the text tower.
    depth=3,
    num_heads=2,
  )


def _mpl() -> dict[str, Any]:
  """Fields of training by meta pseudo labels."""
  return dict(
    total_steps=0,
    batch_size=128,  # Number of labelled examples per batch.
    unlabelled_ratio=1,  # Unlabelled examples per labelled one.
    # Slice of the data set, such as 'train[10%:]', whose labels are ignored;
    # '': the training split.
    unlabelled='',
    optimizer='',  # '': that of `train`.
    learning_rate=0.1,
    warmup_steps=0,
    weight_decay=1e-4,
    augment='none',  # Policy for the student; others use that of `train`.
    gradient='exact',  # The teacher's: 'exact', or 'sampled' as in the paper.
    step_size=0.1,  # Student's step size in the teacher's gradient.
    consistency=0.0,  # Weight of the teacher's consistency loss.
    temperature=1.0,  # Divisor of the logits of its targets.
  )


def _pretrain() -> dict[str, Any]:
  """Fields of pre-training on the labels of another data set."""
  return dict(
    dataset='',  # See `data`.
    data_dir='',  # Folder of its files; '': that of `data`.
    split='train',  # Slice of the data set.
    total_steps=0,
    total_epochs=0.0,  # See `train`, also for the other fields.
    batch_size=128,
    optimizer='',  # '': that of `train`.
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
    teacher='',  # Name of another model of the study.
    kind='hard',  # 'hard': the teacher's class; 'soft': its distribution.
    weight=0.5,  # Weight of the teacher's loss; labels: 1 - weight.
    temperature=1.0,  # Temperature of 'soft'.
  )


def _head() -> dict[str, Any]:
  """Fields of the classifier."""
  return dict(
    # 'trained' with the network; 'lbfgs' on features; 'zero_shot' from texts,
    # then trained if there are steps; or 'class_mapping': the head of a
    # checkpoint with other classes.
    fit='trained',
    max_examples=0,  # Maximal number of training examples; 0: all.
    strengths=(1e-4, 1e-3, 1e-2, 1e-1, 1.0),  # L2, selected on held-out.
    max_iterations=1000,
    # For 'zero_shot'. See overlap/catalog/prompts for possible values.
    text_folder='',  # Tokenizer and config.json; '': beside the checkpoint.
    templates=('openai_7',),  # Sentences, names of lists of them, or files.
    class_names=(),  # Names, or one file; '()': the data set's.
    # For 'class_mapping'. See overlap/models/class_mapping.
    mapping='',  # CSV file: source_class, target_class.
    source_classes='',  # File of one name per line, in the order of logits.
    reduction='logsumexp',  # Of a class's sources: 'logsumexp' or 'max'.
  )
