# Written from docker/Dockerfile.in: change that, then type `cargo xtask check --fix`.
# llama-server on NVIDIA GPUs, and on the CPU if there is none.
#   docker buildx build -f docker/cuda.Dockerfile .
# toolchain, build: Cargo makes a distribution. dist: its files; `--build-context dist=DIR` gives finished ones.
# runtime (default): Debian with them, to run and to inherit from. minimal: the same without a shell.

ARG BASE_IMAGE=debian:trixie-slim@sha256:a29215f6a35e51e22adffa17f89e9d2ef06214e64a2bad10d765c46aea49f11f
# Where Cargo runs: a Debian of the same release, so that what is built runs there.
ARG RUST_IMAGE=${BASE_IMAGE}
# CUDA's toolkit: put together from NVIDIA's wheels, or from NVIDIA's image.
ARG TOOLKIT=13.0
# With `--build-context dist=DIR`: scratch, so that nothing is asked of a registry.
ARG TOOLKIT_IMAGE=toolkit-${TOOLKIT}

FROM scratch AS toolkit-13.0
WORKDIR /usr/local/cuda
FROM nvidia/cuda:12.8.1-devel-ubuntu24.04@sha256:4b9ed5fa8361736996499f64ecebf25d4ec37ff56e4d11323ccde10aa36e0c43 AS toolkit-12.8
FROM ${TOOLKIT_IMAGE} AS toolkit

FROM ${RUST_IMAGE} AS toolchain
ENV CARGO_HOME=/cache/cargo CCACHE_DIR=/cache/ccache LLAMA_SYS_CACHE_DIR=/cache/llama-sys npm_config_cache=/cache/npm
RUN --mount=type=tmpfs,target=/var/cache --mount=type=tmpfs,target=/var/lib/apt/lists \
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq --yes --no-install-recommends \
    ca-certificates cargo ccache cmake g++ git libssl-dev ninja-build npm python3-pip

# Behind a proxy with certificates of its own: --secret id=ca,src=FILE
FROM toolchain AS build
# Architectures as CMake takes them; upstream's list when empty.
ARG TOOLKIT ARCHITECTURES
ARG TARGETARCH BUILD_VERSION BUILD_COMMIT BUILD_TIMESTAMP BUILD_BRANCH
WORKDIR /checkout
RUN --mount=type=bind,target=/checkout --mount=type=cache,id=llama-build,target=/cache,sharing=locked \
    --mount=type=secret,id=ca,target=/etc/ssl/certs/ca-certificates.crt \
    --mount=type=bind,from=toolkit,source=/usr/local/cuda,target=/usr/local/cuda \
    CARGO_TARGET_DIR=/cache/target-$TARGETARCH cargo xtask dist --setup --variant cuda \
    --toolkit "$TOOLKIT" ${ARCHITECTURES:+--arch "$ARCHITECTURES"} \
    --out /out

FROM scratch AS dist
COPY --from=build /out/cuda-*/ /

FROM ${BASE_IMAGE} AS system
# What else the image shall have, such as curl; `minimal` gets the programs and libraries of these packages only.
ARG EXTRA_PACKAGES=
RUN --mount=type=tmpfs,target=/var/cache --mount=type=tmpfs,target=/var/lib/apt/lists --mount=type=tmpfs,target=/var/log \
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq --yes --no-install-recommends \
    ca-certificates libgomp1 libssl3t64 libstdc++6 $EXTRA_PACKAGES \
    && SOURCE_DATE_EPOCH=86400 useradd --uid 10001 --user-group --home-dir /data --no-log-init --shell /bin/bash llama \
    && install -d /app /models && install -d -o llama -g 0 -m 1777 /data /data/cache

# Debian's files that the programs open, with what scanners read about their packages, and their licences.
FROM system AS closure
RUN --mount=type=bind,source=docker/closure.sh,target=/closure.sh --mount=type=bind,from=dist,target=/dist \
    bash /closure.sh /dist/llama-server /dist/*.so \
    -- /etc/group /etc/passwd \
    /data /models

# From what changes seldom to what changes with every version. All variants have the layer of the CPU payload.
FROM scratch AS minimal
COPY --from=closure /closure/ /
COPY --from=dist /lib*.so.* /app/
COPY --from=dist /libggml-cuda.so /app/
COPY --from=dist /llama-server /llama-healthcheck /ggml-rpc-server /libllama*.so /libmtmd.so /libggml.so /libggml-base.so /libggml-cpu-*.so /libggml-rpc.so /app/
COPY --from=dist /bin /app/bin
COPY --from=dist /licenses /app/licenses
COPY --from=dist /sbom.spdx.json /version.json /vex.openvex.json /app/
ARG BUILD_VERSION BUILD_COMMIT
LABEL org.opencontainers.image.version="$BUILD_VERSION" org.opencontainers.image.revision="$BUILD_COMMIT" \
    llama-server.variant=cuda
# The first CUDA whose driver can read the code in the backend: 12.4 for toolkit 12.8.
ARG MINIMUM_CUDA=13.0
ENV HOME=/data PATH=$PATH:/app/bin SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt \
    LLAMA_ARG_HOST=:: LLAMA_ARG_PORT=8080 LLAMA_CACHE=/data/cache LLAMA_SERVER_NEEDS_MODEL=1 LLAMA_SERVER_SANDBOX=1 NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility LD_LIBRARY_PATH=/usr/local/nvidia/lib:/usr/local/nvidia/lib64 NVIDIA_REQUIRE_CUDA="cuda>=$MINIMUM_CUDA"
EXPOSE 8080
HEALTHCHECK --interval=15s --timeout=5s --start-period=10m --retries=3 CMD ["/app/bin/llama-healthcheck"]
USER 10001:10001
ENTRYPOINT ["/app/bin/llama-server"]

FROM system AS runtime
COPY --from=dist /lib*.so.* /app/
COPY --from=dist /libggml-cuda.so /app/
COPY --from=dist /llama-server /llama-healthcheck /ggml-rpc-server /libllama*.so /libmtmd.so /libggml.so /libggml-base.so /libggml-cpu-*.so /libggml-rpc.so /app/
COPY --from=dist /bin /app/bin
COPY --from=dist /licenses /app/licenses
COPY --from=dist /sbom.spdx.json /version.json /vex.openvex.json /app/
ARG BUILD_VERSION BUILD_COMMIT
LABEL org.opencontainers.image.version="$BUILD_VERSION" org.opencontainers.image.revision="$BUILD_COMMIT" \
    llama-server.variant=cuda
# The first CUDA whose driver can read the code in the backend: 12.4 for toolkit 12.8.
ARG MINIMUM_CUDA=13.0
ENV HOME=/data PATH=$PATH:/app/bin SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt \
    LLAMA_SERVER_COMMANDS=1 \
    LLAMA_ARG_HOST=:: LLAMA_ARG_PORT=8080 LLAMA_CACHE=/data/cache LLAMA_SERVER_NEEDS_MODEL=1 LLAMA_SERVER_SANDBOX=1 NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility LD_LIBRARY_PATH=/usr/local/nvidia/lib:/usr/local/nvidia/lib64 NVIDIA_REQUIRE_CUDA="cuda>=$MINIMUM_CUDA"
EXPOSE 8080
HEALTHCHECK --interval=15s --timeout=5s --start-period=10m --retries=3 CMD ["/app/bin/llama-healthcheck"]
USER 10001:10001
ENTRYPOINT ["/app/bin/llama-server"]
