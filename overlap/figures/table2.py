"""Table 2: models above the accuracy window, however they were trained.

Those that differ from the base in seed or settings alone are in table 4.
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
