"""Says which fields of a manifest KServe does not know. The types of KServe come from its own Python models, those of
Kubernetes from the strict schemas of kubernetes-validate. Neither package's dependencies have to be there.

    kserve_models.py FOLDER-OF-KSERVE VERSION-OF-KUBERNETES FILE...
"""

import importlib
import json
import re
import sys
import types
from pathlib import Path

import jsonschema
import kubernetes_validate
import yaml

BASIC = {"str": str, "int": int, "bool": bool, "float": (int, float)}


def models(folder):
    """The package `kserve.models`, without the server around it."""
    package = types.ModuleType("kserve")
    package.__path__ = [f"{folder}/kserve"]
    sys.modules["kserve"] = package
    configuration = types.SimpleNamespace(client_side_validation=True)
    sys.modules["kserve.configuration"] = types.SimpleNamespace(Configuration=lambda: configuration)
    sys.modules["six"] = types.SimpleNamespace(iteritems=dict.items)
    return importlib.import_module("kserve.models")


class Checker:
    def __init__(self, folder, version):
        self.models = models(folder)
        schemas = Path(kubernetes_validate.__file__).parent / "kubernetes-json-schema"
        text = (schemas / f"v{version}.0-local-strict" / "_definitions.json").read_text()
        self.definitions = json.loads(text)["$defs"]

    def check(self, where, kind, value):
        """Raises an error if `value` is no `kind`."""
        if inner := re.fullmatch(r"(list|dict)[\[(](?:str, )?(.*)[\])]", kind):
            container, kind = {"list": list, "dict": dict}[inner[1]], inner[2]
            assert isinstance(value, container), f"{where}: {value!r} is no {container.__name__}"
            items = value.items() if container is dict else enumerate(value)
            for key, item in items:
                self.check(f"{where}[{key}]", kind, item)
        elif kind in BASIC:
            assert isinstance(value, BASIC[kind]), f"{where}: {value!r} is no {kind}"
        elif model := getattr(self.models, kind, None):
            self.check_model(where, model, value)
        else:
            self.check_kubernetes(where, kind, value)

    def check_model(self, where, model, value):
        names = {key: name for name, key in model.attribute_map.items()}
        for key, item in value.items():
            assert key in names, f"{where}: {model.__name__} has no field {key}"
            self.check(f"{where}.{key}", model.openapi_types[names[key]], item)
        # It raises an error if a field is missing.
        model(**{names[key]: item for key, item in value.items()})

    def check_kubernetes(self, where, kind, value):
        kind = kind.removeprefix("V1")
        packages = ("io.k8s.api.core.v1", "io.k8s.apimachinery.pkg.apis.meta.v1")
        [name] = [name for name in (f"{package}.{kind}" for package in packages) if name in self.definitions]
        schema = {"$ref": f"#/$defs/{name}", "$defs": self.definitions}
        # `jsonschema.validate` would check the schemas themselves first, which takes seconds.
        for error in jsonschema.Draft202012Validator(schema).iter_errors(value):
            raise AssertionError(f"{where}: {error.json_path}: {error.message}")


def main():
    folder, version, *files = sys.argv[1:]
    checker = Checker(folder, version)
    for file in files:
        for manifest in yaml.safe_load_all(Path(file).read_text()):
            version = manifest["apiVersion"].removeprefix("serving.kserve.io/").capitalize()
            kind = manifest["kind"]
            checker.check(f"{file}: {kind}", version + kind, manifest)
            print(f"{file}: {kind} is right")


main()
