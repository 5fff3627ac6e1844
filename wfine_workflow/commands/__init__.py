"""Programs of ``wfine`` that are no more than a command line; see :mod:`wfine_workflow.command`."""
