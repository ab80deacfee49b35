"""Training: one small file a method, and the loop they share."""

METHODS = {
  'supervised': 'overlap.train.supervised:train',
  'simclr': 'overlap.train.simclr:train',
  'distill': 'overlap.train.distill:train',
}
