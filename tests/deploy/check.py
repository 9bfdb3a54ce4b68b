#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""deploy/: what the files say to each other, and to Oriel.

  - every published port is on loopback, every image has a version, what is mounted
    from the tree cannot be written
  - services, volumes, exporters and receivers that are named are there
  - everything that takes OTLP does so by gRPC on 4317 and by HTTP on 4318; these
    are the ports that the help of `oriel export` and `oriel collect` tells, and every
    protocol that they know has a receiver
  - Grafana's data sources are services and ports that are there, its dashboards are found
    where they are looked for, and every panel asks one of these data sources something

usage: check.py ORIEL [DEPLOY]        exit 77: no YAML parser
"""
import json
import os
import pathlib
import re
import subprocess
import sys

sys.dont_write_bytecode = True
DEBIANS = "/usr/bin/python3"  # which python3-yaml is for, whatever python3 is on the PATH
try:
    import yaml
except ImportError:
    if os.path.realpath(sys.executable) != os.path.realpath(DEBIANS):
        os.execv(DEBIANS, [DEBIANS] + sys.argv)
    print("python3-yaml is not installed")
    sys.exit(77)

PORTS = {"grpc": 4317, "http": 4318}
PROVISIONED = "/etc/grafana/provisioning/"  # where Grafana looks without being told
ROOT = pathlib.Path(__file__).resolve().parent.parent.parent


class Deploy:
    def __init__(self, folder, told):
        self.folder, self.told, self.problems = folder, told, []
        self.compose = self.load("compose.yaml")
        self.services = self.compose["services"]
        self.dashboards = self.load("grafana/dashboards.yaml")["providers"]

    def load(self, name):
        with open(self.folder / name, encoding="utf-8") as f:
            return yaml.load(f, Loader=OnlyOnce)

    def need(self, condition, *what):
        if not condition:
            self.problems.append(" ".join(str(w) for w in what))

    def check(self):
        for name, service in self.services.items():
            self.service(name, service)
        self.receivers("collector.yaml", self.load("collector.yaml")["receivers"])
        self.receivers("jaeger.yaml", self.load("jaeger.yaml")["receivers"])
        self.receivers("tempo.yaml", self.load("tempo.yaml")["distributor"]["receivers"])
        for name in ("collector.yaml", "jaeger.yaml"):
            self.pipelines(name, self.load(name))
        self.exporters(self.load("collector.yaml")["exporters"])
        self.published()
        self.grafana()
        self.oriel()
        return self.problems

    def service(self, name, service):
        image, _, tag = service["image"].rpartition(":")
        self.need(image and re.fullmatch(r"v?\d+\.\d+\.\d+", tag), name, "has no version:",
                  service["image"])
        for port in service.get("ports", []):
            self.need(str(port).startswith("127.0.0.1:"), name, "is published beyond loopback:",
                      port)
        for volume in service.get("volumes", []):
            what, where, *mode = volume.split(":")
            if what.startswith("."):
                self.need(mode == ["ro"], name, "can write", what)
                self.need((self.folder / what).is_file(), name, "mounts", what, "which is not there")
                self.need(self.knows(service, where), name, "is not told of", where)
            else:
                self.need(what in self.compose["volumes"], name, "has no volume", what)
        for other in service.get("depends_on", []):
            self.need(other in self.services, name, "depends on", other, "which is not there")

    def knows(self, service, where):
        """Whether a service looks at this place: by its command, or as Grafana."""
        places = [p["options"]["path"] + "/" for p in self.dashboards] + [PROVISIONED]
        return any(where in word for word in service.get("command", ())) or (
            service["image"].startswith("grafana/grafana:") and where.startswith(tuple(places)))

    def listens(self, host, port):
        """Whether this service says that it is there."""
        service = self.services.get(host, {})
        return any(str(p).endswith(":%s" % port) for p in service.get("ports", [])) or (
            ":%s" % port in " ".join(service.get("command", ())))

    def grafana(self):
        sources = {}
        for source in self.load("grafana/datasources.yaml")["datasources"]:
            self.need(source["uid"] not in sources, source["uid"], "stands twice")
            sources[source["uid"]] = source["type"]
            host, port = re.fullmatch(r"http://([\w.-]+):(\d+)(?:/.*)?", source["url"]).groups()
            self.need(self.listens(host, port), source["name"], "is sought at", source["url"],
                      "where nobody listens")
        mounted = [v for v in self.services["grafana"]["volumes"] if v.split(":")[0].endswith(".json")]
        self.need(mounted, "grafana has no dashboard")
        for volume in mounted:
            self.dashboard(volume.split(":")[0], sources)

    def dashboard(self, name, sources):
        board = json.loads((self.folder / name).read_text(encoding="utf-8"))
        variables = {v["name"] for v in board["templating"]["list"]}
        for panel in board["panels"]:
            self.need(panel["targets"], name, panel["title"], "asks nothing")
            for target in panel["targets"]:
                source = target["datasource"]
                self.need(sources.get(source["uid"]) == source["type"], name, panel["title"],
                          "asks", source["uid"], "which is no such data source")
                used = set(re.findall(r"\$(\w+)", target["query"]))
                self.need(target["query"].strip() and used <= variables, name, panel["title"],
                          "uses", sorted(used - variables), "which nobody sets")

    def receivers(self, file, receivers):
        protocols = receivers["otlp"]["protocols"]
        self.need(set(protocols) == set(PORTS), file, "receives by", sorted(protocols))
        for protocol, port in PORTS.items():
            endpoint = protocols.get(protocol, {}).get("endpoint", "")
            self.need(endpoint.endswith(":%d" % port), file, protocol, "listens on",
                      endpoint or "nothing")

    def pipelines(self, file, config):
        used = {"extensions": set(config["service"].get("extensions", []))}
        for pipeline in config["service"]["pipelines"].values():
            for kind in ("receivers", "processors", "exporters"):
                used.setdefault(kind, set()).update(pipeline.get(kind, []))
        for kind, names in used.items():
            there = set(config.get(kind, {}))
            self.need(names == there, file, kind, "used and not there, or there and not used:",
                      sorted(names ^ there))

    def exporters(self, exporters):
        for name, exporter in exporters.items():
            for key in ("endpoint", "traces_endpoint"):
                if key not in exporter:
                    continue
                host, port = re.fullmatch(r"(?:http://)?([\w.-]+):(\d+)(?:/.*)?",
                                          exporter[key]).groups()
                self.need(host in self.services, name, "goes to", host, "which is no service")
                if name.startswith("otlp/"):
                    self.need(int(port) == PORTS["grpc"], name, "speaks gRPC to", port)
                elif host in self.services:
                    self.need(":%s" % port in " ".join(self.services[host]["command"]), name,
                              "goes to", port, "where", host, "does not listen")

    def published(self):
        """The Collector's ports, and nobody else's twice."""
        seen = {}
        for name, service in self.services.items():
            for port in service.get("ports", []):
                outer, inner = port.split(":")[-2:]
                self.need(outer == inner, name, "is published elsewhere:", port)
                self.need(outer not in seen, name, "publishes", outer, "as", seen.get(outer))
                seen[outer] = name
        for protocol, port in PORTS.items():
            self.need(seen.get(str(port)) == "collector", protocol, "of the Collector is not on",
                      port)

    def oriel(self):
        """What the tool says about itself: each port and protocol has a receiver."""
        told = " ".join(self.told.split())
        ports = {int(n) for n in re.findall(r"(?:localhost:|127\.0\.0\.1:|to port )(\d+)", told)}
        self.need(ports == set(PORTS.values()), "oriel speaks of ports", sorted(ports))
        protocols = set(re.findall(r"\b(?:grpc|http/\w+)\b", told))
        self.need(protocols == {"grpc", "http/protobuf", "http/json"}, "oriel speaks",
                  sorted(protocols))


class OnlyOnce(yaml.SafeLoader):
    """A key that stands twice is a mistake."""


def mapping(loader, node):
    keys = [k.value for k, _ in node.value]
    for key in keys:
        if keys.count(key) > 1:
            raise yaml.YAMLError("%s: %s stands twice" % (node.start_mark, key))
    return yaml.SafeLoader.construct_mapping(loader, node, True)


OnlyOnce.add_constructor("tag:yaml.org,2002:map", mapping)


def main():
    oriel = sys.argv[1]
    folder = pathlib.Path(sys.argv[2]) if len(sys.argv) > 2 else ROOT / "deploy"
    told = "".join(subprocess.run([oriel, *words], text=True, capture_output=True, check=True).stdout
                   for words in (("export", "--help"), ("collect", "--help")))
    problems = Deploy(folder, told).check()
    for problem in problems:
        print("deploy: " + problem)
    if not problems:
        print("deploy: nothing to report")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
