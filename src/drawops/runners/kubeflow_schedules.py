"""Schedules as recurring runs of a Kubeflow backend."""

from collections.abc import Mapping, Sequence
from typing import Any

from drawops.errors import SettingsError
from drawops.runners import packages
from drawops.runners.kubeflow_backend import PREFIX, Backend
from drawops.runners.schedules import Schedule
from drawops.runners.validation import problems


class RecurringRuns:
    """Our recurring runs. Raises what `Backend` raises."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def apply(self, schedule: Schedule) -> str:
        """Make the backend's recurring run what the schedule says, pinned to this package. Returns its id.

        A recurring run can't be changed, so the one of that name goes and a new one comes.
        """
        package = packages.load(schedule.pipeline)
        documents, arguments = self._backend.placed(package.file), schedule.arguments()
        arguments.setdefault("image", self._backend.settings.image)
        if found := problems(documents, arguments):
            raise SettingsError(f"Kubeflow would refuse schedule '{schedule.name}': {'; '.join(found)}")
        pipeline_id, version_id = self._backend.upload(schedule.pipeline, documents)
        self.delete(schedule.name)
        with self._backend.answering():
            made = self._backend.client.create_recurring_run(
                self._backend.experiment_id,
                PREFIX + schedule.name,
                cron_expression=schedule.cron,
                max_concurrency=1,
                no_catchup=True,
                params=arguments,
                pipeline_id=pipeline_id,
                version_id=version_id,
                enabled=schedule.enabled,
                pipeline_root=self._backend.settings.kubeflow_root or None,
            )
        return made.recurring_run_id

    def list(self) -> Sequence[Mapping[str, Any]]:
        """Name, cron, whether it is enabled, pipeline version and id of each of our recurring runs."""
        with self._backend.answering():
            found = self._backend.client.list_recurring_runs(
                experiment_id=self._backend.experiment_id, page_size=100
            ).recurring_runs
        return [
            {
                "name": run.display_name.removeprefix(PREFIX),
                "cron": run.trigger.cron_schedule.cron if run.trigger and run.trigger.cron_schedule else "",
                "enabled": str(run.mode) != "DISABLE",
                "version": run.pipeline_version_reference.pipeline_version_id if run.pipeline_version_reference else "",
                "id": run.recurring_run_id,
            }
            for run in found or ()
            if run.display_name.startswith(PREFIX)
        ]

    def delete(self, name: str) -> bool:
        """Whether there was one."""
        mine = [s["id"] for s in self.list() if s["name"] == name]
        with self._backend.answering():
            for recurring_run_id in mine:
                self._backend.client.delete_recurring_run(recurring_run_id)
        return bool(mine)
