# docker buildx bake -f docker/docker-bake.hcl [cpu|cpu-minimal|…|default|all|minimal|gguf-packer]
# From a finished distribution: --set cpu.contexts.dist=dist/cpu-x86_64-unknown-linux-gnu
# On another base: --set '*.args.BASE_IMAGE=NAME'
# `cargo xtask image build` passes more: labels, caches, outputs. Values come from the environment.
variable "REGISTRY" { default = "" }
variable "BUILD_VERSION" { default = "" }
variable "BUILD_COMMIT" { default = "" }
variable "BUILD_TIMESTAMP" { default = "" }
variable "BUILD_BRANCH" { default = "" }

function "tags" {
  params = [name, suffix]
  result = [for version in BUILD_VERSION == "" ? ["local"] : ["latest", BUILD_VERSION] :
    "${REGISTRY == "" ? "" : "${REGISTRY}/"}${name}:${version}${suffix}"]
}
# From tools/product/src/variant/rows.rs: `cargo xtask check --fix` writes it.
# <variants>
function "variants" {
  params = []
  result = ["cpu", "cuda", "rocm", "vulkan"]
}
function "platforms" {
  params = []
  result = ["linux/amd64", "linux/arm64"]
}
# Of the variants that do not have all of them.
function "platforms_of" {
  params = []
  result = { cuda = ["linux/amd64"], rocm = ["linux/amd64"] }
}
# </variants>

group "default" { targets = ["cpu"] }
group "all" { targets = variants() }
group "minimal" { targets = formatlist("%s-minimal", variants()) }
target "image" {
  matrix     = { variant = variants(), suffix = ["", "-minimal"] }
  name       = "${variant}${suffix}"
  dockerfile = "docker/${variant}.Dockerfile"
  target     = suffix == "" ? "runtime" : "minimal"
  platforms  = lookup(platforms_of(), variant, [])
  args       = { BUILD_VERSION = BUILD_VERSION, BUILD_COMMIT = BUILD_COMMIT, BUILD_TIMESTAMP = BUILD_TIMESTAMP, BUILD_BRANCH = BUILD_BRANCH }
  tags       = tags("llama-cpp-${variant}", suffix)
}

# The frontend of `docker build` for models. A finished program: --set gguf-packer.contexts.packer=target/release
target "gguf-packer" {
  dockerfile = "docker/gguf-packer.Dockerfile"
  platforms  = platforms()
  tags       = tags("gguf-packer", "")
}
