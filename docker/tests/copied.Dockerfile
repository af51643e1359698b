# The server and its libraries taken out of upstream's image, by the paths that they have there.
ARG BASE_IMAGE
# hadolint ignore=DL3026
FROM ghcr.io/ggml-org/llama.cpp:server AS llama

FROM ${BASE_IMAGE}
RUN apt-get update -qq && \
    apt-get install -qq --yes --no-install-recommends ca-certificates libgomp1 libssl3t64 libstdc++6 && \
    rm -rf /var/lib/apt/lists/*
COPY --from=llama /app/llama-server /usr/local/bin/llama-server
COPY --from=llama /app/*.so /usr/local/lib/
RUN ldconfig
ENTRYPOINT ["llama-server"]
