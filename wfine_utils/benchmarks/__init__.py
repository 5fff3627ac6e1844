"""Benchmarks that people have, each as chains, with its official metric beside WEval's."""

from typing import TYPE_CHECKING

from wfine_utils.faces import on_demand

if TYPE_CHECKING:
    from wfine_utils.benchmarks.loading import LAYOUTS, Benchmark, load_benchmark

__getattr__ = on_demand(__name__)
