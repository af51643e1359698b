# What the tests of images need besides Docker, from Debian: a registry, signatures, readers of registries, kustomize, podman's quadlets.
ARG BASE_IMAGE=debian:trixie-slim
FROM ${BASE_IMAGE}
RUN --mount=type=tmpfs,target=/var/cache --mount=type=tmpfs,target=/var/lib/apt/lists \
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq --yes --no-install-recommends \
    ca-certificates catatonit cosign crun docker-registry kubectl netavark nftables oras podman redis-server skopeo \
    && printf 'version: 0.1\nstorage: {filesystem: {rootdirectory: /registry}}\nhttp: {addr: ":5000"}\n' > /etc/docker/registry/config.yml
