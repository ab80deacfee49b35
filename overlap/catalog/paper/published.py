"""Figures that the paper reports outside its tables.

All shares are fractions, so that they compare with `tables/`; the comments
say where the paper gives them.
"""

# The base: a ResNet-50 trained with RandAugment, against which error
# inconsistency and ensemble accuracy are measured (Sec. 3.2).
BASE_ACCURACY = 0.765
# The window of the main analyses (Sec. 3.2), and its centre's half-width.
ACCURACY_WINDOW = (0.74, 0.78)

# How many models of each category (Sec. 3.2); besides them one REINIT model,
# the base, and EfficientNet-B3.
MODEL_COUNTS = {'HPARAM': 51, 'ARCH': 17, 'FRAMEWORK': 2, 'DATASET': 12}

# Pearson's, of error inconsistency with the base and the ensemble's gain over
# the pair's mean accuracy, over the 50 rows of table 1 (Fig. 2).
CORRELATION = 0.988
# Means over the rows of table 1 (Fig. 1 and 2).
ERROR_INCONSISTENCY = {
  'REINIT': 0.0850,
  'HPARAM': 0.0947,
  'ARCH': 0.1174,
  'FRAMEWORK': 0.1262,
  'DATASET': 0.1843,
}
GAIN = {
  'REINIT': 0.0096,
  'HPARAM': 0.0117,
  'ARCH': 0.0208,
  'FRAMEWORK': 0.0237,
  'DATASET': 0.0525,
}

# Of the examples that both models get wrong, how many the ensemble gets
# right: (converted, all) (Fig. 10).
NEITHER = {
  'REINIT': (94, 7154),
  'ARCH': (190, 6246),
  'DATASET': (355, 5192),
}

# Accuracy of the ensemble before and after class-aware weights (Fig. 11).
CLASS_AWARE_ACCURACY = (0.80424, 0.80452)

# Greedy ensembles of a strong model and weaker ones (Sec. 4.5): start model,
# its accuracy, the ensemble's, the bound on the members' accuracy.
GREEDY = ('BiT-1k', 0.8285, 0.8666, 0.7744)
# The best first member beside each start model, and the pair's accuracy
# (Fig. 5).
FIRST_ADDITIONS = {
  'CLIP-L': ('SEResNeXt-26d', 0.857),
  'ALIGN': ('TF-Inception-V3', 0.858),
  'EfficientNet-B3': ('ALIGN-ZS', 0.849),
  'BiT-1k': ('ALIGN-ZS', 0.832),
}

# The smallest number of diverse dimensions whose probe reaches the accuracy,
# on average (Sec. 4.6, Fig. 6 right).
PROBE_TARGET_ACCURACY = 0.76
PROBE_DIMENSIONS = {
  'REINIT': 2304,
  'HPARAM': 2057,
  'ARCH': 1392,
  'DATASET': 512,
}

# 11-point mean average precision on Pascal VOC 2007 of two models' features
# together, and that of the best single model (Sec. 4.7, Fig. 7).
VOC_PAIRS = {
  ('ViT-G/14', 'CLIP-S'): 0.9136,
  ('MPL', 'ViT-G/14'): 0.8804,
  ('MPL', 'CLIP-S'): 0.8974,
}
VOC_BEST_SINGLE = 0.907
