# What the tests of images need besides Docker, from Debian: a registry, signatures, readers of registries, kustomize, podman's quadlets,
# and what keeps a compiler cache for many machines.
ARG BASE_IMAGE=debian:trixie-slim
FROM ${BASE_IMAGE}
RUN --mount=type=tmpfs,target=/var/cache --mount=type=tmpfs,target=/var/lib/apt/lists \
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq --yes --no-install-recommends \
    ca-certificates catatonit cosign crun docker-registry kubectl netavark nftables nginx-light oras podman redis-server \
    skopeo \
    && printf 'version: 0.1\nstorage: {filesystem: {rootdirectory: /registry}}\nhttp: {addr: ":5000"}\n' > /etc/docker/registry/config.yml \
    && printf 'daemon off; events {} http { access_log off; client_max_body_size 0; server { listen 127.0.0.1:PORT; \
    root /cache; dav_methods PUT DELETE; create_full_put_path on; } }\n' > /etc/nginx/cache.conf \
    && mkdir -m 777 /cache
