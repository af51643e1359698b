# Takes the server out of an image and into another one, with the lines of linnix (docker/llama-cpp/Dockerfile).
# ggml looks for backends beside libggml, so both places work.
ARG LLAMA_IMAGE=llama-cpp-cpu:local
ARG BASE_IMAGE=debian:trixie-slim
FROM ${LLAMA_IMAGE} AS llama-base

FROM ${BASE_IMAGE}
RUN apt-get update -qq && apt-get install -qq --yes --no-install-recommends ca-certificates libgomp1 libssl3t64 libstdc++6 \
    && rm -rf /var/lib/apt/lists/*
COPY --from=llama-base /app/llama-server /usr/local/bin/llama-server
COPY --from=llama-base /app/*.so /usr/local/lib/
RUN ldconfig
ENTRYPOINT ["llama-server"]
