"""`leapsql.yaml`: what a project is called, where its parts lie, and where it builds, per environment."""

from leapsql_core.configuration.records import (
    CONFIG_FILE,
    DEFAULT_STATE_PATH,
    ProjectConfig,
    secrets_of,
    variables_in,
)

__all__ = ["CONFIG_FILE", "DEFAULT_STATE_PATH", "ProjectConfig", "secrets_of", "variables_in"]
