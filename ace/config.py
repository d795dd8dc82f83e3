"""Settings: the only reader of the environment. First found wins:

    1. the environment                ACE_DATABASE_URL=… ace …
    2. `.env` in the working directory
    3. `ace.toml` in the working directory (or the file ACE_CONFIG names)
    4. the defaults below

Provider keys are left where the LLM layer looks for them (OPENAI_API_KEY and so on) and are never read here.
"""

from __future__ import annotations

import ipaddress
import os
import tomllib
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from pydantic import AliasChoices, Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from ace.errors import InvalidInput


class Settings(BaseSettings):
    """Every knob, with its unit. Each is `ACE_<NAME>` in the environment and `<name>` in `ace.toml`."""

    model_config = SettingsConfigDict(env_prefix="ACE_", env_file=".env", extra="ignore", frozen=True)

    env: Literal["shadow", "staging", "production"] = Field(
        "shadow", description="whose bullets are shown: shadow all, staging STAGING and PROD, production PROD alone"
    )
    data_dir: Path = Field(Path(".ace"), description="indices, runs, logs, the default database")
    models_dir: Path | None = Field(None, description="model files; default: <data_dir>/models")
    database_url: SecretStr | None = Field(None, description="default: SQLite in <data_dir>/ace.db")

    model: str = Field("local", description="'local', or a model as DSPy names it: openai/gpt-5-mini")
    model_base_url: str | None = Field(None, description="an OpenAI-compatible server's /v1")
    reflector_model: str | None = Field(None, description="default: the same as `model`")
    temperature: float = Field(0.0, ge=0, le=2, description="of the language model; 0: the likeliest answer")
    seed: int = Field(0, description="sent with every model call")
    max_tokens: int = Field(1024, ge=1, description="tokens a call may generate")
    layout: Literal["auto", "full", "terse"] = Field(
        "auto", description="what the Generator is asked for; auto: terse for the local model, full for others"
    )
    reflector: Literal["auto", "model", "template"] = Field(
        "auto", description="who writes lessons; auto: the template for the local model, else the model, then it"
    )
    reflector_rounds: int = Field(1, ge=1, le=5, description="reflections on a wrong answer at most")
    llm_deadline_s: float = Field(120, gt=0, description="seconds one call may take in all, retries included")
    llm_calls_per_minute: int | None = Field(None, ge=1, description="rate limit; default: none")
    llm_threads: int = Field(2, ge=1, description="threads of the local model")

    embeddings_url: str | None = Field(None, description="an OpenAI-compatible /v1; default: the local MiniLM")
    embeddings_model: str = Field(
        "all-MiniLM-L6-v2", description="its name at that server; changing it makes the vectors there are useless"
    )

    k: int = Field(5, ge=0, le=100, description="bullets shown to a task")
    token_budget: int | None = Field(None, ge=1, description="tokens of bullets shown at most; default: no limit")
    selection: Literal["nearest", "whole"] = Field(
        "nearest", description="bullets shown to a task: the nearest `k`, or the whole playbook, oldest first"
    )
    similarity_floor: float = Field(0.2, ge=-1, le=1, description="bullets less similar are not shown")
    trust_weight: float = Field(0.1, ge=0, description="how much the counters matter beside the cosine")
    dedupe: Literal["second_look", "cosine"] = Field("second_look", description="how near-duplicates are decided")

    review: Literal["auto", "off", "screens", "full"] = Field(
        "auto", description="which insights wait for a person; auto: screens for runs of `ace`, full for the service"
    )
    review_confidence_min: float = Field(0.6, ge=0, le=1, description="insights less sure wait (full); 0: none does")
    votes_per_principal: int = Field(3, ge=0, description="votes of one API key that count on a bullet; 0: all")

    # numbers whose defaults stand in the role's own file, where the runbook looks for them
    max_batch_size: int | None = Field(None, ge=1, description="tasks in one batch_merge; default: 100")
    batch_timeout_s: float | None = Field(None, gt=0, description="seconds one batch_merge may take; default: 30")
    promotion_helpful_min: int | None = Field(None, ge=1, description="helpful votes to leave SHADOW; default: 3")
    promotion_ratio_min: float | None = Field(None, gt=0, description="helpful per harmful to leave SHADOW; default: 3")
    prod_helpful_min: int | None = Field(None, ge=1, description="helpful votes to enter PROD; default: 5")
    prod_ratio_min: float | None = Field(None, gt=0, description="helpful per harmful to enter PROD; default: 5")
    failure_threshold: int | None = Field(None, ge=1, description="outages in a row that open a breaker; default: 5")
    recovery_timeout: float | None = Field(None, gt=0, description="seconds until an open breaker probes; default: 60")
    stage_interval_s: float = Field(300, ge=0, description="seconds between runs of the stage manager; 0: never")

    refine_interval_s: float = Field(86400, ge=0, description="seconds between refinements of playbooks; 0: never")
    archive_unused_days: float = Field(
        90, ge=0, description="days after which a SHADOW or STAGING bullet nobody used is archived; 0: never"
    )
    domain_token_budget: int | None = Field(
        None, ge=1, description="tokens of bullets a domain has in use at most; default: no limit"
    )

    policy: Literal["fixed", "evidence"] = Field("fixed", description="what promotes: the gates, or evidence on top")
    canary: float = Field(0.10, ge=0, le=1, description="share of production traffic that is shown a STAGING bullet")
    dropout: float = Field(0.05, ge=0, lt=1, description="share of traffic a PROD bullet is kept from")
    holdout: float = Field(0.02, ge=0, lt=1, description="share of traffic that is shown nothing, for comparison")
    trial: float = Field(0.5, gt=0, le=1, description="share of learning that is shown a bullet; policy evidence only")

    guardrail: Literal["on", "watch", "off"] = Field(
        "on", description="roll a worse release back, only tell, or neither"
    )
    guardrail_success_points: float = Field(8, ge=0, le=100, description="points that success may fall at most")
    guardrail_latency_percent: float = Field(30, ge=0, description="percent that P95 latency may rise")
    guardrail_error_percent: float = Field(15, ge=0, le=100, description="percent of tasks that may end in an error")
    guardrail_alpha: float = Field(0.05, gt=0, lt=1, description="chance that a release no worse is ever called so")

    domain_calls_per_day: int | None = Field(
        None, ge=0, description="model calls a domain's reflections may make; default: no limit"
    )
    domain_tokens_per_day: int | None = Field(None, ge=0, description="tokens they may use; default: no limit")
    domain_usd_per_day: float | None = Field(None, ge=0, description="US dollars they may cost; default: no limit")

    server_url: str | None = Field(
        None, description="the server that LiteLLM's handler asks; default: none, it asks here"
    )
    server_domain: str = Field("default", description="whose playbook LiteLLM's handler asks for")
    server_key: SecretStr | None = Field(None, description="API key shown to it, and by `ace claude` to its server")
    commit: str | None = Field(None, description="the git commit this was built from, for /version")
    host: str = Field("127.0.0.1", description="address the server listens on; another than loopback needs API keys")
    port: int = Field(8000, ge=1, le=65535, description="port the server listens on")
    workers: int = Field(1, ge=1, description="server processes")
    request_deadline_s: float = Field(10, gt=0, description="seconds one request may take in all")
    max_body_bytes: int = Field(1_000_000, ge=1, description="a larger request body is refused unread")
    upstream_openai_url: str | None = Field(None, description="the proxy's OpenAI-compatible /v1; default: none")
    upstream_anthropic_url: str | None = Field(
        None, description="the proxy's Anthropic-compatible /v1, such as https://api.anthropic.com/v1; default: none"
    )
    proxy_patience_s: float = Field(0.25, gt=0, description="seconds the proxy looks for bullets before it goes on")
    proxy_learn: bool = Field(True, description="keep what a key that may write asks through the proxy as episodes")
    proxy_settle_s: float = Field(30, ge=0, description="seconds in which a report takes the place of such an episode")
    proxy_timeout_s: float = Field(600, gt=0, description="seconds a provider behind the proxy may be silent")
    proxy_max_body_bytes: int = Field(64_000_000, ge=1, description="a larger body to the proxy is refused unread")
    api_key: SecretStr | None = Field(None, description="the key that `ace mcp --url` sends to a server")
    domain_rate_limit: str | None = Field(None, description="requests per domain, such as '600/minute'; default: none")
    wrong_key_rate_limit: str = Field("10/minute", description="wrong API keys per address before 429")
    rate_limit_storage: str = Field("memory://", description="memory:// (each process by itself) or redis://host")
    vector_backend: Literal["faiss", "pgvector"] = Field(
        "faiss", description="where vectors are searched: in each process, or in Postgres, one index for all of them"
    )
    faiss_memory_mb: int = Field(256, ge=1, description="memory for loaded indexes; the oldest are unloaded beyond it")
    faiss_idle_s: float = Field(900, gt=0, description="seconds after which an unused index is unloaded")

    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="what is logged at least")
    log_format: Literal["auto", "json", "console"] = Field("auto", description="auto: pretty in a terminal, else JSON")
    reflector_metrics_port: int | None = Field(None, description="port for ace-reflector's own /metrics; default: none")
    otel_endpoint: str | None = Field(
        None,
        validation_alias=AliasChoices("OTEL_EXPORTER_OTLP_ENDPOINT", "ACE_OTEL_ENDPOINT", "otel_endpoint"),
        description="an OTLP/HTTP collector for traces, such as http://localhost:4318; default: no traces",
    )
    otlp_max_body_bytes: int = Field(
        16_000_000, ge=1, description="a larger export of spans is refused, as sent and as unpacked"
    )
    trace_quiet_s: float = Field(
        120, ge=0, description="seconds without news after which a trace is learned from though its root never came"
    )
    trace_settle_s: float = Field(10, ge=0, description="seconds after its root span in which a trace may still grow")
    lease_s: float = Field(300, gt=0, description="seconds a reflector may hold an episode before another takes it")
    backup_url: str | None = Field(None, description="where backups go: a folder, file:// or s3://bucket/prefix")

    anchor_url: str | None = Field(None, description="where journal heads are anchored: a file, file:// or s3://")
    anchor_key_file: Path | None = Field(None, description="the key that signs them; default: anchor.key in data_dir")

    @field_validator("vector_backend")
    @classmethod
    def _needs_postgres(cls, backend: str, info: ValidationInfo) -> str:
        url: SecretStr | None = info.data.get("database_url")
        if backend == "pgvector" and (url is None or url.get_secret_value().startswith("sqlite")):
            raise ValueError("pgvector needs Postgres: set ACE_DATABASE_URL=postgresql://…, or leave it at faiss")
        return backend

    def path(self, *parts: str) -> Path:
        return self.data_dir.joinpath(*parts)

    @property
    def models_path(self) -> Path:
        return self.models_dir or self.data_dir / "models"

    @property
    def database(self) -> str:
        """The SQLAlchemy URL; `postgresql://` is taken to mean psycopg 3."""
        if self.database_url is None:
            return f"sqlite:///{self.data_dir / 'ace.db'}"
        url = self.database_url.get_secret_value()
        return url.replace("postgresql://", "postgresql+psycopg://", 1)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        del file_secret_settings
        return init_settings, env_settings, dotenv_settings, TomlConfigSettingsSource(settings_cls, config_file())


