#!/bin/sh
# Every overlay against the Kubernetes schemas, without a cluster.
# Needs kubectl 1.27 or newer, and kubernetes-validate of PyPI, which carries the schemas.
set -eu
cd "$(dirname "$0")/../k8s"
dir=$(mktemp -d)
trap 'rm -r "$dir"' EXIT
for overlay in overlays/* examples/*; do
    kubectl kustomize "$overlay" > "$dir/$(basename "$overlay").yaml"
done
kubernetes-validate --strict --no-warn --kubernetes-version 1.33 "$dir"/*.yaml
