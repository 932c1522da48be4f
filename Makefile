# What can be done here: `make help`. Each target is a script in scripts/, and whatever is made stands in build/.
#
#   NGINX=vendored          for nginx 1.28.3, which is built as well; NGINX=/its/path for that binary
#   NGINX_SOURCE=/its/path  where the source of an nginx that is no Debian package is unpacked; without NGINX, that
#                           nginx is built as well

.DEFAULT_GOAL := help
.PHONY: help build install check unit test test-vendored test-all fuzz fuzz-short mutants test-asan test-valgrind soak soak-short bench demo clean dist deb deb-test release docker docker-test

# To a running nginx its environment's NGINX means sockets to inherit: the scripts get it under another name.
export WHICH_NGINX := $(NGINX)
unexport NGINX
export NGINX_SOURCE DESTDIR PREFIX

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1@\2/p' $(MAKEFILE_LIST) | awk -F @ '{ printf "  %-24s%s\n", $$1, $$2 }'
	@sed -n 's/^#   /  /p' $(MAKEFILE_LIST)

build: ## the module for this machine's nginx; installs what that lacks
	@scripts/build

install: ## copy the module to nginx's modules directory (DESTDIR= PREFIX=)
	@scripts/install

dist: ## the source archive of the last commit, in build/dist
	@scripts/dist

deb: ## a Debian package of the last commit, in build/deb
	@scripts/deb

release: ## tag VERSION=1.2.3, and make its archive, package and images (as root)
	@scripts/release $(VERSION)

check: ## formatting, lints, floors, licenses
	@scripts/check

unit: ## the tests of the crates alone, which need no nginx
	@scripts/test unit

test: ## all tests but the slow ones: units, nginx, a desktop in a browser
	@scripts/test

test-vendored: ## t/*.t but the tests in browsers, on nginx 1.28.3
	@WHICH_NGINX=vendored scripts/test plain

test-all: ## the slow ones as well: nginx's own configure, the vendored nginx
	@scripts/test-all

deb-test: ## install, use, upgrade and purge the package in a clean Debian (as root)
	@scripts/test deb

docker: ## the container images, with docker, podman or buildah
	@scripts/docker

docker-test: ## those images on local base images, in use (as root)
	@scripts/test-docker

fuzz: ## fuzz the protocol, the tunnel and the rest of the crates (FUZZ_SECONDS=60 for each target)
	@scripts/fuzz

fuzz-short: ## the kept corpus, and as much more as takes a few seconds
	@scripts/fuzz --short

mutants: ## faults put into the pump, each of which its tests have to find
	@scripts/mutants

test-asan: ## t/*.t under AddressSanitizer
	@scripts/test-asan

test-valgrind: ## a part of t/*.t under valgrind
	@scripts/test-valgrind

soak: ## 2,000 sessions of every behaviour for half an hour (SOAK_SECONDS=1800 SOAK_SESSIONS=2000)
	@scripts/soak

soak-short: ## the same with 300 sessions, for a minute
	@scripts/soak --short

bench: ## measure, beside nginx's stream proxy and others (BENCH="--baseline main download")
	@scripts/bench $(BENCH)

demo: ## a desktop in your browser (PORT=6080 TARGET=host:port LISTEN=127.0.0.1 PASSWORD=)
	@scripts/demo

clean: ## remove everything that was made here
	rm -rf build target t/browser/node_modules
