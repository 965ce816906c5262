"""Writes the Helm chart, deploy/kubernetes/chart, of the objects that the kustomize base has: one source for both ways to install.

python -m tools.gen_chart          writes it
python -m tools.gen_chart --check  exit 1 when a file is stale
Rendered with its values as they are, the chart is the base, which tests/meta/test_gen_chart.py shows. Not here: what is installed.
"""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import yaml

ROOT: Final = Path(__file__).resolve().parent.parent
BASE: Final = ROOT / "deploy" / "kubernetes" / "base"
CHART: Final = ROOT / "deploy" / "kubernetes" / "chart"
COMMAND: Final = "python -m tools.gen_chart"
_MADE: Final = f"# Made by `{COMMAND}` of deploy/kubernetes/base; change that instead.\n"
NAMESPACE: Final = "netweather"
"""The base's, in whose place stands the release's."""
IMAGE: Final = "{{ .Values.image.repository }}:{{ .Values.image.tag }}"
VALUES: Final = """\
# {made}
image: # of your own registry: docker build -t registry.example.org/netweather .
  repository: netweather
  tag: latest
  pullPolicy: "" # as Kubernetes has it unless given

runtime: # where each node's container runtime listens
  folder: /run/containerd
  socket: containerd.sock

policy: # what nobody may do by a NetworkCondition
  most: 50% # of all pods, by one condition; 10 are always allowed
  protect: [kube-system] # namespaces without conditions, besides the release's own

operator:
  replicas: 2
  arguments: [] # more of `netweather operator`
  resources: {operator_resources}

agent:
  arguments: [] # more of `netweather agent`
  resources: {agent_resources}
"""
NOTES: Final = """\
Netweather {{ .Chart.AppVersion }} is in the namespace {{ .Release.Namespace }}.

  kubectl netweather doctor --installed-in {{ .Release.Namespace }}

Its agents are privileged. Where Pod Security admission is on:
  kubectl label namespace {{ .Release.Namespace }} pod-security.kubernetes.io/enforce=privileged
`helm uninstall` ends every condition, and leaves the kinds and the objects of them:
  kubectl delete crds {kinds}
"""


def files() -> dict[Path, str]:
    """Every file of the chart, and what must stand there."""
    parts = {name: _objects(name) for name in ("users", "operator", "agent")}
    resources = {f"{name}_resources": _resources(parts[name]) for name in ("operator", "agent")}
    made = {CHART / "templates" / f"{name}.yaml": _MADE + "".join(map(_template, objects)) for name, objects in parts.items()}
    return {
        CHART / "Chart.yaml": _chart(),
        CHART / "values.yaml": VALUES.format(made=_MADE.removeprefix("# ").rstrip(), **resources),
        CHART / "crds" / "crds.yaml": (BASE / "crds.yaml").read_text(encoding="utf-8"),
        CHART / "templates" / "NOTES.txt": NOTES.replace(
            "{kinds}", " ".join(each["metadata"]["name"] for each in _objects("crds"))
        ),
        **made,
    }


