"""A Kubeflow Pipelines backend (2.17): its client, its refusals, and our pipelines on it."""

import contextlib
import hashlib
import io
import json
import tempfile
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

import drawops
from drawops.errors import NotFound, SettingsError, Unavailable
from drawops.runners import packages
from drawops.runners.placement import Placement
from drawops.settings import Settings

if TYPE_CHECKING:
    import httpx
    import kfp

EXPERIMENT = "drawops"
PREFIX = "drawops-"  # before the names of our pipelines, which others share the backend with


class Backend:
    """The backend at `DRAWOPS_KUBEFLOW`.

    Raises:
        SettingsError: no address is set. Every method:
        Unavailable: the backend does not answer, or refuses who asks.
    """

    def __init__(self, settings: Settings) -> None:
        if not settings.kubeflow:
            raise SettingsError(
                "The runner 'kubeflow' needs the address of a Kubeflow Pipelines API: set DRAWOPS_KUBEFLOW, for example "
                "http://localhost:8888 after `kubectl -n kubeflow port-forward svc/ml-pipeline 8888`."
            )
        self.settings = settings
        self._packages: dict[str, packages.Package | None] = {}

    @cached_property
    def client(self) -> "kfp.Client":
        import kfp

        # kfp's client asks the same five times over half a minute before it says that nobody answers.
        health = self.get("/apis/v2beta1/healthz")
        if health.status_code != 200:
            raise self._refusal(health.status_code, health.text)
        with self.answering():
            return kfp.Client(
                host=self.settings.kubeflow,
                namespace=self.settings.kubeflow_namespace or "kubeflow",
                existing_token=self._token or None,
                ssl_ca_cert=self.settings.kubeflow_ca or None,
            )

    def placed(self, package: Path) -> list[dict[str, Any]]:
        """The package's documents with the placement of the settings."""
        documents = list(yaml.safe_load_all(package.read_text(encoding="utf-8")))
        if self.settings.placement:
            placement = Placement.load(Path(self.settings.placement))
            placement.check_steps({task for name in packages.names() for task in packages.load(name).tasks})
            placement.apply(documents)
        return documents

    def upload(self, pipeline: str, documents: list[dict[str, Any]]) -> tuple[str, str]:
        """(pipeline id, version id) of exactly this package, uploaded where the backend has not got it yet."""
        text = yaml.safe_dump_all(documents, sort_keys=True, allow_unicode=True)
        version = f"{drawops.__version__}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"
        name = PREFIX + pipeline
        with tempfile.TemporaryDirectory() as folder, self.answering():
            file = Path(folder, "pipeline.yaml")
            file.write_text(text, encoding="utf-8")
            pipeline_id = self.client.get_pipeline_id(name)
            if pipeline_id is None:
                pipeline_id = self.client.upload_pipeline(str(file), pipeline_name=name).pipeline_id
            token = ""
            while True:
                page = self.client.list_pipeline_versions(pipeline_id, page_token=token, page_size=100)
                for known in page.pipeline_versions or ():
                    if known.display_name == version:
                        return pipeline_id, known.pipeline_version_id
                if not (token := page.next_page_token or ""):
                    break
            uploaded = self.client.upload_pipeline_version(str(file), version, pipeline_id=pipeline_id)
            return pipeline_id, uploaded.pipeline_version_id

    def package(self, pipeline_id: str) -> packages.Package | None:
        """The package behind a pipeline of the backend; None when it is not one of ours, or gone."""
        if pipeline_id not in self._packages:
            name = ""
            with contextlib.suppress(NotFound), self.answering(not_found="gone"):
                name = self.client.get_pipeline(pipeline_id).display_name
            ours = name.removeprefix(PREFIX)
            known = name != ours and ours in packages.names()
            self._packages[pipeline_id] = packages.load(ours) if known else None
        return self._packages[pipeline_id]

    @cached_property
    def experiment_id(self) -> str:
        with self.answering():
            return self.client.create_experiment(
                EXPERIMENT, namespace=self.settings.kubeflow_namespace or None
            ).experiment_id

    @cached_property
    def _token(self) -> str:
        """The token itself: the setting may name a file, as a mounted service account token is one."""
        value = self.settings.kubeflow_token
        if value.startswith(("/", "~", ".")):
            file = Path(value).expanduser()
            try:
                return file.read_text(encoding="utf-8").strip()
            except OSError as exc:
                raise SettingsError(f"DRAWOPS_KUBEFLOW_TOKEN: can't read {file}: {exc.strerror}.") from exc
        return value

    def get(self, path: str) -> "httpx.Response":
        import httpx

        headers = {"authorization": f"Bearer {self._token}"} if self._token else {}
        verify: Any = self.settings.kubeflow_ca or True
        try:
            return httpx.get(self.settings.kubeflow.rstrip("/") + path, headers=headers, verify=verify, timeout=30)
        except (httpx.HTTPError, httpx.InvalidURL) as exc:
            raise Unavailable(
                f"Kubeflow at {self.settings.kubeflow} does not answer: {exc}. Check DRAWOPS_KUBEFLOW."
            ) from exc

    def _refusal(self, status: int, body: Any) -> Unavailable:
        what = {401: "does not know you", 403: "forbids it"}.get(status, f"answers {status}")
        hint = " Check DRAWOPS_KUBEFLOW_TOKEN." if status in (401, 403) else ""
        return Unavailable(f"Kubeflow at {self.settings.kubeflow} {what}: {_message(body)}.{hint}")

    @contextlib.contextmanager
    def answering(self, not_found: str = "") -> Iterator[None]:
        """kfp's client prints links to standard output and raises other libraries' errors: neither goes further."""
        from kfp_server_api import ApiException
        from urllib3.exceptions import HTTPError

        try:
            with contextlib.redirect_stdout(io.StringIO()):
                yield
        except ApiException as exc:
            if exc.status == 404 and not_found:
                raise NotFound(not_found) from exc
            raise self._refusal(exc.status, exc.body) from exc
        except HTTPError as exc:
            raise Unavailable(
                f"Kubeflow at {self.settings.kubeflow} does not answer: {exc}. Check DRAWOPS_KUBEFLOW."
            ) from exc


def _message(body: Any) -> str:
    """The server's own words, out of its JSON where it is some."""
    try:
        answer = json.loads(body)
        return str(answer.get("message") or answer.get("error_message") or answer)[:400]
    except (TypeError, ValueError, AttributeError):
        return str(body)[:400]
