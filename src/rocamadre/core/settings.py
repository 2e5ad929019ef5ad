"""Everything that can be set: argument, then `ROCA_<SECTION>__<NAME>`, then `rocamadre.toml`, then the default."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from rocamadre.core.errors import InvalidRequest

_SECTION = ConfigDict(frozen=True, extra="forbid")


def default_home() -> Path:
    """Where state lives when nothing says otherwise: the user's data folder."""
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "rocamadre"
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "rocamadre"


class ServerSettings(BaseModel):
    """The API server."""

    model_config = _SECTION
    host: str = Field(default="127.0.0.1", description="Address to listen on.")
    port: int = Field(default=4599, ge=0, le=65535, description="TCP port of the API server; 0 picks a free one.")
    auth: Literal["open", "required"] = Field(
        default="open",
        description="`open`: any well-formed credential, loopback only. `required`: only keys made here.",
    )
    insecure: bool = Field(default=False, description="Allow another address than loopback without TLS.")
    tls_cert: Path | None = Field(default=None, description="PEM certificate chain; needs `tls_key`.")
    tls_key: Path | None = Field(default=None, description="PEM private key of `tls_cert`.")
    allowed_hosts: tuple[str, ...] = Field(
        default=(), description="Host header names accepted besides loopback's (against DNS rebinding)."
    )
    request_timeout_s: float = Field(default=60.0, gt=0, description="Seconds before a non-streaming call is given up.")
    stream_timeout_s: float = Field(default=600.0, gt=0, description="Seconds before a streaming call is given up.")
    max_body_bytes: int = Field(default=26_214_400, ge=1024, description="Largest request body in bytes.")
    region: str = Field(default="us-east-1", description="Region of requests whose credentials name none.")
    strict: bool = Field(default=False, description="Check every response against its shape; a failure is a 500.")


class LimitSettings(BaseModel):
    """How much one principal may ask for."""

    model_config = _SECTION
    requests_per_minute: int = Field(default=0, ge=0, description="Requests per principal and minute; 0: no limit.")
    tokens_per_minute: int = Field(default=0, ge=0, description="Tokens per principal and minute; 0: no limit.")
    concurrent_requests: int = Field(default=2048, ge=1, description="Requests in flight in the whole server.")


class EngineSettings(BaseModel):
    """The processes that run models."""

    model_config = _SECTION
    keep_alive_s: float = Field(default=1800.0, ge=0, description="Idle seconds before a model is unloaded; 0: never.")
    threads: int = Field(default=0, ge=0, description="Threads per engine; 0: cores minus one, at least one.")
    slots: int = Field(default=8, ge=1, le=256, description="Requests that one engine works on at a time.")
    queue: int = Field(default=256, ge=0, description="Requests that may wait for one engine; more are throttled.")
    load_timeout_s: float = Field(default=120.0, gt=0, description="Seconds a model may take to load.")
    reply_timeout_s: float = Field(
        default=300.0, gt=0, description="Seconds an engine may stay silent within one request before it is given up."
    )
    memory_limit_bytes: int = Field(
        default=0, ge=0, description="Memory that all engines together may use; 0: nine tenths of what is free."
    )
    replicas: int = Field(default=1, ge=1, le=64, description="Processes per model.")


class CatalogSettings(BaseModel):
    """Model ids and what they resolve to."""

    model_config = _SECTION
    aliases: dict[str, str] = Field(
        default_factory=dict,
        description="Client's model id (or a pattern with `*`) to a local model; before the built-in table.",
    )
    default_model: str = Field(default="rocamadre.roca-mini-v1:0", description="Text model that aliases resolve to.")
    default_embedder: str = Field(
        default="rocamadre.minilm-l6-v2:0", description="Embedding model that aliases resolve to."
    )
    default_reranker: str = Field(
        default="", description="Model that aliases of rerankers resolve to; empty: the embedding model."
    )
    embedded_models: Path | None = Field(
        default=None, description="Folder of the embedded models, instead of the package's or the checkout's."
    )
    hub_endpoint: str = Field(default="", description="Base URL of the model hub; empty: HF_ENDPOINT, then the usual.")
    ollama_models: Path | None = Field(default=None, description="Ollama's model store; empty: its usual place.")
    fake_rules: Path | None = Field(default=None, description="Rule file of the fake model `rocamadre.fake-v1:0`.")
    max_import_bytes: int = Field(
        default=100 * 1024**3, ge=1, description="Largest model that CreateModelImportJob brings here from S3."
    )


