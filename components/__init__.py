"""Kubeflow components: one folder a step, each a thin doorway into `drawops.steps`.

A body imports the library and calls one function, so the same component runs in a subprocess (kfp.local) and
in a pod. The image below is a placeholder for compiling: the pipelines set it from their `image` parameter.
Component files must not use `from __future__ import annotations`, `str | None` or pydantic types: kfp reads
the annotations as they stand.
"""

from functools import partial

from kfp import dsl

IMAGE = "drawops/trainer:0.1.0"

# No packages are installed at run time: the image holds drawops and kfp (and starting pip would cost 1.6 s a step).
component = partial(dsl.component, base_image=IMAGE, packages_to_install=[], install_kfp_package=False)
