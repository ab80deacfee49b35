"""Table 4: other seeds and settings of the base outside the window."""

from overlap.figures import model_table

TABLE = model_table.ModelTable(
  number=4,
  title='Other seeds and settings that missed the accuracy window',
  holds='models of other seeds or settings outside the accuracy window',
  chosen=lambda models: (
    (models['place'] != model_table.INSIDE) & models['swept']
  ),
  brief=True,
)
rows, plot = TABLE.rows, TABLE.plot