class NeighbourSettings(BaseModel):
    """The services beside Bedrock that its clients need."""

    model_config = _SECTION
    s3_endpoint: str = Field(
        default="", description="Base URL of an S3 to use instead of the built-in one; `aws`: Amazon's own."
    )
    sts_endpoint: str = Field(
        default="", description="Where STS is instead of here; requests for it are refused and told so."
    )
    iam_endpoint: str = Field(
        default="", description="Where IAM is instead of here; requests for it are refused and told so."
    )
    lambda_endpoint: str = Field(
        default="", description="Where Lambda is instead of here; requests for it are refused and told so."
    )
    logs_endpoint: str = Field(
        default="", description="Where CloudWatch Logs is instead of here; requests for it are refused and told so."
    )
    s3_sync: bool = Field(
        default=True,
        description="Whether a put waits until the disk has it; without, power loss may undo the last ones.",
    )
    lambda_network: bool = Field(
        default=False,
        description="Whether functions have the machine's network, and credentials of their role for this server.",
    )
    lambda_unconfined: bool = Field(
        default=False,
        description="Whether functions may run where the kernel cannot wall them in: bounded, but with this user's "
        "files and network.",
    )
    lambda_functions: dict[str, str] = Field(
        default_factory=dict,
        description="Function names or ARNs to what answers for them: a URL that takes the event by POST, or "
        "`package.module:function` of this Python.",
    )
    lambda_concurrency: int = Field(
        default=16, ge=1, le=1000, description="Functions that run at a time; more are throttled."
    )


class JobSettings(BaseModel):
    """Work that outlives requests."""

    model_config = _SECTION
    concurrency: int = Field(default=16, ge=1, le=256, description="Jobs that the worker does at a time.")
    heavy: int = Field(
        default=1, ge=1, le=64, description="Heavy jobs (training) at a time, besides the others; the rest wait."
    )
    resumable_days: int = Field(
        default=7,
        ge=0,
        description="Days that a training which was stopped, or failed, can be resumed; then its "
        "checkpoints are removed.",
    )


class BatchSettings(BaseModel):
    """Batch inference."""

    model_config = _SECTION
    concurrency: int = Field(
        default=0, ge=0, le=1024, description="Records of one job in flight; 0: as many as the engine has slots."
    )
    min_records: int = Field(default=1, ge=0, description="Fewest records that a job may have (Amazon asks for 100).")
    max_records: int = Field(default=1_000_000, ge=1, description="Most records that a job may have.")
    max_file_bytes: int = Field(default=1_073_741_824, ge=1, description="Largest input file in bytes.")
    max_job_bytes: int = Field(default=5_368_709_120, ge=1, description="Most bytes that a job's input files may have.")
    max_record_bytes: int = Field(default=26_214_400, ge=1024, description="Longest record in bytes.")
    max_message_batch_bytes: int = Field(
        default=268_435_456, ge=1024, description="Largest body of a message batch of the Anthropic wire, in bytes."
    )
    retry_s: float = Field(
        default=600.0, ge=0, description="Seconds that a record is tried again while the model is busy or not ready."
    )


class FileSettings(BaseModel):
    """Files of the OpenAI wire."""

    model_config = _SECTION
    max_file_bytes: int = Field(default=536_870_912, ge=1, description="Largest file in bytes.")
    max_account_bytes: int = Field(
        default=107_374_182_400, ge=1, description="Bytes that all files of an account may have together."
    )


class KnowledgeSettings(BaseModel):
    """Knowledge bases."""

    model_config = _SECTION
    vector_store: str = Field(
        default="sqlite",
        description="Where chunks are kept: `sqlite` (one file per knowledge base in the home) or `pgvector`.",
    )
    second_embedder: str = Field(
        default="rocamadre.roca-embed-v1:0",
        description="Model whose vectors new knowledge bases keep beside those of an embedder that knows English "
        "alone, for questions and documents in other languages; empty: none.",
    )
    postgres_url: str = Field(
        default="",
        description="Database of `pgvector`, as an SQLAlchemy URL; empty: `database`, which must then be PostgreSQL.",
    )
    paths: tuple[Path, ...] = Field(
        default=(),
        description="Folders of this machine from which loaders may read where keys are wanted; without keys, any.",
    )
    private_addresses: bool = Field(
        default=False, description="Whether crawlers and git loaders may reach private and loopback addresses."
    )
    parsers: int = Field(default=2, ge=1, le=64, description="Processes that read documents of one ingestion.")
    crawl_page_bytes: int = Field(default=52_428_800, ge=1024, description="Largest page that a crawler reads.")
    crawl_timeout_s: float = Field(default=30.0, gt=0, description="Seconds that one page may take to come.")
    crawl_pages: int = Field(default=25_000, ge=1, description="Most pages of one crawl, whatever it asks for.")
    crawl_depth: int = Field(default=20, ge=0, description="Links that a crawler follows from a seed, at most.")
    rows: int = Field(default=1_000_000, ge=1, description="Most rows that an SQL loader reads.")
    transformations: dict[str, str] = Field(
        default_factory=dict,
        description="Names or ARNs of functions that data sources transform chunks with, to `package.module:function` "
        "of this Python, called in the worker instead.",
    )
    clone_bytes: int = Field(default=2_147_483_648, ge=1, description="Largest git repository that is fetched.")