def stale() -> list[Path]:
    """The files that are not as they would be written now, and those that would not be there."""
    wanted = files()
    changed = [path for path, text in wanted.items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    return changed + [path for path in CHART.rglob("*") if path.is_file() and path not in wanted]


def _objects(name: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((BASE / f"{name}.yaml").read_text(encoding="utf-8")))


def _chart() -> str:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    numbers, _, rest = version.partition(".dev")
    chart = {
        "apiVersion": "v2",
        "name": "netweather",
        "description": "Network conditions on pods, as objects",
        "type": "application",
        "version": f"{numbers}-dev.{rest}" if rest else numbers,
        "appVersion": version,
        "kubeVersion": ">=1.20.0-0",
    }
    return _MADE + yaml.safe_dump(chart, sort_keys=False)


def _resources(objects: list[dict[str, Any]]) -> str:
    (workload,) = (each for each in objects if each["kind"] in ("Deployment", "DaemonSet"))
    found = workload["spec"]["template"]["spec"]["containers"][0]["resources"]
    return yaml.safe_dump(found, default_flow_style=True, width=200).strip()


# one object to its template


def _template(found: dict[str, Any]) -> str:
    blocks: list[str] = []
    marked = _of_release(found)
    if found["kind"] in ("Deployment", "DaemonSet"):
        _workload(marked, blocks)
    if found["apiVersion"].startswith("policy/"):
        marked["apiVersion"] = '{{ if .Capabilities.APIVersions.Has "policy/v1" }}policy/v1{{ else }}policy/v1beta1{{ end }}'
    text = yaml.safe_dump(marked, sort_keys=False, width=1000)
    return "---\n" + "".join(_line(line, blocks) for line in text.splitlines())


def _of_release(found: Any) -> Any:
    """The same with the release's namespace wherever the base's stands as a whole value; its names stay."""
    if isinstance(found, dict):
        return {key: _of_release(value) for key, value in found.items()}
    if isinstance(found, list):
        return [_of_release(each) for each in found]
    return "{{ .Release.Namespace }}" if found == NAMESPACE else found


def _workload(found: dict[str, Any], blocks: list[str]) -> None:
    def block(text: str) -> str:
        blocks.append(text)
        return f"@@{len(blocks) - 1}@@"

    part = "operator" if found["kind"] == "Deployment" else "agent"
    container = found["spec"]["template"]["spec"]["containers"][0]
    container["name"] = part
    container["image"] = IMAGE
    items = list(container.items())
    at = [key for key, _ in items].index("image") + 1
    items.insert(at, ("imagePullPolicy", block("{{- with .Values.image.pullPolicy }}\nimagePullPolicy: {{ . }}\n{{- end }}")))
    more = f"{{{{- with .Values.{part}.arguments }}}}\n{{{{- toYaml . | nindent INDENT }}}}\n{{{{- end }}}}"
    resources = f"resources: {{{{- toYaml .Values.{part}.resources | nindent DEEPER }}}}"
    found["spec"]["template"]["spec"]["containers"][0] = container = dict(items)
    container["args"] = [*_arguments(container["args"], block), block(more)]
    container["resources"] = block(resources)
    if part == "operator":
        found["spec"]["replicas"] = block("replicas: {{ .Values.operator.replicas }}")
    else:
        for each in container["env"]:
            if each["name"] == "CONTAINER_RUNTIME_ENDPOINT":
                each["value"] = "unix:///run/cri/{{ .Values.runtime.socket }}"
        found["spec"]["template"]["spec"]["volumes"][0]["hostPath"]["path"] = "{{ .Values.runtime.folder }}"


def _arguments(words: list[str], block: Any) -> Iterator[str]:
    """What the policy says in place of the base's own."""
    pairs = iter(words)
    protected = False
    for word in pairs:
        if word == "--most":
            next(pairs)
            yield from (word, "{{ .Values.policy.most }}")
        elif word == "--protect" and next(pairs) != "{{ .Release.Namespace }}":
            if not protected:
                yield block("{{- range .Values.policy.protect }}\n- --protect\n- {{ . | quote }}\n{{- end }}")
            protected = True
        elif word == "--protect":
            yield from (word, "{{ .Release.Namespace }}")
        else:
            yield word


def _line(line: str, blocks: list[str]) -> str:
    """A line of YAML as the template has it: with the block that its mark stands for."""
    found = re.fullmatch(r"( *)(?:- |\w+: )'?@@(\d+)@@'?", line)
    if found is None:
        return re.sub(r"'(\{\{.*\}\})'", r"\1", line) + "\n" if line.startswith("apiVersion:") else f"{line}\n"
    indent = found[1]
    text = blocks[int(found[2])].replace("INDENT", str(len(indent))).replace("DEEPER", str(len(indent) + 2))
    return "".join(f"{'' if each.startswith('{{-') else indent}{each}\n" for each in text.splitlines())


def main(arguments: list[str]) -> int:
    """Writes what is stale, or with --check only tells of it."""
    found, wanted = stale(), files()
    for path in found:
        if "--check" not in arguments:
            path.parent.mkdir(parents=True, exist_ok=True)
            if path in wanted:
                path.write_text(wanted[path], encoding="utf-8")
            else:
                path.unlink()
        print(f"{path.relative_to(ROOT)} {'is stale' if '--check' in arguments else 'written'}")
    return 1 if found and "--check" in arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
