"""What deploy/ promises: a manifest that clusters take, and an image that needs no root."""

import re
import socket
import subprocess
from pathlib import Path

import children
import kubernetes_validate
import pytest
import yaml
from kubernetes_validate import utils
from sidecar import until

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
RESOURCES = list(yaml.safe_load_all((DEPLOY / "kubernetes" / "sidecar.yaml").read_text()))
# From the first that has all the manifest uses without a feature gate, up to the newest the package knows.
VERSIONS = [version for version in sorted(set(utils.all_versions())) if version >= "1.30"]

SHARED = list(yaml.safe_load_all((DEPLOY / "kubernetes" / "sidecar-redis.yaml").read_text()))

HASH = "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$K9YQuh7w2Xf0mZJjGv3n4O4Yb1F0u7k0b7pVb8mZJjE"


def resource(kind):
    (found,) = [resource for resource in RESOURCES if resource["kind"] == kind]
    return found


@pytest.fixture
def pod():
    return resource("Deployment")["spec"]["template"]["spec"]


@pytest.fixture
def sidecar(pod):
    (container,) = pod["initContainers"]
    return container


@pytest.fixture
def settings():
    return yaml.safe_load(resource("ConfigMap")["data"]["doorward.yaml"])


def ports(container):
    return {port["name"]: port["containerPort"] for port in container["ports"]}


def port_of(address):
    return int(address.rpartition(":")[2])


@pytest.mark.parametrize("version", VERSIONS)
def test_the_manifest_fits_the_schemas_of_kubernetes(version):
    assert [resource["kind"] for resource in RESOURCES] == ["ConfigMap", "PersistentVolumeClaim", "Deployment", "Service"]
    for one in RESOURCES:
        # It falls back to an older schema in silence; this names the one that was used.
        assert kubernetes_validate.validate(one, version, strict=True) == ".".join(version.split(".")[:2])


