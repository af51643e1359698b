#!/bin/sh
# build-cuda.sh [VERSION] [--no-cache] [--push]: cargo xtask image build cuda
set -eu
cd "$(dirname "$0")/.."
case ${1:-} in
    [0-9]*) toolkit=$1; shift; set -- --toolkit "$toolkit" "$@" ;;
esac
exec cargo xtask image build cuda "$@"
