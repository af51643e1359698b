# A server that `cargo build --release` made, in an image that has what such a server needs of the system.
#   docker buildx build -f docker/examples/static.Dockerfile --build-context server=target/release docker
# The image must not be older than the system that the server was built on.
ARG BASE_IMAGE=debian:trixie-slim
FROM ${BASE_IMAGE}
RUN apt-get update -qq && apt-get install -qq --yes --no-install-recommends ca-certificates libgomp1 libssl3 libstdc++6 \
    && rm -rf /var/lib/apt/lists/*
# hadolint ignore=DL3022
COPY --from=server /llama-server /usr/local/bin/llama-server
ENTRYPOINT ["llama-server"]
