"""ObjectStore in an S3 bucket: AWS, MinIO, Ceph and other servers that speak S3.

`s3://bucket/prefix` or `s3://bucket/prefix?endpoint=http://minio:9000&region=eu-central-1`. Credentials, and the
endpoint and region where the address names none, come the way every S3 client finds them: AWS_ACCESS_KEY_ID and
AWS_SECRET_ACCESS_KEY, AWS_SHARED_CREDENTIALS_FILE, a profile, a role; AWS_ENDPOINT_URL_S3, AWS_REGION.
"""

import hashlib
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import parse_qsl, unquote, urlsplit

from drawops.errors import NotFound, SettingsError, Unavailable, did_you_mean
from drawops.storage.protocol import ObjectInfo, check_key

PART_BYTES = 16 * 2**20  # also the size above which an object goes up in parts
MAX_PARTS = 9_000  # S3 takes 10,000
ATTEMPTS = 5
_ABSENT = {"404", "NoSuchKey", "NotFound"}
_EXISTS = {"412", "PreconditionFailed"}


@dataclass(frozen=True)
class S3Address:
    bucket: str
    prefix: str = ""
    """'' or a prefix with '/' at its end."""
    endpoint: str = ""
    region: str = ""

    @classmethod
    def parse(cls, url: str) -> "S3Address":
        """Raises SettingsError: no bucket, or an unknown option behind the '?'."""
        parts = urlsplit(url)
        if parts.scheme != "s3" or not parts.hostname or parts.username:
            raise SettingsError(f"Object store '{url}': write s3://bucket/prefix[?endpoint=http://host:port&region=…].")
        options = dict(parse_qsl(parts.query))
        for name in options.keys() - {"endpoint", "region"}:
            raise SettingsError(
                f"Object store '{url}': unknown option '{name}'. {did_you_mean(name, ('endpoint', 'region'))}"
            )
        prefix = unquote(parts.path).strip("/")
        return cls(parts.netloc, f"{prefix}/" if prefix else "", **options)

    def under(self, key: str) -> str:
        """`s3://bucket/prefix/key` without options, as MLflow takes it."""
        return f"s3://{self.bucket}/{self.prefix}{key}"

    def client(self) -> Any:
        """A boto3 client, shared by all that use this server from this process."""
        return _client(self.endpoint, self.region, os.getpid())


