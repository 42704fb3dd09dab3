"""The tables: columns, constraints and indexes. No queries."""

from portal.database.models.accounts import (
    ApiKey,
    BrowserSession,
    Identity,
    Invitation,
    Member,
    SigninLink,
    User,
    Workspace,
)
from portal.database.models.audit import AuditEntry
from portal.database.models.engine import (
    CreditEntry,
    CreditKind,
    EngineClaim,
    EngineLease,
    EngineRun,
    EngineValue,
    EngineWorker,
    StepLogLine,
)
from portal.database.models.library import (
    DictionaryEntry,
    DictionaryMethod,
    Template,
    TemplateCategory,
    TemplateFavorite,
    TemplateUse,
    VoiceFavorite,
)
from portal.database.models.people import Person
from portal.database.models.results import (
    Artifact,
    OutputLine,
    RunLanguage,
    RunResult,
    StepResult,
    Take,
    Validation,
)
from portal.database.models.rollup import PersonPeriodRuns, PersonRuns, RunBucket, RunTotals
from portal.database.models.runs import Run, RunDetail, RunEvent, Step
from portal.database.models.schema import SchemaState
from portal.database.models.states import (
    ACTIVE,
    OCCUPYING,
    TERMINAL,
    PauseReason,
    Role,
    RunStatus,
    TakeStatus,
    UploadCategory,
    UploadStatus,
)
from portal.database.models.uploads import Upload
from portal.database.models.workflows import Workflow, WorkflowVersion

__all__ = [
    "ACTIVE",
    "OCCUPYING",
    "TERMINAL",
    "ApiKey",
    "Artifact",
    "AuditEntry",
    "BrowserSession",
    "CreditEntry",
    "CreditKind",
    "DictionaryEntry",
    "DictionaryMethod",
    "EngineClaim",
    "EngineLease",
    "EngineRun",
    "EngineValue",
    "EngineWorker",
    "Identity",
    "Invitation",
    "Member",
    "OutputLine",
    "PauseReason",
    "Person",
    "PersonPeriodRuns",
    "PersonRuns",
    "Role",
    "Run",
    "RunBucket",
    "RunDetail",
    "RunEvent",
    "RunLanguage",
    "RunResult",
    "RunStatus",
    "RunTotals",
    "SchemaState",
    "SigninLink",
    "Step",
    "StepLogLine",
    "StepResult",
    "Take",
    "TakeStatus",
    "Template",
    "TemplateCategory",
    "TemplateFavorite",
    "TemplateUse",
    "Upload",
    "UploadCategory",
    "UploadStatus",
    "User",
    "Validation",
    "VoiceFavorite",
    "Workflow",
    "WorkflowVersion",
    "Workspace",
]
