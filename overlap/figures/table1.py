"""Table 1: the models of the main analysis, within the accuracy window."""

from overlap.figures import model_table

TABLE = model_table.ModelTable(
  number=1,
  title='Models, and how each overlaps with the base',
  holds='models within the accuracy window',
  chosen=lambda models: models['place'] == model_table.INSIDE,
)
rows, plot = TABLE.rows, TABLE.plot