class S3ObjectStore:
    """Objects of a bucket below a prefix.

    Every call is tried up to five times. An upload in parts that was interrupted goes on with the parts that are
    there; a download goes on behind the last byte that came.

    Raises (from every method):
        Unavailable: the server does not answer or refuses; the message names it and the reason.
        SettingsError: there are no credentials.
    """

    def __init__(self, address: S3Address) -> None:
        self.address = address

    def put(self, key: str, data: bytes | Path, *, if_absent: bool = False) -> bool:
        if if_absent and self.head(key) is not None:
            return False
        name = self._name(key)
        condition = {"IfNoneMatch": "*"} if if_absent else {}
        if isinstance(data, Path) and data.stat().st_size > PART_BYTES:
            with data.open("rb") as source:
                return self._put_parts(name, source, data.stat().st_size, condition)
        content = data.read_bytes() if isinstance(data, Path) else data
        if len(content) > PART_BYTES:
            return self._put_parts(name, io.BytesIO(content), len(content), condition)
        return self._written(lambda s3: s3.put_object(Bucket=self._bucket, Key=name, Body=content, **condition))

    def get(self, key: str) -> bytes:
        with self.open(key) as stream:
            return stream.read()

    def open(self, key: str) -> BinaryIO:
        name = self._name(key)
        with self._answering(key) as s3:
            found = s3.get_object(Bucket=self._bucket, Key=name)
        return io.BufferedReader(_Download(self, key, found), buffer_size=2**20)

    def head(self, key: str) -> ObjectInfo | None:
        try:
            with self._answering(key) as s3:
                found = s3.head_object(Bucket=self._bucket, Key=self._name(key))
        except NotFound:
            return None
        return ObjectInfo(key, int(found["ContentLength"]))

    def scan(self, prefix: str = "") -> Iterator[ObjectInfo]:
        token: dict[str, str] = {}
        while True:
            with self._answering(prefix) as s3:
                page = s3.list_objects_v2(Bucket=self._bucket, Prefix=self.address.prefix + prefix, **token)
            for found in page.get("Contents", ()):
                yield ObjectInfo(found["Key"].removeprefix(self.address.prefix), int(found["Size"]))
            if not page.get("IsTruncated"):
                return
            token = {"ContinuationToken": page["NextContinuationToken"]}

    def delete(self, key: str) -> None:
        with self._answering(key) as s3:
            s3.delete_object(Bucket=self._bucket, Key=self._name(key))

    def local_path(self, key: str) -> Path | None:
        if self.head(key) is None:
            raise self._not_found(key)
        return None

    # ---- inside --------------------------------------------------------------------------------------------

    @property
    def _bucket(self) -> str:
        return self.address.bucket

    def _name(self, key: str) -> str:
        return self.address.prefix + check_key(key)

    def _not_found(self, key: str) -> NotFound:
        return NotFound(f"No object '{key}' in {self.address.under('')}.", what=key)

    def _put_parts(self, name: str, source: Any, size: int, condition: dict[str, str]) -> bool:
        part_bytes = max(PART_BYTES, -(-size // MAX_PARTS))
        upload, there = self._unfinished(name)
        parts = []
        with self._answering(name) as s3:
            for number, start in enumerate(range(0, size, part_bytes), 1):
                source.seek(start)
                content = source.read(part_bytes)
                etag = f'"{hashlib.md5(content, usedforsecurity=False).hexdigest()}"'
                if there.get(number) != etag:
                    etag = s3.upload_part(
                        Bucket=self._bucket, Key=name, UploadId=upload, PartNumber=number, Body=content
                    )["ETag"]
                parts.append({"PartNumber": number, "ETag": etag})
        # Names the parts by their hash: parts that somebody else put in between are refused, not mixed in.
        finish = {"Bucket": self._bucket, "Key": name, "UploadId": upload, "MultipartUpload": {"Parts": parts}}
        written = self._written(lambda s3: s3.complete_multipart_upload(**finish, **condition))
        if not written:
            with self._answering(name) as s3:
                s3.abort_multipart_upload(Bucket=self._bucket, Key=name, UploadId=upload)
        return written

    def _unfinished(self, name: str) -> tuple[str, dict[int, str]]:
        """(upload id, part number -> ETag) of an interrupted upload of this object, or of a new one."""
        with self._answering(name) as s3:
            found = s3.list_multipart_uploads(Bucket=self._bucket, Prefix=name).get("Uploads", ())
            for upload in (u["UploadId"] for u in found if u["Key"] == name):
                pages = s3.get_paginator("list_parts").paginate(Bucket=self._bucket, Key=name, UploadId=upload)
                return upload, {p["PartNumber"]: p["ETag"] for page in pages for p in page.get("Parts", ())}
            return s3.create_multipart_upload(Bucket=self._bucket, Key=name)["UploadId"], {}

    def _written(self, write: Any) -> bool:
        """False when the condition of the write was not met."""
        from botocore.exceptions import ClientError

        for attempt in range(ATTEMPTS):
            try:
                with self._answering("", through=_EXISTS | {"409", "ConditionalRequestConflict"}) as s3:
                    write(s3)
                return True
            except ClientError as exc:
                if _code(exc) in _EXISTS:
                    return False
                if attempt == ATTEMPTS - 1:
                    raise Unavailable(f"{self.address.under('')} is written by others all the time: {exc}") from exc
        raise AssertionError("not reached")

    @contextmanager
    def _answering(self, key: str, *, through: frozenset[str] | set[str] = frozenset()) -> Iterator[Any]:
        """The client; its errors as ours, except the codes in `through`."""
        from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, PartialCredentialsError

        where = f"{self.address.under('')}" + (f" at {self.address.endpoint}" if self.address.endpoint else "")
        try:
            yield self.address.client()
        except ClientError as exc:
            code = _code(exc)
            if code in through:
                raise
            if code == "NoSuchBucket":
                raise Unavailable(
                    f"There is no bucket '{self._bucket}' ({where}). Make it: drawops storage init"
                ) from exc
            if code in _ABSENT:
                raise self._not_found(key) from exc
            raise Unavailable(f"The object store {where} refused: {exc}") from exc
        except (NoCredentialsError, PartialCredentialsError) as exc:
            raise SettingsError(
                f"The object store {where} needs credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or "
                "AWS_SHARED_CREDENTIALS_FILE."
            ) from exc
        except BotoCoreError as exc:
            raise Unavailable(f"The object store {where} does not answer: {exc} Check DRAWOPS_OBJECTS.") from exc


class _Download(io.RawIOBase):
    """An object as a stream. A connection that breaks is opened again behind the last byte that came; an object
    that was replaced meanwhile is an error, not a mixture."""

    def __init__(self, store: S3ObjectStore, key: str, found: dict[str, Any]) -> None:
        self._store, self._key = store, key
        self._size, self._etag = int(found["ContentLength"]), found["ETag"]
        self._at, self._body = 0, found["Body"]

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        if start + offset != self._at:
            self._at, self._body = start + offset, None
        return self._at

    def readinto(self, buffer: Any) -> int:
        from botocore.exceptions import BotoCoreError
        from urllib3.exceptions import HTTPError

        if self._at >= self._size:
            return 0
        for attempt in range(ATTEMPTS):
            try:
                content = self._stream().read(min(len(buffer), self._size - self._at))
                if content:
                    break
            except (BotoCoreError, HTTPError, OSError) as exc:
                if attempt == ATTEMPTS - 1:
                    raise Unavailable(f"The object store broke off while '{self._key}' was read: {exc}") from exc
            self._body = None
        else:
            raise Unavailable(f"The object store sent less of '{self._key}' than it has.")
        buffer[: len(content)] = content
        self._at += len(content)
        return len(content)

    def _stream(self) -> Any:
        if self._body is None:
            with self._store._answering(self._key) as s3:
                self._body = s3.get_object(
                    Bucket=self._store._bucket,
                    Key=self._store._name(self._key),
                    Range=f"bytes={self._at}-",
                    IfMatch=self._etag,
                )["Body"]
        return self._body

    def close(self) -> None:
        if self._body is not None:
            self._body.close()
        super().close()


@lru_cache(maxsize=8)
def _client(endpoint: str, region: str, process: int) -> Any:
    import boto3
    from botocore.config import Config

    config = Config(
        retries={"mode": "standard", "max_attempts": ATTEMPTS},
        connect_timeout=10,
        read_timeout=60,
        max_pool_connections=16,
        # Servers other than AWS know buckets by path, and not all take the checksums that AWS added later.
        s3={"addressing_style": "path"} if endpoint else {},
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    session = boto3.session.Session()
    return session.client(
        "s3", endpoint_url=endpoint or None, region_name=region or session.region_name or "us-east-1", config=config
    )


def _code(exc: Any) -> str:
    return str(exc.response.get("Error", {}).get("Code", ""))
