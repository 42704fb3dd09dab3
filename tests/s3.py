"""Buckets on a server of the test run that speaks the protocol of S3."""

from uuid import uuid4

import boto3

from portal.config import S3Settings
from portal.storage.s3 import S3Store


def bucket(endpoint: str | None, name: str = "kept") -> S3Settings:
    return S3Settings(
        bucket=name,
        prefix="portal/",
        endpoint=endpoint,
        region="us-east-1",
        access_key_id="key",
        secret_access_key="secret",
    )


def new_store(endpoint: str) -> S3Store:
    """A store in a new, empty bucket."""
    keys = {"aws_access_key_id": "key", "aws_secret_access_key": "secret"}
    name = f"kept-{uuid4().hex[:8]}"
    boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1", **keys).create_bucket(Bucket=name)
    return S3Store(bucket(endpoint, name))
