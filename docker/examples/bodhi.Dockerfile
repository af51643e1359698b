# BodhiApp Dockerfile
ARG BASE_VARIANT=cpu
FROM ghcr.io/bodhisearch/llama-cpp-${BASE_VARIANT}:latest AS runtime-base

# BodhiApp build stage
FROM rust:1.87.0-bookworm AS bodhiapp-build
# ... your BodhiApp build process ...

# Final stage - inherit GPU runtime
FROM runtime-base
COPY --from=bodhiapp-build /build/target/*/bodhi /app/bodhi

# llama-server available at /app/bin/llama-server
ENV BODHI_LLAMA_SERVER_PATH=/app/bin/llama-server
ENTRYPOINT ["/app/bodhi"]
CMD ["serve"]
