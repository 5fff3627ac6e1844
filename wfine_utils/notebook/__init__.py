"""What every notebook does alike: parameters, the folder of a run, figures, tables, sentences."""

from typing import TYPE_CHECKING

from wfine_utils.faces import on_demand

if TYPE_CHECKING:
    from wfine_utils.files import project_root, resolve
    from wfine_utils.notebook.figures import (
        bar_plot,
        count_heatmap,
        curve_plot,
        forest_plot,
        group_plot,
        length_by_kept,
        metric_heatmap,
        readable,
    )
    from wfine_utils.notebook.kept_models import kept_model
    from wfine_utils.notebook.parallel import in_parallel
    from wfine_utils.notebook.params import (
        AnnotationParams,
        BaseModelParams,
        DataParams,
        DroppingParams,
        PeopleParams,
        PolicyByHandParams,
        PolicyParams,
        RewardByHandParams,
        RewardModelParams,
        TablesParams,
        WevalParams,
    )
    from wfine_utils.notebook.render import (
        entries,
        highlight_query,
        pretty,
        side_by_side,
        styled,
        to_latex,
        to_markdown,
        value_table,
    )
    from wfine_utils.notebook.run import check_previous, needed_file, start_run
    from wfine_utils.notebook.sentences import Finding, ends, estimate, signs, span

__getattr__ = on_demand(__name__)
