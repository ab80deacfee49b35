"""Table 2: models above the accuracy window, of any training.

Models that differ from the base only in seed or settings are in table 4.
"""

from overlap.figures import model_table

TABLE = model_table.ModelTable(
  number=2,
  title='High accuracy: models above the accuracy window',
  holds='models above the accuracy window',
  chosen=lambda models: (
    (models['place'] == model_table.ABOVE) & ~models['swept']
  ),
)
rows, plot = TABLE.rows, TABLE.plot
