# What the nodes of the tests' clusters run, from Debian: Docker's engine for Swarm, Slurm, and what a distribution needs.
ARG BASE_IMAGE=debian:trixie-slim
FROM ${BASE_IMAGE}
RUN --mount=type=tmpfs,target=/var/cache --mount=type=tmpfs,target=/var/lib/apt/lists \
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq --yes --no-install-recommends \
    docker-cli docker.io iptables libgomp1 libssl3t64 libstdc++6 munge procps slurm-client slurmctld slurmd
