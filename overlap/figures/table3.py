"""Table 3: models below the accuracy window that are trained differently.

Models that differ from the base only in seed or settings are in table 4.
"""

from overlap.figures import model_table

TABLE = model_table.ModelTable(
  number=3,
  title='Trained differently, and below the accuracy window',
  holds='models below the accuracy window',
  chosen=lambda models: (
    (models['place'] == model_table.BELOW) & ~models['swept']
  ),
)
rows, plot = TABLE.rows, TABLE.plot
