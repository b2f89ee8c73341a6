"""`drawops storage init`: a bucket as DrawOps wants it, on MinIO or any other S3 server."""

from dataclasses import asdict, dataclass, replace
from typing import Any
from urllib.parse import urlsplit

from drawops.errors import SettingsError, Unavailable
from drawops.storage.s3 import S3Address

INBOX = "inbox/"
"""Below the store's prefix: where people and machines drop drawings for DrawOps."""
KEEP_OLD_DAYS = 90
UNFINISHED_DAYS = 7


@dataclass(frozen=True)
class Bucket:
    """`made` is False for one that was there. `webhook` is the target that hears of new objects in the inbox."""

    bucket: str
    endpoint: str
    made: bool
    versioning: str
    keep_old_days: int
    inbox: str
    webhook: str

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def init_bucket(url: str, *, keep_old_days: int = KEEP_OLD_DAYS, webhook: str = "") -> Bucket:
    """Make the bucket if need be, keep old versions of its objects for a while, tell a webhook of new drawings.

    May be run again: what is there stays, other rules of the bucket are kept.

    Args:
        url: s3://bucket/prefix.
        keep_old_days: days after which a version that was replaced or deleted is removed for good.
        webhook: ARN of a notification target that the server knows (MinIO: `arn:minio:sqs::DRAWOPS:webhook` for
            MINIO_NOTIFY_WEBHOOK_ENDPOINT_DRAWOPS); '' sets none.

    Raises:
        SettingsError: the object store is not in S3, or there are no credentials.
        Unavailable: the server does not answer or refuses.
    """
    from minio.error import MinioException
    from minio.versioningconfig import ENABLED, VersioningConfig
    from urllib3.exceptions import HTTPError

    address = S3Address.parse(url)
    client, endpoint, region = _client(address)
    inbox = address.prefix + INBOX
    try:
        made = not client.bucket_exists(bucket_name=address.bucket)
        if made:
            client.make_bucket(bucket_name=address.bucket, location=region)
        client.set_bucket_versioning(bucket_name=address.bucket, config=VersioningConfig(ENABLED))
        _expire_old_versions(client, address, keep_old_days)
        if webhook:
            _notify(client, address.bucket, inbox, webhook)
        versioning = client.get_bucket_versioning(bucket_name=address.bucket).status
    except (MinioException, HTTPError) as exc:
        raise Unavailable(f"The object store {endpoint} refused or does not answer: {exc}") from exc
    return Bucket(address.bucket, endpoint, made, versioning, keep_old_days, f"s3://{address.bucket}/{inbox}", webhook)


def _client(address: S3Address) -> tuple[Any, str, str]:
    """The `minio` client with the endpoint and credentials that the object store uses."""
    from minio import Minio
    from minio.credentials import StaticProvider

    s3 = address.client()
    found = s3._request_signer._credentials
    if found is None:
        raise SettingsError("The object store needs credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.")
    keys, endpoint = found.get_frozen_credentials(), s3.meta.endpoint_url
    parts = urlsplit(endpoint)
    client = Minio(
        endpoint=parts.netloc,
        secure=parts.scheme == "https",
        region=s3.meta.region_name,
        credentials=StaticProvider(keys.access_key, keys.secret_key, keys.token),
    )
    return client, endpoint, s3.meta.region_name


def _expire_old_versions(client: Any, address: S3Address, keep_old_days: int) -> None:
    from minio.commonconfig import Filter
    from minio.error import S3Error
    from minio.lifecycleconfig import (
        AbortIncompleteMultipartUpload,
        Expiration,
        LifecycleConfig,
        NoncurrentVersionExpiration,
        Rule,
    )

    name, scope = f"drawops-{address.prefix}", Filter(prefix=address.prefix)
    old = Rule(
        rule_id=f"{name}old-versions",
        status="Enabled",
        rule_filter=scope,
        noncurrent_version_expiration=NoncurrentVersionExpiration(noncurrent_days=keep_old_days),
        expiration=Expiration(expired_object_delete_marker=True),
    )
    unfinished = Rule(
        rule_id=f"{name}unfinished-uploads",
        status="Enabled",
        rule_filter=scope,
        abort_incomplete_multipart_upload=AbortIncompleteMultipartUpload(days_after_initiation=UNFINISHED_DAYS),
    )
    there = client.get_bucket_lifecycle(bucket_name=address.bucket)
    others = [r for r in (there.rules if there else []) if r.rule_id not in (old.rule_id, unfinished.rule_id)]
    try:
        client.set_bucket_lifecycle(bucket_name=address.bucket, config=LifecycleConfig([*others, old, unfinished]))
    except S3Error:  # MinIO knows no such rule; it removes unfinished uploads by itself after a day
        client.set_bucket_lifecycle(bucket_name=address.bucket, config=LifecycleConfig([*others, old]))


def _notify(client: Any, bucket: str, inbox: str, target: str) -> None:
    from minio.notificationconfig import PrefixFilterRule, QueueConfig

    config = client.get_bucket_notification(bucket_name=bucket)
    name = f"drawops-{inbox}"
    wanted = QueueConfig(
        queue=target,
        events=["s3:ObjectCreated:*"],
        config_id=name,
        prefix_filter_rule=PrefixFilterRule(inbox),
    )
    others = [queue for queue in config.queue_config_list if queue.config_id != name]
    config = replace(config, queue_config_list=[*others, wanted])
    client.set_bucket_notification(bucket_name=bucket, config=config)
