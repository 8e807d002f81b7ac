"""dbt projects to run, and servers."""

from dbt_bed import dbt_bed
from servers.postgres import postgres, postgres_url
from singer_plugins import plugin_home

__all__ = ["dbt_bed", "plugin_home", "postgres", "postgres_url"]
