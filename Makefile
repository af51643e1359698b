# Names that others use, for what `cargo xtask` does.
# ARCH=amd64|arm64; REGISTRY=ghcr.io/owner to publish; TOOLKIT=12.8, for cuda and rocm.
# install: DIST, a finished distribution; DESTDIR, a folder that stands for `/`; PREFIX, LIBDIR and BINDIR below it.
ARCH ?= amd64
IMAGE = cargo xtask image
VARIANTS = $(filter-out gguf-packer,$(patsubst docker/%.Dockerfile,%,$(sort $(wildcard docker/*.Dockerfile))))
PUBLISH = $(VARIANTS:%=publish-%)
TOOLKIT_OPTION = $(if $(TOOLKIT),--toolkit $(TOOLKIT))
DIST ?= dist/cpu-$(shell uname -m)-unknown-linux-gnu
PREFIX ?= /usr/local
LIBDIR ?= $(PREFIX)/lib
BINDIR ?= $(PREFIX)/bin
INSTALLED = $(DESTDIR)$(LIBDIR)/llama-server
# Nobody else's folder is removed.
OURS = test ! -e "$(INSTALLED)" || test -f "$(INSTALLED)/version.json" || test -z "$$(ls -A "$(INSTALLED)")" || \
	{ echo "error: $(INSTALLED) is not empty, and is no distribution" >&2; exit 1; }

.PHONY: help install uninstall check-base-images-version show-git-info release-base-images build-local test-local-images \
	clean-local-images build-base-system build-base-cpu build-base-cuda build-all-bases $(VARIANTS) \
	$(VARIANTS:%=test-%) $(PUBLISH)

help: ## this text
	@sed -n 's/^$$(VARIANTS):/$(VARIANTS):/; s/^$$(PUBLISH):/$(PUBLISH):/; s/^\([a-z -]*\):.*## \(.*\)/\1|\2/p' Makefile | while IFS='|' read -r names text; do printf '%-28s %s\n' "$$names" "$$text"; done

install: ## DIST, or what `cargo xtask dist` makes, into DESTDIR and PREFIX
	test -f "$(DIST)/version.json" || $(if $(filter file,$(origin DIST)),cargo xtask dist,\
		{ echo "error: $(DIST) is not a distribution: version.json not found" >&2; exit 1; })
	$(OURS)
	test "$$(realpath -m "$(INSTALLED)")" != "$$(realpath "$(DIST)")" || \
		{ echo "error: DIST is the folder that it would be installed into: $(INSTALLED)" >&2; exit 1; }
	rm -rf "$(INSTALLED).new"
	umask 022 && mkdir -p "$(INSTALLED).new" "$(DESTDIR)$(BINDIR)"
	cp -R --no-dereference --preserve=mode,timestamps "$(DIST)/." "$(INSTALLED).new"
	rm -rf "$(INSTALLED)" && mv "$(INSTALLED).new" "$(INSTALLED)"
	for link in "$(INSTALLED)"/bin/*; do ln -srf "$(INSTALLED)/$${link##*/}" "$(DESTDIR)$(BINDIR)/$${link##*/}"; done
uninstall: ## what install has put there
	$(OURS)
	for link in "$(INSTALLED)"/bin/*; do rm -f "$(DESTDIR)$(BINDIR)/$${link##*/}"; done
	rm -rf "$(INSTALLED)"

check-base-images-version: ## the version that this commit's images have
	$(IMAGE) version
show-git-info: ## commit, branch, version, last and next release
	$(IMAGE) info
release-base-images: ## tags this commit and pushes the tag; CI publishes its images
	$(IMAGE) release --yes --push
build-local: ## every variant, for this machine
	$(IMAGE) build all
test-local-images: $(VARIANTS:%=test-%) ## what build-local made
$(VARIANTS:%=test-%):
	$(IMAGE) test $(@:test-%=%)
clean-local-images: ## removes what build-local made
	$(IMAGE) clean

$(VARIANTS): ## one variant, for ARCH
	$(IMAGE) build $@ --dev --platform linux/$(ARCH) $(TOOLKIT_OPTION)
$(PUBLISH): ## one variant, for its platforms, to REGISTRY
	$(IMAGE) build $(@:publish-%=%) --push --registry $(REGISTRY) --scheme platform $(TOOLKIT_OPTION)
	$(IMAGE) manifest $(@:publish-%=%) --registry $(REGISTRY) --scheme platform $(TOOLKIT_OPTION)

build-base-system: ## what every image begins with, into the build cache
	docker buildx build --file docker/cpu.Dockerfile --target system --platform linux/$(ARCH) .
build-base-cpu build-base-cuda: build-base-system ## a variant's compilers, into the build cache
	docker buildx build --file docker/$(@:build-base-%=%).Dockerfile --target toolchain --platform linux/$(ARCH) .
build-all-bases: build-base-cpu build-base-cuda ## both of them
