# Takes the server out of one of our images and puts it into another one.
#   docker buildx build -f docker/examples/copy.Dockerfile docker
# ggml looks for backends beside libggml and beside the program, so the two may be apart. From rocm copy /app as a whole:
# its libraries have folders.
ARG LLAMA_IMAGE=llama-cpp-cpu:local
ARG BASE_IMAGE=debian:trixie-slim
FROM ${LLAMA_IMAGE} AS llama

FROM ${BASE_IMAGE}
RUN apt-get update -qq && apt-get install -qq --yes --no-install-recommends ca-certificates libgomp1 libssl3t64 libstdc++6 \
    && rm -rf /var/lib/apt/lists/*
COPY --from=llama /app/llama-server /usr/local/bin/llama-server
COPY --from=llama /app/*.so* /usr/local/lib/
RUN ldconfig
ENTRYPOINT ["llama-server"]
