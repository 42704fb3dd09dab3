"""The artifact store in an S3-compatible bucket."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.response import StreamingBody

from portal.config import S3Settings
from portal.errors import NotFound, Unavailable
from portal.storage.stored_object import StoredObject

_CHUNK_BYTES = 256 * 1024
_ABSENT = ("404", "NoSuchKey", "NotFound")


class S3Store:
    is_local = False

    def __init__(self, settings: S3Settings) -> None:
        self._bucket, self._prefix = settings.bucket, settings.prefix
        self._client = boto3.client(
            "s3",
            endpoint_url=settings.endpoint,
            region_name=settings.region,
            aws_access_key_id=settings.access_key_id,
            aws_secret_access_key=settings.secret_access_key,
            config=Config(
                connect_timeout=3,
                max_pool_connections=16,
                read_timeout=30,
                retries={"mode": "standard", "max_attempts": 3},
                s3={"addressing_style": "path" if settings.endpoint else "auto"},
            ),
        )

    def put(self, key: str, content: BinaryIO) -> None:
        with _failures():
            self._client.upload_fileobj(content, self._bucket, self._prefix + key)

    def size(self, key: str) -> int | None:
        try:
            with _failures():
                found = self._client.head_object(Bucket=self._bucket, Key=self._prefix + key)
        except NotFound:
            return None
        return int(found["ContentLength"])

    def read(self, key: str, first: int = 0, length: int | None = None) -> Iterator[bytes]:
        if length == 0:
            return iter(())
        last = "" if length is None else first + length - 1
        ranged = {"Range": f"bytes={first}-{last}"} if first or length is not None else {}
        with _failures():
            found = self._client.get_object(Bucket=self._bucket, Key=self._prefix + key, **ranged)
        return _read_chunks(found["Body"])

    def delete(self, key: str) -> None:
        with _failures():
            self._client.delete_object(Bucket=self._bucket, Key=self._prefix + key)

    def objects(self, folder: str) -> Iterator[StoredObject]:
        listed = self._client.get_paginator("list_objects_v2")
        with _failures():
            for page in listed.paginate(Bucket=self._bucket, Prefix=f"{self._prefix}{folder}/"):
                for found in page.get("Contents", ()):
                    key = found["Key"].removeprefix(self._prefix)
                    yield StoredObject(key, found["Size"], found["LastModified"])


def _read_chunks(body: StreamingBody) -> Iterator[bytes]:
    try:
        with _failures():
            yield from body.iter_chunks(_CHUNK_BYTES)
    finally:
        body.close()


@contextmanager
def _failures() -> Iterator[None]:
    """Translate boto3's errors to the portal's, without the store's keys and addresses."""
    try:
        yield
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") in _ABSENT:
            raise NotFound("The stored file is gone.") from None
        raise Unavailable("The portal cannot use its artifact store. Try again in a moment.") from error
    except (BotoCoreError, OSError) as error:
        raise Unavailable("The portal cannot reach its artifact store. Try again in a moment.") from error
