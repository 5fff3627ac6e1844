"""What every notebook does alike: parameters, the folder of a run, figures, tables."""

from wfine_utils.notebook.figures import (
    adherence_plot,
    count_bars,
    count_heatmap,
    curve_plot,
    drop_rate_plot,
    forest_plot,
    highlight_query,
    length_by_kept,
    metric_heatmap,
    nf4_plot,
    subtype_bars,
    type_accuracy_plot,
)
from wfine_utils.notebook.params import (
    AnnotationParams,
    BaseModelParams,
    DataParams,
    DroppingParams,
    PolicyParams,
    RewardModelParams,
    TablesParams,
    WevalParams,
)
from wfine_utils.notebook.render import pretty, to_latex, to_markdown
from wfine_utils.notebook.run import start_run
