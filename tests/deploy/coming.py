"""What the chart, the alerts and the dashboards name before the code has it. Empty when a release is made."""

METRICS = frozenset(
    {
        "proforma_backlog_amount",
        "proforma_backlog_failed_runs",
        "proforma_backlog_unpriced_items",
        "proforma_consumer_lag",
        "proforma_consumer_stopped",
        "proforma_database_pool_in_use",
        "proforma_database_pool_max",
        "proforma_dead_letters",
        "proforma_draft_amount",
        "proforma_jobs",
        "proforma_jobs_ended_total",
        "proforma_jobs_running_done",
        "proforma_jobs_running_planned",
        "proforma_kafka_reached",
        "proforma_outbox_oldest_seconds",
        "proforma_outbox_pending",
    }
)
KINDS = frozenset({"failed_run", "stopped_partition"})
SETTINGS = frozenset(
    {
        "PROFORMA_KAFKA_SECURITY",
        "PROFORMA_KAFKA_CA_FILE",
        "PROFORMA_KAFKA_CERT_FILE",
        "PROFORMA_KAFKA_KEY_FILE",
        "PROFORMA_KAFKA_SASL_MECHANISM",
        "PROFORMA_KAFKA_USERNAME",
        "PROFORMA_KAFKA_PASSWORD_FILE",
        "PROFORMA_OTLP_ENDPOINT",
    }
)
