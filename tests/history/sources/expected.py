"""What each sample holds, as its source or README says: runs, their outcomes and how many steps they have.

A run without a status is known from its jobs only: the sample has no more of it.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple


class Run(NamedTuple):
    workflow: str
    external_id: str
    status: str | None
    outcome: str | None
    steps: int


_APEX = "apex-deploy-virtual-os-onos-nofeature-ha-master"
_ZOWE = "zowe-docs-site/users/jack/lf-jenkins"
_DAG = "nightly_dub"

SAMPLES: Mapping[str, Sequence[Run]] = {
    "github/jobs.json": (Run("CI", "3881497935", None, None, 50),),
    "github/list-runs-2022.json": (
        Run("Unit Test", "720994709", "completed", "succeeded", 0),
        Run("Integration Test", "720994708", "completed", "succeeded", 0),
        Run("Website TF-IDF Integration Test", "3519037359", "completed", "succeeded", 0),
        Run("URL Integration Test", "3519037358", "completed", "succeeded", 0),
        Run("Build Documentation", "3519037357", "completed", "succeeded", 0),
        Run("Unit Test", "3519037354", "completed", "succeeded", 0),
        Run("Email Integration Test", "3519037352", "completed", "succeeded", 0),
        Run("Build Documentation", "2803043628", "completed", "succeeded", 0),
        Run("URL Integration Test", "2803038563", "completed", "succeeded", 0),
        Run("Website TF-IDF Integration Test", "2803038559", "completed", "succeeded", 0),
    ),
    "github/run-in-progress.json": (Run("CI", "3911660493", "running", None, 0),),
    "github/run-with-jobs.json": (Run("CI", "4205440316", "completed", "succeeded", 50),),
    "github/webhook-workflow_job.completed.failure.with-organization.json": (
        Run("CodeQL", "2202229078", None, None, 13),
    ),
    "github/webhook-workflow_job.completed.success.with-organization.json": (
        Run("CodeQL", "2202229078", None, None, 9),
    ),
    "github/webhook-workflow_job.in_progress.json": (Run("CodeQL", "2202229078", None, None, 2),),
    "github/webhook-workflow_job.in_progress.with-queued-steps.json": (
        Run("Test", "5373506832", None, None, 10),
    ),
    "github/webhook-workflow_job.queued.json": (Run("CodeQL", "2202229078", None, None, 1),),
    "github/webhook-workflow_job.queued.with-deployment.json": (
        Run("Env Test", "4747967848", None, None, 1),
    ),
    "github/webhook-workflow_run.completed.json": (Run("test", "289782451", "completed", "succeeded", 0),),
    "github/webhook-workflow_run.completed.with-pull-requests.json": (
        Run("test", "289782451", "completed", "succeeded", 0),
    ),
    "github/webhook-workflow_run.requested.json": (Run("test", "289782451", "pending", None, 0),),
    "github/webhook-workflow_run.requested.with-conclusion.json": (
        Run("test", "289782451", "pending", None, 0),
    ),
    "gitlab/webhook-build.json": (Run("gitlab-org/gitlab-test", "2366", None, None, 1),),
    "gitlab/webhook-job.json": (Run("ken1/release-tools-fake", "743121198", None, None, 1),),
    "gitlab/webhook-pipeline.json": (Run("gitlab-org/gitlab-test", "31", "completed", "succeeded", 5),),
    "jenkins/freestyle-job.json": (
        Run(_APEX, f"{_APEX}#107", "completed", "succeeded", 0),
        Run(_APEX, f"{_APEX}#106", "completed", "succeeded", 0),
        Run(_APEX, f"{_APEX}#105", "completed", "succeeded", 0),
        Run(_APEX, f"{_APEX}#104", "completed", "succeeded", 0),
        Run(_APEX, f"{_APEX}#103", "completed", "succeeded", 0),
        Run(_APEX, f"{_APEX}#102", "completed", "succeeded", 0),
        Run(_APEX, f"{_APEX}#101", "failed", "failed", 0),
        Run(_APEX, f"{_APEX}#100", "completed", "succeeded", 0),
    ),
    "jenkins/workflow-job.json": (
        Run(_ZOWE, f"{_ZOWE}#5", "completed", "succeeded", 0),
        Run(_ZOWE, f"{_ZOWE}#4", "failed", "failed", 0),
        Run(_ZOWE, f"{_ZOWE}#3", "failed", "failed", 0),
        Run(_ZOWE, f"{_ZOWE}#2", "failed", "failed", 0),
        Run(_ZOWE, f"{_ZOWE}#1", "failed", "failed", 0),
    ),
    "airflow/dagRuns.json taskInstances-0.json tries-0.json": (
        Run(_DAG, f"{_DAG}/manual__2026-11-27T23:11:48.673435+00:00", "completed", "succeeded", 8),
        Run(_DAG, f"{_DAG}/manual__2026-11-27T23:12:34.100149+00:00", "failed", "failed", 0),
    ),
    "argo/dag_retry_succeeded.yaml": (
        Run("dag-with-retries", "d37a2abe-9574-11e8-b103-025000000001", "failed", "failed", 4),
    ),
    "argo/steps-failed-retries.yaml": (
        Run("failed-retries", "c18bba2a-0ad5-11e9-b44e-ea782c392741", "running", None, 7),
    ),
    "nextflow/trace.txt": (
        Run("Nextflow", "5a/28a02c@2022-11-03 22:11:13.833", "completed", "succeeded", 6),
    ),
    "snakemake/run.log": (Run("x", "2026-07-02T005514.305822", "completed", "succeeded", 3),),
    "slurm/sacct-P.txt": (Run("mpi-diag", "4953690", "failed", "failed", 2),),
    "slurm/sacct-parsable2-mixed.txt": (
        Run("smk-db2vcf_scattered-round=0,scatter=scat_0020,chrom=NC_1.1", "2355542", "failed", "failed", 2),
    ),
    "wfformat/bacass-dirt02-001.json": (
        Run("bacass", "bacass@2023-03-29T10:02:36-10:00", "completed", "succeeded", 11),
    ),
}
"""Samples in the folder that PORTAL_TEST_DATA names."""

RECORDINGS: Mapping[str, Sequence[Run]] = {
    "prefect/flows.json flow_runs.json task_runs.json": (
        Run("slow", "71a5ef68-2c09-40bf-9cc6-c91bd9a144b6", "failed", "timed_out", 0),
        Run("retried flow", "52dedf8f-1c59-46c6-9bcf-12364c4f1f4c", "completed", "succeeded", 0),
        Run("skips", "63944a83-d63d-4bc4-940a-d700b02e952f", "cancelled", "skipped", 0),
        Run("fails", "26d1bb79-9513-4172-9525-e79bf03cd4c3", "failed", "failed", 2),
        Run("publish", "ccee2184-16b7-40ad-807c-f5dbb88ee74c", "completed", "succeeded", 0),
        Run("nightly dub", "2a6bc02c-efda-4ffe-8b03-1e5e7a24f829", "completed", "succeeded", 5),
    ),
    "dagster/runs.json": (
        Run("sub", "2e0d80e9-2397-4dd0-80ef-3920cc7a4390", "pending", None, 0),
        Run("after_failure", "b3df3c80-1b53-4ffd-8509-a7cb8ee37b1d", "failed", "failed", 1),
        Run("sub", "86139e9a-156d-4e2c-92d0-390dad5f174c", "completed", "succeeded", 1),
        Run("nightly_dub", "89188c11-94c3-4d95-9609-5ad1cb863de2", "failed", "failed", 1),
        Run("nightly_dub", "7f84c602-98ca-4823-b6cc-4fbc8b054f1a", "failed", "failed", 6),
        Run("nightly_dub", "d6625cb7-5eb7-4788-9ab5-bfc691ba1641", "completed", "succeeded", 6),
    ),
    "snakemake/2026-11-28T203413.568340.snakemake.log": (
        Run("dubbing", "2026-11-28T203413.568340", "completed", "succeeded", 5),
    ),
    "snakemake/2026-11-28T203419.781219.snakemake.log": (
        Run("dubbing", "2026-11-28T203419.781219", "failed", "failed", 2),
    ),
}
"""What real Prefect 3.9.1, Dagster 1.13.28 and Snakemake 9.27.1 gave, in this folder."""
