# gguf-packer: what `# syntax=gpustack/gguf-packer` names, the frontend of `docker build`, and the command line.
#   docker buildx build -f docker/gguf-packer.Dockerfile .
# toolchain, build: Cargo makes the distribution. packer: that distribution; `--build-context packer=DIR` gives a finished
# one, or a folder with the program alone.
# The image has no shell: the program and the libraries that it opens.

ARG BASE_IMAGE=debian:trixie-slim@sha256:a29215f6a35e51e22adffa17f89e9d2ef06214e64a2bad10d765c46aea49f11f
# Where Cargo runs: a Debian of the same release, so that what is built runs there.
ARG RUST_IMAGE=${BASE_IMAGE}

FROM ${RUST_IMAGE} AS toolchain
ENV CARGO_HOME=/cache/cargo CCACHE_DIR=/cache/ccache LLAMA_SYS_CACHE_DIR=/cache/llama-sys
RUN --mount=type=tmpfs,target=/var/cache --mount=type=tmpfs,target=/var/lib/apt/lists \
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq --yes --no-install-recommends \
    ca-certificates cargo ccache cmake g++ git libssl-dev ninja-build

# Behind a proxy with certificates of its own: --secret id=ca,src=FILE
FROM toolchain AS build
ARG TARGETARCH
WORKDIR /checkout
RUN --mount=type=bind,target=/checkout --mount=type=cache,id=llama-build,target=/cache,sharing=locked \
    --mount=type=secret,id=ca,target=/etc/ssl/certs/ca-certificates.crt \
    CARGO_TARGET_DIR=/cache/target-$TARGETARCH cargo xtask dist --packer --setup --out /out

FROM scratch AS packer
COPY --from=build /out/gguf-packer-*/ /

FROM ${BASE_IMAGE} AS closure
RUN --mount=type=tmpfs,target=/var/cache --mount=type=tmpfs,target=/var/lib/apt/lists \
    --mount=type=tmpfs,target=/var/log \
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq --yes --no-install-recommends \
    ca-certificates libgomp1 libstdc++6 \
    && install -d -m 1777 /data
RUN --mount=type=bind,source=docker/closure.sh,target=/closure.sh --mount=type=bind,from=packer,target=/packer \
    bash /closure.sh /packer/gguf-packer -- /data

FROM scratch
COPY --from=closure /closure/ /
COPY --from=packer /gguf-packer /app/bin/
# A program alone has none of these.
COPY --from=packer /license[s] /app/licenses
COPY --from=packer /*.json /app/
COPY LICENSE THIRD-PARTY.md /app/
# What BuildKit reads of a frontend: it needs no network itself, and what it takes and answers.
LABEL moby.buildkit.frontend.network.none="true" \
    moby.buildkit.frontend.caps="moby.buildkit.frontend.inputs,moby.buildkit.frontend.subrequests,moby.buildkit.frontend.contexts"
ENV PATH=/app/bin HOME=/data GGUF_PACKER_STORE_PATH=/data/gguf-packer SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
# BuildKit starts the entry point as it is. The command line: `docker run --entrypoint gguf-packer … list`.
ENTRYPOINT ["/app/bin/gguf-packer", "llb-frontend"]
