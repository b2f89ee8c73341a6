"""Kubeflow pipelines. `python -m pipelines` compiles them into the packages that ship in the wheel."""
