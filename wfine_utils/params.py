"""The parameters of every notebook, one pydantic model each.

The parameters cell of a notebook, its ``params/<preset>/NN_name.yaml`` and its model here
name exactly the same parameters (a test compares them). Papermill only warns of a key that a
notebook does not know; these models refuse it.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from wfine_utils.errors import WfineError


class NotebookParams(BaseModel):
    """What every notebook takes. Subclasses add their own; unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    notebook: ClassVar[str]

    preset: str = Field(min_length=1, description="name of the parameter set; names the output folder")
    output_root: str = Field(min_length=1, description="folder that holds outputs/<preset>; relative to where the notebook runs")
    seed: int = Field(ge=0, lt=2**32, description="seed of everything stochastic in this notebook")

    @classmethod
    def from_namespace(cls, namespace: Mapping[str, Any]) -> Self:
        """Check the parameters that a notebook defines.

        Args:
            namespace: the notebook's ``globals()``.

        Returns:
            The checked parameters.

        Raises:
            WfineError: a parameter is missing, has a bad value, or papermill injected one
                that this notebook does not have.
        """
        injected = {
            target.id
            for source in namespace.get("In", [])
            if source.lstrip().startswith("# Parameters")  # the header papermill writes
            for node in ast.walk(ast.parse(source))
            if isinstance(node, ast.Assign)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        names = injected | cls.model_fields.keys()
        return cls.checked({k: namespace[k] for k in names if k in namespace}, "parameters cell")

    @classmethod
    def checked(cls, values: Mapping[str, Any], where: str) -> Self:
        """``cls(**values)``, with every problem in one :class:`WfineError` that names ``where``."""
        try:
            return cls(**values)
        except ValidationError as error:
            problems = "; ".join(
                f"{'.'.join(map(str, e['loc'])) or 'parameters'}: {e['msg']}"
                + ("" if e["type"] == "missing" else f" (found {e['input']!r})")
                for e in error.errors()[:20]
            )
            raise WfineError(
                f"{where}: the parameters of notebook {cls.notebook} do not hold: {problems}. "
                f"Known parameters: {', '.join(cls.model_fields)}."
            ) from None
