"""Lengths in epochs, and learning rates for a batch, as they come out."""

import pytest

from overlap.config import schema
from overlap.core import errors
from overlap.train import lengths


def fields(**given):
  return dict(schema.model('resnet').train.to_dict()) | given


def test_epochs_are_steps_of_the_batch():
  made = lengths.in_steps(
    fields(total_epochs=90.0, warmup_epochs=5.0, batch_size=1024), 1_281_167
  )
  # 1,281,167 / 1,024 = 1,251.14 steps an epoch.
  assert (made['total_steps'], made['warmup_steps']) == (112_603, 6_256)


def test_steps_come_before_epochs():
  given = fields(
    total_steps=2, warmup_steps=1, total_epochs=90.0, warmup_epochs=5.0
  )
  made = lengths.in_steps(given, 10**6)
  assert (made['total_steps'], made['warmup_steps']) == (2, 1)
  assert made == given


@pytest.mark.parametrize(
  ('batch', 'reference', 'rate'),
  [(1024, 256, 0.4), (64, 256, 0.025), (1024, 0, 0.1), (256, 256, 0.1)],
)
def test_the_rate_grows_with_the_batch(batch, reference, rate):
  made = lengths.in_steps(
    fields(
      total_steps=5, batch_size=batch, learning_rate=0.1,
      learning_rate_batch=reference,
    ),
    100,
  )  # fmt: skip
  assert made['learning_rate'] == pytest.approx(rate)


def test_by_default_nothing_changes():
  given = fields(total_steps=7, warmup_steps=3)
  assert lengths.in_steps(given, 100) == given
  assert lengths.is_trained(given)
  assert not lengths.is_trained(given | {'total_steps': 0})
  assert lengths.is_trained(given | {'total_steps': 0, 'total_epochs': 0.5})


@pytest.mark.parametrize(
  ('given', 'match'),
  [
    ({'total_epochs': 0.1}, 'at least one step, got 0.1 of 100 examples'),
    ({'total_epochs': -1.0}, 'total_epochs must be at least 0, got -1.0'),
    ({'learning_rate_batch': -4}, 'learning_rate_batch must be at least 0'),
  ],
)
def test_lengths_that_can_not_be_are_one_line(given, match):
  with pytest.raises(errors.UsageError, match=match):
    lengths.in_steps(fields(batch_size=1000, **given), 100)
