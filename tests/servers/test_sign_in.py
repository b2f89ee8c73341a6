"""MLflow on PostgreSQL with sign-in: who decides is who signed in, and the rules hold on every path."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from drawops.errors import SettingsError
from drawops.registry import ModelRegistry, ModelVersion
from drawops.registry.accounts import accounts_uri, set_account
from drawops.registry.ui import mlflow_ui
from drawops.settings import Settings, prepare_home
from tests.servers import postgresql
from tests.servers.small_models import candidate, small_base

pytestmark = [pytest.mark.server, pytest.mark.slow]
OWN = "drawops-own-password"
PEOPLE = {
    "li.wei": "li-wei-password",
    "wang.fang": "wang-fang-password",
    "gast": "gast-password-123",
    "chef": "chef-password-123",
}
"""chef may do everything that MLflow lets the owner of a model do."""


@dataclass
class Plant:
    settings: Settings
    registry: ModelRegistry
    address: str
    folder: Path

    def ask(self, user: str, path: str, *, method: str = "POST", api: str = "api", **body: str) -> httpx.Response:
        """One request to MLflow as `user`."""
        password = PEOPLE.get(user, OWN)
        url = f"{self.address}/{api}/2.0/mlflow/{path}"
        return httpx.request(method, url, auth=(user, password), json=body, timeout=60, trust_env=False)

    def tag(self, user: str, version: ModelVersion, key: str, value: str, **more: Any) -> httpx.Response:
        name = self.settings.model_name
        path = "model-versions/set-tag"
        return self.ask(user, path, name=name, version=str(version.version), key=key, value=value, **more)

    def candidate(self, trained_by: str = "wang.fang") -> ModelVersion:
        return candidate(self.registry, self.folder / "model", trained_by=trained_by)


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plant]:
    from mlflow.server.auth.sqlalchemy_store import SqlAlchemyStore

    folder = tmp_path_factory.mktemp("厂")
    with postgresql.running() as database, pytest.MonkeyPatch.context() as patch:
        database.sql("create database mlflow owner mlflow")
        small_base(patch)
        values = {"mlflow": database.url("mlflow"), "mlflow_password": OWN, "sign_in": True}
        settings = prepare_home(Settings(home=folder / "图纸 home", **values))
        registry = ModelRegistry(settings)
        registry.ensure_base()
        for name, password in PEOPLE.items():
            set_account(settings, name, password, "reader" if name == "gast" else "approver")
        accounts = SqlAlchemyStore()
        accounts.init_db(accounts_uri(settings))
        accounts.grant_user_permission("chef", "registered_model", settings.model_name, "MANAGE")
        with mlflow_ui(settings, 0) as (address, _):
            yield Plant(settings, registry, address, folder)


def assert_refused(answer: httpx.Response, words: str) -> None:
    assert answer.status_code == 400, answer.text
    assert words in answer.json()["message"]


def test_without_signing_in_nothing_is_shown_or_changed(plant: Plant) -> None:
    assert httpx.get(plant.address, trust_env=False).status_code == 401
    version = plant.candidate()
    path = f"{plant.address}/api/2.0/mlflow/model-versions/set-tag"
    body = {"name": plant.settings.model_name, "version": str(version.version), "key": "a", "value": "b"}
    assert httpx.post(path, json=body, trust_env=False).status_code == 401


@pytest.mark.parametrize("api", ["api", "ajax-api"])
def test_the_signed_in_person_is_recorded_with_the_reason(plant: Plant, api: str) -> None:
    version = plant.candidate()
    assert_refused(plant.tag("li.wei", version, "approval_status", "Approved", api=api), "must say why")
    assert plant.tag("li.wei", version, "approval_reason", "读得出形位公差", api=api).status_code == 200
    assert plant.tag("li.wei", version, "approval_status", "Approved", api=api).status_code == 200
    found = plant.registry.get(version.label)
    assert (found.status, found.approved_by, found.approval_reason) == ("Approved", "li.wei", "读得出形位公差")
    line = plant.registry.audit.last(version.label)
    assert line is not None
    assert (line.who, line.action, line.why, line.source) == ("li.wei", "approve", "读得出形位公差", "mlflow-sign-in")
    assert plant.registry.verify() == []


def test_nobody_approves_what_he_trained_but_he_may_reject_it(plant: Plant) -> None:
    version = plant.candidate(trained_by="Li.Wei")
    plant.tag("li.wei", version, "approval_reason", "my best work")
    assert_refused(plant.tag("li.wei", version, "approval_status", "Approved"), "was trained by li.wei")
    assert plant.registry.get(version.label).status == "Pending"
    line = plant.registry.audit.last(version.label)
    assert line is not None and (line.who, line.action) == ("li.wei", "refused")
    assert plant.tag("li.wei", version, "approval_status", "Rejected").status_code == 200
    assert plant.registry.get(version.label).status == "Rejected"
    assert_refused(plant.tag("wang.fang", version, "approval_status", "Approved"), "the decision before")


def test_a_reader_may_look_and_not_decide(plant: Plant) -> None:
    version = plant.candidate()
    assert plant.tag("gast", version, "approval_reason", "why not").status_code == 403
    assert plant.tag("gast", version, "approval_status", "Approved").status_code == 403
    query = f"model-versions/get?name={plant.settings.model_name}&version={version.version}"
    assert plant.ask("gast", query, method="GET").status_code == 200


@pytest.mark.parametrize("api", ["api", "ajax-api"])
@pytest.mark.parametrize("wish", ["Deployed", "Archived", "Pending ", "approved!", ""])
def test_a_forbidden_status_is_answered_with_what_is_possible(plant: Plant, api: str, wish: str) -> None:
    version = plant.candidate()
    plant.tag("li.wei", version, "approval_reason", "because")
    assert_refused(plant.tag("li.wei", version, "approval_status", wish, api=api), "Possible now: approve it")
    assert plant.registry.get(version.label).status == "Pending"


@pytest.mark.parametrize("key", ["approved_by", "trained_by", "sha256", "audit", "label", "gate"])
def test_what_drawops_writes_nobody_else_writes_or_deletes(plant: Plant, key: str) -> None:
    version = plant.candidate()
    assert_refused(plant.tag("li.wei", version, key, "somebody else"), "written by DrawOps")
    for api in ("api", "ajax-api"):
        body = {"name": plant.settings.model_name, "version": str(version.version), "key": key}
        assert_refused(
            plant.ask("chef", "model-versions/delete-tag", method="DELETE", api=api, **body), "can't be deleted"
        )
    assert plant.registry.get(version.label) == version


def test_status_aliases_versions_and_the_model_itself_stay(plant: Plant) -> None:
    version, name = plant.candidate(), plant.settings.model_name
    number = str(version.version)
    one = {"name": name, "version": number}
    for api in ("api", "ajax-api"):

        def ask(
            path: str, method: str = "DELETE", api: str = api, user: str = "drawops", **body: str
        ) -> httpx.Response:
            return plant.ask(user, path, method=method, api=api, **body)

        delete = "model-versions/delete-tag"
        assert_refused(ask(delete, user="chef", **one, key="approval_status"), "can't be deleted")
        for user in ("chef", "drawops"):
            assert_refused(ask("registered-models/alias", "POST", user=user, **one, alias="champion"), "can't be moved")
            assert_refused(ask("registered-models/alias", user=user, name=name, alias="champion"), "can't be moved")
        assert_refused(ask("model-versions/delete", **one), "audit record")
        assert_refused(ask("registered-models/delete", name=name), "audit record")
        assert_refused(ask("registered-models/rename", "POST", name=name, new_name="other"), "audit record")
    assert plant.tag("li.wei", version, "note", "mine").status_code == 200
    assert ask("registered-models/alias", "POST", **one, alias="favourite").status_code == 200


def test_drawops_own_account_decides_nothing(plant: Plant) -> None:
    version = plant.candidate()
    plant.tag("drawops", version, "approval_reason", "because")
    assert_refused(plant.tag("drawops", version, "approval_status", "Approved"), "decides nothing")
    assert plant.registry.get(version.label).status == "Pending"


def test_nobody_registers_a_version_that_is_approved_or_anothers(plant: Plant) -> None:
    name, source = plant.settings.model_name, plant.candidate().source

    def create(**tags: str) -> httpx.Response:
        listed = [{"key": k, "value": v} for k, v in tags.items()]
        return plant.ask("li.wei", "model-versions/create", name=name, source=source, tags=listed)  # type: ignore[arg-type]

    assert_refused(create(label="v7.0", approval_status="Approved", trained_by="li.wei"), "decided by nobody")
    assert_refused(create(label="v7.0", approval_status="Pending", trained_by="wang.fang"), "must be who is signed in")
    assert "v7.0" not in {one.label for one in plant.registry.list()}


def test_a_change_around_the_sign_in_is_set_back(plant: Plant) -> None:
    version = plant.candidate()
    for key, value in {"approved_by": "li.wei", "approval_reason": "typed", "approval_status": "Approved"}.items():
        plant.registry.client.set_model_version_tag(plant.settings.model_name, str(version.version), key, value)
    plant.registry.reconcile()
    found = plant.registry.get(version.label)
    assert found.status == "Pending" and "signed in" in found.note


def test_the_command_line_works_through_the_server_with_drawops_own_account(plant: Plant) -> None:
    version = plant.candidate()
    through = plant.settings.model_copy(update={"mlflow": plant.address, "mlflow_user": "drawops"})
    registry = ModelRegistry(through)
    assert registry.approve(version.label, "li.wei", "looked at the report").status == "Approved"
    registry.mark_deployed(version.label, "li.wei", "first")
    assert registry.resolve("champion") == version.label
    assert registry.verify() == []


def test_other_machines_are_served_only_with_sign_in(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="DRAWOPS_SIGN_IN"), mlflow_ui(Settings(home=tmp_path), 0, "0.0.0.0"):
        pass
    signed = Settings(home=tmp_path, sign_in=True, mlflow_password="short")
    with pytest.raises(SettingsError, match="DRAWOPS_MLFLOW_PASSWORD"), mlflow_ui(signed, 0):
        pass
