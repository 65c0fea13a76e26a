"""The reports in the object store. The one door to boto3, which has no types."""

from __future__ import annotations

import os
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from services.drill.report import Report, StoreError
from services.drill.settings import Settings

_ABSENT = ("NoSuchKey", "404")


class Reports:
    """The newest report of one archive."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        name, secret = settings.keys
        self._client: Any = boto3.client(
            "s3",
            endpoint_url=settings.endpoint,
            region_name=os.environ.get("AWS_DEFAULT_REGION", "us-east-1"),
            aws_access_key_id=name,
            aws_secret_access_key=secret,
            config=Config(connect_timeout=5, read_timeout=10, retries={"max_attempts": 2}),
        )

    def newest(self) -> Report | None:
        """The report of the newest drill, or nothing where there was none.

        Raises:
            StoreError: the store does not answer, or what it has is no report.
        """
        try:
            answer = self._client.get_object(Bucket=self._settings.bucket, Key=self._settings.report_key)
            return Report.of(answer["Body"].read().decode())
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") in _ABSENT:
                return None
            raise StoreError(f"reading {self._settings.report_key}: {error}") from error
        except (BotoCoreError, ValueError) as error:
            raise StoreError(f"reading {self._settings.report_key}: {error}") from error

    def keep(self, report: Report) -> None:
        """Put a report in place of the one before.

        Raises:
            StoreError: the store does not take it.
        """
        body = report.text().encode()
        try:
            place = {"Bucket": self._settings.bucket, "Key": self._settings.report_key}
            self._client.put_object(**place, Body=body, **self._settings.report_options)
        except (ClientError, BotoCoreError) as error:
            raise StoreError(f"writing {self._settings.report_key}: {error}") from error
