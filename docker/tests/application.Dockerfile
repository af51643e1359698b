# An application on one of the published images, as its authors write it: the variant is an argument, and a stage
# with a compiler makes the program.
ARG VARIANT=cpu
# hadolint ignore=DL3007,DL3026
FROM ghcr.io/example/llama-cpp-${VARIANT}:latest AS runtime

FROM rust:1.87.0-bookworm AS build

FROM runtime
COPY --from=build /build/target/*/app /app/app

ENV APP_LLAMA_SERVER=/app/bin/llama-server
ENTRYPOINT ["/app/app"]
CMD ["serve"]