class _Alone(Settings):
    """What is given and the defaults: no environment, no file."""

    @classmethod
    def settings_customise_sources(cls, *_: Any, **sources: Any) -> tuple[PydanticBaseSettingsSource, ...]:
        return (sources["init_settings"],)


def config_file() -> Path:
    """Where settings are read from, after the environment and `.env`."""
    return Path(os.environ.get("ACE_CONFIG", "ace.toml"))


def settings_alone(**given: object) -> Settings:
    """These settings, whatever the environment says. Raises InvalidInput naming the one that cannot be used."""
    return _read(_Alone, **given)


def load_settings(**overrides: object) -> Settings:
    """The settings in force. Raises InvalidInput naming the variable that cannot be used."""
    return _read(Settings, **overrides)


def _read(kind: type[Settings], **given: object) -> Settings:
    try:
        return kind(**given)  # type: ignore[arg-type]
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidInput(str(config_file()), f"is not TOML: {error}", "Correct it, or write one: ace init") from error
    except ValidationError as error:
        first = error.errors()[0]
        name = "ACE_" + "_".join(str(part) for part in first["loc"]).upper()
        raise InvalidInput(name, first["msg"], "Set it in the environment, .env or ace.toml, or unset it") from error


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a server that listens on `host`."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def hand_down(**settings: object) -> None:
    """Put settings into the environment, for the processes this one starts."""
    os.environ.update({f"ACE_{name.upper()}": str(value) for name, value in settings.items() if value is not None})
    get_settings.cache_clear()


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """The settings of this process, read once."""
    return load_settings()
