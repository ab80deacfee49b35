"""Training: one small file per method, and the loop they share."""

METHODS = {
  'supervised': 'overlap.train.supervised:train',
  'simclr': 'overlap.train.simclr:train',
  'image_text': 'overlap.train.image_text:train',
  'mpl': 'overlap.train.mpl:train',
  'pretrain': 'overlap.train.pretrain:train',
  'distill': 'overlap.train.distill:train',
}