class AnswerSettings(BaseModel):
    """Answers from knowledge bases (RetrieveAndGenerate)."""

    model_config = _SECTION
    by: Literal["auto", "reader", "model"] = Field(
        default="auto",
        description="Who answers: `reader` takes it from the chunks word for word, `model` writes it; `auto`: the "
        "model if it has at least `model_parameters`, or is remote.",
    )
    model_parameters: int = Field(
        default=500_000_000, ge=0, description="Parameters from which a model is taken to be fit to write answers."
    )
    reader: str = Field(
        default="extractive",
        description="The reader, by its name in the registry: `extractive` is the trained network where its file is "
        "there, else `words`, which weighs words and sentences.",
    )
    form: Literal["auto", "span", "sentence"] = Field(
        default="auto",
        description="What the reader gives: `auto`: the words alone where it is sure of them, else their sentence.",
    )
    unsupported: Literal["drop", "keep"] = Field(
        default="drop",
        description="What becomes of a model's sentences that no chunk supports; kept ones cite nothing.",
    )
    prompt_characters: int = Field(
        default=12_000, ge=500, description="Most characters of chunks that a model is shown."
    )
    session_s: float = Field(default=86_400.0, gt=0, description="Seconds that a conversation is remembered.")
    window: int = Field(
        default=6, ge=0, le=100, description="Turns that are remembered word for word; those before are summed up."
    )


class SqlSettings(BaseModel):
    """Databases that knowledge bases of type SQL may ask."""

    model_config = _SECTION
    connections: dict[str, str] = Field(
        default_factory=dict,
        description="Names to URLs: `sqlite:///FILE`, `postgresql://…`, `duckdb:///FILE`. A knowledge base names one "
        "as its databaseName.",
    )
    rows: int = Field(default=100, ge=1, le=10_000, description="Most rows that one question brings back.")
    timeout_s: float = Field(default=15.0, gt=0, description="Seconds that one query may take.")
    cell_characters: int = Field(default=2000, ge=1, description="Characters of one value that are given back.")


class ConsoleSettings(BaseModel):
    """The web console."""

    model_config = _SECTION
    enabled: bool = Field(default=True, description="Whether the server starts the console beside itself.")
    port: int | None = Field(
        default=None,
        ge=0,
        le=65535,
        description="TCP port of the console; empty: the server's plus one; 0 picks a free one.",
    )


class LogSettings(BaseModel):
    """What is written down."""

    model_config = _SECTION
    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(default="INFO", description="Least severity logged.")
    access: bool = Field(default=True, description="One line per request (never prompts or answers).")
    invocation_flush_s: float = Field(
        default=5.0, gt=0, description="Seconds that records of model invocations are gathered before delivery."
    )
    otlp_endpoint: str = Field(default="", description="OpenTelemetry collector (HTTP) for spans; empty: none.")
    recent_traces: int = Field(
        default=200,
        ge=0,
        le=10_000,
        description="Requests that a model answered, and as many others, kept in memory with their spans.",
    )


class Settings(BaseSettings):
    """All settings of a platform."""

    model_config = SettingsConfigDict(
        env_prefix="ROCA_",
        env_nested_delimiter="__",
        frozen=True,
        extra="forbid",
        nested_model_default_partial_update=True,
    )
    home: Path = Field(default_factory=default_home, description="Folder of all state.")
    database: str = Field(default="", description="SQLAlchemy URL; empty: `platform.sqlite` in the home.")
    server: ServerSettings = Field(default_factory=ServerSettings, description="The API server.")
    limits: LimitSettings = Field(default_factory=LimitSettings, description="Limits per principal.")
    engines: EngineSettings = Field(default_factory=EngineSettings, description="Engine processes.")
    catalog: CatalogSettings = Field(default_factory=CatalogSettings, description="Model ids.")
    neighbours: NeighbourSettings = Field(default_factory=NeighbourSettings, description="Services beside Bedrock.")
    jobs: JobSettings = Field(default_factory=JobSettings, description="Work that outlives requests.")
    batch: BatchSettings = Field(default_factory=BatchSettings, description="Batch inference.")
    knowledge: KnowledgeSettings = Field(default_factory=KnowledgeSettings, description="Knowledge bases.")
    files: FileSettings = Field(default_factory=FileSettings, description="Files of the OpenAI wire.")
    answers: AnswerSettings = Field(default_factory=AnswerSettings, description="Answers from knowledge bases.")
    sql: SqlSettings = Field(default_factory=SqlSettings, description="Databases of knowledge bases of type SQL.")
    console: ConsoleSettings = Field(default_factory=ConsoleSettings, description="The web console.")
    log: LogSettings = Field(default_factory=LogSettings, description="Logs and traces.")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Order of the sources: arguments, environment, file."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, _config_file())


def _config_file() -> Path:
    return Path(os.environ.get("ROCA_CONFIG", "rocamadre.toml"))


def load_settings(**arguments: Any) -> Settings:
    """Read the settings once, at a program's start.

    Args:
        **arguments: Top-level values that win over environment and file; sections as dicts of what they change.

    Raises:
        InvalidRequest: a key is unknown or a value out of range; the message names its path.
    """
    try:
        settings = Settings(**arguments)
    except ValidationError as error:
        lines = [f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors()]
        raise InvalidRequest("settings: " + "; ".join(lines)) from error
    return settings.model_copy(update={"home": settings.home.expanduser().absolute()})
