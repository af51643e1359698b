# An application that starts llama-server itself: its image inherits from ours.
#   docker buildx build -f docker/examples/inherit.Dockerfile --build-context app=FOLDER docker
# FOLDER holds the program `app`, which finds the server in LLAMA_SERVER.
ARG LLAMA_IMAGE=llama-cpp-cpu:local
FROM ${LLAMA_IMAGE}
# hadolint ignore=DL3022
COPY --from=app /app /usr/local/bin/app
ENV LLAMA_SERVER=/app/bin/llama-server
ENTRYPOINT ["/usr/local/bin/app"]
CMD []
