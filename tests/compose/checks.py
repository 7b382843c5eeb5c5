"""What must hold of the running stack besides the totals: rights, topics, hardening, and no start without secrets."""

import json
from pathlib import Path
from typing import Any

from local.databases import SERVICES
from proforma.topics import TOPICS
from tests.compose.engine import BASE_IMAGE, ComposeError, Stack, run

# What a login owns, and whether it may make tables or databases, or is more than a login.
OWNED = """
select (select count(*) from pg_class where relowner = current_user::regrole)
     + (select count(*) from pg_database where datdba = current_user::regrole)
     + (select count(*) from pg_namespace where nspowner = current_user::regrole)
     + (select count(*) from pg_roles where rolname = current_user and (rolsuper or rolcreatedb or rolcreaterole))
     + has_schema_privilege('public', 'create')::int
"""
# Root in a container is needed by nobody but postgres, which gives it up.
ONE_SERVER_AS_ROOT = "postgres"


def refuses_without_passwords(stack: Stack, folder: Path) -> None:
    """Compose must stop at the first variable that is missing, and name it."""
    file = folder / "empty"
    file.touch()
    empty = Stack(stack.project, file)
    try:
        empty.compose("config", "--quiet")
    except ComposeError as error:
        if "PASSWORD" in str(error) or "PROFORMA_AUTH" in str(error):
            return
        raise
    raise ComposeError("Compose takes the file without any password")


def size_beyond_base(image: str) -> int:
    """Bytes that the image adds to its base."""
    sizes = [int(run(["docker", "image", "inspect", "--format", "{{.Size}}", one])) for one in (image, BASE_IMAGE)]
    return sizes[0] - sizes[1]


def check_stack(stack: Stack) -> None:
    """Raises ComposeError with everything that is not as it must be."""
    wrong = [*_hardening(stack), *_rights(stack), *_topics(stack), *_jobs(stack)]
    if wrong:
        raise ComposeError("; ".join(wrong))


def _hardening(stack: Stack) -> list[str]:
    wrong = []
    for service, container in stack.containers().items():
        (facts,) = json.loads(run(["docker", "inspect", container.name]))
        host: dict[str, Any] = facts["HostConfig"]
        if not host["ReadonlyRootfs"] or "no-new-privileges:true" not in (host["SecurityOpt"] or []):
            wrong.append(f"{service} can write to its root file system or gain privileges")
        if host["CapDrop"] != ["ALL"] or (host["CapAdd"] and service != ONE_SERVER_AS_ROOT):
            wrong.append(f"{service} has capabilities")
        if host["Privileged"] or host["NetworkMode"] == "host":
            wrong.append(f"{service} is not contained")
    return wrong


def _rights(stack: Stack) -> list[str]:
    wrong = []
    postgres = stack.containers()["postgres"].name
    for database in SERVICES.values():
        # The server's own socket asks for no password: who the login is matters here, not how it comes in.
        psql = ["docker", "exec", postgres, "psql", "-h", "/var/run/postgresql", "-qtAX", "-d", database]
        if run([*psql, "-U", database, "-c", OWNED]).strip() != "0":
            wrong.append(f"the login {database} owns or may make something")
        if run([*psql, "-U", f"{database}_owner", "-c", "select count(*) > 9 from pg_class where relkind = 'r'"
                " and relowner = current_user::regrole"]).strip() != "t":  # fmt: skip
            wrong.append(f"{database}_owner does not own the tables")
    return wrong


def _topics(stack: Stack) -> list[str]:
    kafka = stack.containers()["kafka"].name
    told = run(
        [
            "docker",
            "exec",
            kafka,
            "/opt/kafka/bin/kafka-topics.sh",
            "--bootstrap-server",
            "localhost:9092",
            "--describe",
        ]
    )
    found = {}
    for line in told.splitlines():
        facts = {name.strip(): said.strip() for name, _, said in (part.partition(":") for part in line.split("\t"))}
        if "PartitionCount" in facts:
            found[facts["Topic"]] = (int(facts["PartitionCount"]), facts.get("Configs", ""))
    wrong = [f"there is no topic {topic.name}" for topic in TOPICS if topic.name not in found]
    for topic in TOPICS:
        partitions, config = found.get(topic.name, (topic.partitions, ""))
        set_there = dict(one.split("=", 1) for one in config.split(",") if "=" in one)
        if partitions != topic.partitions or not topic.config().items() <= set_there.items():
            wrong.append(f"{topic.name} has {partitions} partitions and {config or 'nothing set'}")
    return wrong


def _jobs(stack: Stack) -> list[str]:
    """What runs once has run, and succeeded."""
    once = [one for one in stack.containers().values() if one.health == "none"]
    wrong = [f"{one.service} ended with {one.exit_code}" for one in once if one.exit_code or one.status != "exited"]
    return wrong if len(once) == len(SERVICES) + 2 else [*wrong, f"{len(once)} jobs instead of {len(SERVICES) + 2}"]
