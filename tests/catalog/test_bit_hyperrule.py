"""BiT-HyperRule at and around its thresholds."""

import pytest

from overlap.catalog import bit_hyperrule
from overlap.config import schema
from overlap.core import errors
from overlap.data import augment
from overlap.train import schedules


@pytest.mark.parametrize(
  ('examples', 'steps', 'mixup'),
  [
    (1_000, 500, 0.0),
    (19_999, 500, 0.0),
    (20_000, 10_000, 0.1),
    (499_999, 10_000, 0.1),
    (500_000, 20_000, 0.1),
    (1_281_167, 20_000, 0.1),
  ],
)
def test_schedule_and_mixup_follow_the_number_of_examples(
  examples, steps, mixup
):
  fields = bit_hyperrule.overrides(examples, 32, 32)
  assert fields['train.total_steps'] == steps
  assert fields['train.mixup'] == mixup
  assert fields['train.batch_size'] == 512


@pytest.mark.parametrize(
  ('height', 'width', 'expected'),
  [
    (32, 32, (160, 128)),
    (95, 96, (160, 128)),
    (96, 96, (448, 384)),
    (40, 300, (448, 384)),
    (224, 224, (448, 384)),
  ],
)
def test_sizes_follow_the_area_of_the_images(height, width, expected):
  assert bit_hyperrule.sizes(height, width) == expected


def test_a_model_s_config_takes_the_rule():
  config = schema.bit_finetune(
    schema.model('bit'), num_examples=50_000, image_size=32
  )
  train = config.train
  assert (config.input.size, train.resize) == (128, 160)
  augment.build(train.augment)
  rate = schedules.build(
    train.schedule,
    learning_rate=train.learning_rate,
    warmup_steps=train.warmup_steps,
    total_steps=train.total_steps,
    milestones=train.milestones,
    decay_factor=train.decay_factor,
  )
  steps = {250: 1.5e-3, 500: 3e-3, 2999: 3e-3, 3000: 3e-4, 6000: 3e-5}
  for step, expected in (steps | {9000: 3e-6, 9999: 3e-6}).items():
    assert float(rate(step)) == pytest.approx(expected, rel=1e-4)


def test_what_can_not_be_is_one_line():
  with pytest.raises(errors.UsageError, match='num_examples'):
    bit_hyperrule.overrides(0, 32, 32)
  with pytest.raises(errors.UsageError, match='one pixel, got 0×32'):
    bit_hyperrule.overrides(5, 0, 32)
