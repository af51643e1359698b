# docker buildx bake -f docker/docker-bake.hcl [cpu|cuda|rocm|vulkan|default|all|cpu-minimal|…|gguf-packer]
# From a finished distribution: --set cpu.contexts.dist=dist/cpu-x86_64-unknown-linux-gnu
# `cargo xtask image build` passes more: labels, caches, outputs. Values come from the environment.

variable "REGISTRY" { default = "" }
variable "BUILD_VERSION" { default = "" }
variable "BUILD_COMMIT" { default = "" }
variable "BUILD_TIMESTAMP" { default = "" }
variable "BUILD_BRANCH" { default = "" }
variable "BASE_IMAGE" { default = "" }
variable "RUST_IMAGE" { default = "" }

group "default" { targets = ["cpu"] }
group "all" { targets = ["cpu", "cuda", "rocm", "vulkan"] }
group "minimal" { targets = ["cpu-minimal", "cuda-minimal", "rocm-minimal", "vulkan-minimal"] }

target "_image" {
  context = "."
  target  = "runtime"
  # An argument that is null is the Dockerfile's own.
  args = {
    BUILD_VERSION   = BUILD_VERSION
    BUILD_COMMIT    = BUILD_COMMIT
    BUILD_TIMESTAMP = BUILD_TIMESTAMP
    BUILD_BRANCH    = BUILD_BRANCH
    BASE_IMAGE      = BASE_IMAGE == "" ? null : BASE_IMAGE
    RUST_IMAGE      = RUST_IMAGE == "" ? null : RUST_IMAGE
  }
}

function "tags" {
  params = [variant, suffix]
  result = [for version in BUILD_VERSION == "" ? ["local"] : ["latest", BUILD_VERSION] :
    "${REGISTRY == "" ? "" : "${REGISTRY}/"}llama-cpp-${variant}:${version}${suffix}"]
}

target "cpu" {
  inherits   = ["_image"]
  dockerfile = "docker/cpu.Dockerfile"
  tags       = tags("cpu", "")
}

target "cuda" {
  inherits   = ["_image"]
  dockerfile = "docker/cuda.Dockerfile"
  platforms  = ["linux/amd64"]
  tags       = tags("cuda", "")
}

target "rocm" {
  inherits   = ["_image"]
  dockerfile = "docker/rocm.Dockerfile"
  platforms  = ["linux/amd64"]
  tags       = tags("rocm", "")
}

target "vulkan" {
  inherits   = ["_image"]
  dockerfile = "docker/vulkan.Dockerfile"
  tags       = tags("vulkan", "")
}

target "cpu-minimal" {
  inherits = ["cpu"]
  target   = "minimal"
  tags     = tags("cpu", "-minimal")
}

target "cuda-minimal" {
  inherits = ["cuda"]
  target   = "minimal"
  tags     = tags("cuda", "-minimal")
}

target "rocm-minimal" {
  inherits = ["rocm"]
  target   = "minimal"
  tags     = tags("rocm", "-minimal")
}

target "vulkan-minimal" {
  inherits = ["vulkan"]
  target   = "minimal"
  tags     = tags("vulkan", "-minimal")
}

# The frontend of `docker build` for models. A finished program: --set gguf-packer.contexts.packer=target/release
target "gguf-packer" {
  context    = "."
  dockerfile = "docker/gguf-packer.Dockerfile"
  platforms  = ["linux/amd64", "linux/arm64"]
  args = {
    BASE_IMAGE = BASE_IMAGE == "" ? null : BASE_IMAGE
    RUST_IMAGE = RUST_IMAGE == "" ? null : RUST_IMAGE
  }
  tags = [for version in BUILD_VERSION == "" ? ["local"] : ["latest", BUILD_VERSION] :
    "${REGISTRY == "" ? "" : "${REGISTRY}/"}gguf-packer:${version}"]
}
