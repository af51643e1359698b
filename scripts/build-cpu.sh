#!/bin/sh
# build-cpu.sh [--no-cache] [--push]: cargo xtask image build cpu
set -eu
cd "$(dirname "$0")/.."
exec cargo xtask image build cpu "$@"