def test_the_schemas_refuse_a_misspelt_member():
    broken = resource("Deployment") | {"spec": resource("Deployment")["spec"] | {"replica": 1}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(broken, VERSIONS[-1], strict=True)


def test_doorward_is_a_native_sidecar(sidecar):
    assert sidecar["restartPolicy"] == "Always"
    probes = {kind: sidecar[f"{kind}Probe"]["httpGet"] for kind in ("startup", "readiness", "liveness")}
    assert probes == {
        "startup": {"path": "/startupz", "port": "admin"},
        "readiness": {"path": "/readyz", "port": "admin"},
        "liveness": {"path": "/livez", "port": "admin"},
    }


def test_no_container_has_more_rights_than_it_needs(pod, sidecar):
    shared = pod["securityContext"]
    assert shared["runAsNonRoot"] is True
    assert shared["runAsUser"] > 0
    assert shared["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    for container in [sidecar, *pod["containers"]]:
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
    assert all(port > 1024 for port in ports(sidecar).values())


def test_keys_come_from_a_secret_that_only_the_group_may_read(pod, sidecar):
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    mounts = {mount["mountPath"]: mount for mount in sidecar["volumeMounts"]}
    keys = mounts["/etc/doorward/keys"]
    assert volumes[keys["name"]]["secret"]["defaultMode"] == 0o440
    assert pod["securityContext"]["fsGroup"] == pod["securityContext"]["runAsGroup"]
    # A subPath would be the file of the first day for ever.
    assert all("subPath" not in mount for mount in mounts.values())
    assert [path for path, mount in mounts.items() if not mount.get("readOnly")] == ["/var/lib/doorward"]


def test_what_was_revoked_outlives_the_pod(pod, sidecar, settings):
    deployment = resource("Deployment")["spec"]
    assert settings["store"] == "embedded"
    assert (deployment["replicas"], deployment["strategy"]) == (1, {"type": "Recreate"})
    (mount,) = [mount for mount in sidecar["volumeMounts"] if settings["data_dir"].startswith(mount["mountPath"] + "/")]
    (volume,) = [volume for volume in pod["volumes"] if volume["name"] == mount["name"]]
    assert volume["persistentVolumeClaim"]["claimName"] == resource("PersistentVolumeClaim")["metadata"]["name"]


def test_no_road_leads_past_doorward(pod, sidecar, settings):
    (app,) = pod["containers"]
    assert settings["upstream"]["url"] == "http://127.0.0.1:8000"
    assert app["args"][app["args"].index("--host") + 1] == "127.0.0.1"
    assert "ports" not in app
    (service,) = resource("Service")["spec"]["ports"]
    assert service["targetPort"] == "http"
    named = ports(sidecar)
    assert named["http"] == port_of(settings["server"]["listen"])
    assert named["admin"] == port_of(settings["admin"]["listen"])
    # The kubelet's probe of the app enters where clients do, by a route that is open for nothing else.
    probe = app["readinessProbe"]["httpGet"]
    assert probe["port"] == named["http"]
    assert {"path": probe["path"], "methods": ["GET"], "access": "public"} in settings["policy"]["routes"]


def test_stopping_fits_into_the_time_kubernetes_gives(pod, settings):
    (app,) = pod["containers"]
    seconds = app["lifecycle"]["preStop"]["sleep"]["seconds"]
    shutdown = [int(settings["server"]["shutdown"][phase].removesuffix("s")) for phase in ("lame_duck", "drain")]
    assert seconds > 0
    assert seconds + sum(shutdown) < pod["terminationGracePeriodSeconds"]


@pytest.mark.parametrize("resources", [RESOURCES, SHARED], ids=["sidecar", "sidecar-redis"])
def test_the_memory_limit_has_room_for_all_that_may_be_held(resources):
    (settings,) = (yaml.safe_load(one["data"]["doorward.yaml"]) for one in resources if one["metadata"]["name"] == "doorward" and "data" in one)
    (deployment,) = (one for one in resources if one["kind"] == "Deployment" and one["metadata"]["name"] == "your-api")
    (sidecar,) = deployment["spec"]["template"]["spec"]["initContainers"]
    limit = sidecar["resources"]["limits"]["memory"]
    # As docs/performance.md has them, in MiB: idle, under load, tokens, answers, pages of the store, connections.
    held = 20 + 5 + 33 + 36 + 17 + 10_000 * 6.5 / 1024
    assert limit.endswith("Mi")
    assert held + 19 * settings["users"]["hashing"]["concurrency"] <= int(limit.removesuffix("Mi"))
    assert settings["server"]["threads"] <= 2, "each core of a large node would have one, and its memory"


@pytest.fixture
def write_configuration(binary, tmp_path):
    """Puts a manifest's configuration where it can be checked, with keys and users beside it."""
    keys = tmp_path / "keys"
    keys.mkdir()
    for name, algorithm in (("token.pem", "ES256"), ("server.key", "HS256")):
        made = subprocess.run([binary, "keygen", "--alg", algorithm], capture_output=True, check=True)
        (keys / name).write_bytes(made.stdout)
    (keys / "users.yaml").write_text(yaml.safe_dump([{"username": "johndoe", "password_hash": HASH, "scopes": ["me"]}]))
    for file in keys.iterdir():
        file.chmod(0o440)

    def write(text):
        config = tmp_path / "doorward.yaml"
        config.write_text(text.replace("/etc/doorward", str(tmp_path)).replace("/var/lib/doorward", str(tmp_path)))
        return config

    return write


def test_doorward_accepts_the_manifests_configuration(binary, write_configuration):
    config = write_configuration(resource("ConfigMap")["data"]["doorward.yaml"])
    checked = subprocess.run([binary, "check", "--config", config], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def shared(kind, name):
    (found,) = [resource for resource in SHARED if (resource["kind"], resource["metadata"]["name"]) == (kind, name)]
    return found


@pytest.mark.parametrize("version", VERSIONS)
def test_the_manifest_with_redis_fits_the_schemas_too(version):
    kinds = ["ConfigMap", "Deployment", "Service", "PodDisruptionBudget", "ConfigMap", "StatefulSet", "Service", "NetworkPolicy"]
    assert [resource["kind"] for resource in SHARED] == kinds
    for one in SHARED:
        assert kubernetes_validate.validate(one, version, strict=True) == ".".join(version.split(".")[:2])


def test_all_replicas_share_keys_and_store(sidecar, pod):
    deployment = shared("Deployment", "your-api")["spec"]
    settings = yaml.safe_load(shared("ConfigMap", "doorward")["data"]["doorward.yaml"])
    assert deployment["replicas"] == 3
    assert deployment["strategy"]["type"] == "RollingUpdate", "nothing is in a pod that the next one must wait for"
    many = deployment["template"]["spec"]
    (container,) = many["initContainers"]
    mounted = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
    volumes = {volume["name"]: volume for volume in many["volumes"]}
    redis = settings["store"]["redis"]
    for file in (settings["tokens"]["keys"][0]["file"], settings["server_keys"][0]["file"], redis["password"]["file"]):
        assert volumes[mounted[str(Path(file).parent)]]["secret"]["defaultMode"] == 0o440
    assert "emptyDir" in volumes[mounted["/var/lib/doorward"]]
    service = shared("Service", "doorward-redis")
    (port,) = service["spec"]["ports"]
    assert redis["url"] == f"redis://{service['metadata']['name']}:{port['port']}"
    policy = shared("NetworkPolicy", "doorward-redis")["spec"]
    assert policy["ingress"][0]["from"] == [{"podSelector": {"matchLabels": deployment["selector"]["matchLabels"]}}]
    # All else is as in the manifest of one.
    for name in ("securityContext", "terminationGracePeriodSeconds", "containers"):
        assert many[name] == pod[name]
    for name in ("image", "args", "ports", "startupProbe", "readinessProbe", "livenessProbe", "resources", "securityContext"):
        assert container[name] == sidecar[name]


def test_redis_has_no_more_rights_than_it_needs():
    pod = shared("StatefulSet", "doorward-redis")["spec"]["template"]["spec"]
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    for container in [*pod["initContainers"], *pod["containers"]]:
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }


def test_the_manifests_redis_keeps_what_doorward_promises(binary, tmp_path, write_configuration):
    """Its own settings and its own user, in a real server, looked at by the manifest's own configuration."""
    (users,) = shared("StatefulSet", "doorward-redis")["spec"]["template"]["spec"]["initContainers"]
    (script,) = users["args"]
    run = tmp_path / "run"
    run.mkdir()
    (tmp_path / "redis").mkdir()
    password = subprocess.run([binary, "keygen", "--alg", "HS256"], capture_output=True, check=True).stdout
    (tmp_path / "redis" / "redis.password").write_bytes(password)
    (tmp_path / "redis" / "redis.password").chmod(0o440)
    script = script.replace("/etc/redis/password", str(tmp_path / "redis")).replace("/run/redis", str(run))
    subprocess.run(["sh", "-ec", script], check=True)
    rules = (run / "users.acl").read_text().split(" ~", 1)[1].strip()
    (documented,) = re.findall(r"^ACL SETUSER doorward on >PASSWORD ~(.*) \+asking \+cluster\|slots$", (DEPLOY.parent / "README.md").read_text(), re.M)
    assert rules == documented

    text = shared("ConfigMap", "doorward-redis")["data"]["redis.conf"]
    settings = tmp_path / "redis.conf"
    settings.write_text(text.replace("dir /data", f"dir {run}").replace("/run/redis", str(run)))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = children.start(["redis-server", settings, "--bind", "127.0.0.1", "--port", port], stdout=subprocess.DEVNULL)
    try:
        text = shared("ConfigMap", "doorward")["data"]["doorward.yaml"]
        config = write_configuration(text.replace("redis://doorward-redis:6379", f"redis://127.0.0.1:{port}"))

        def answers():
            return subprocess.run([binary, "check", "--connect", "--config", config], capture_output=True, text=True)

        until(lambda: answers().returncode == 0, what="a Redis that is as it should be")
        checked = answers()
        assert "problem" not in checked.stdout, checked.stdout
        assert "warning  " not in checked.stdout, checked.stdout
        assert password.decode().strip() not in checked.stdout + checked.stderr
    finally:
        server.kill()
        server.wait()


def test_the_image_has_no_shell_and_no_root():
    # Continued lines are one instruction; comments are none.
    text = re.sub(r"\\\n", " ", re.sub(r"(?m)^\s*#.*\n", "", (DEPLOY / "Dockerfile").read_text()))
    instructions = [line.split(None, 1) for line in text.splitlines() if line.strip()]
    stages = [index for index, (word, _) in enumerate(instructions) if word == "FROM"]
    assert len(stages) == 2
    build, final = instructions[: stages[1]], instructions[stages[1] :]

    (command,) = [rest for word, rest in build if word == "RUN" and "cargo build" in rest]
    assert {"--release", "--locked"} <= set(command.split())
    assert any("apt-get install" in rest and " cmake " in rest for word, rest in build if word == "RUN")

    last = dict(final)
    assert last["FROM"].startswith("gcr.io/distroless/")
    user = re.fullmatch(r"(\d+):(\d+)", last["USER"])
    assert user, "a number, so that runAsNonRoot can tell"
    assert 0 not in map(int, user.groups())
    assert "RUN" not in last
    assert "HEALTHCHECK" not in last
    assert last["EXPOSE"].split() == ["8080", "9090"]
    assert last["ENTRYPOINT"] == '["/usr/local/bin/doorward"]'
    assert int(user[1]) == resource("Deployment")["spec"]["template"]["spec"]["securityContext"]["runAsUser"]


def test_the_build_gets_all_it_reads():
    """What the Dockerfile copies is what .dockerignore lets through, and what Cargo.toml names."""
    root = DEPLOY.parent
    allowed = {line[1:] for line in (root / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = set()
    for line in (DEPLOY / "Dockerfile").read_text().splitlines():
        if line.startswith("COPY ") and "--from" not in line:
            copied.update(line.split()[1:-1])
    assert copied == allowed
    assert all((root / name).exists() for name in copied)
