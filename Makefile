# SPDX-License-Identifier: PostgreSQL
#
#   make            the three programs, in build/; installs what is missing
#   make demo       from nothing to the main job, shown on a real file
#   make test       everything to the tests passed      make test T=name   only those
#   make check      seconds, no server: unit tests, format, arrows, banned calls, units, documents
#   make help       all targets

BUILD ?= build
ifeq ($(origin CC),default)
CC := gcc
endif
ifeq ($(MAKELEVEL),0)
MAKEFLAGS += -j$(shell nproc)
endif

PYTHON := /usr/bin/python3
# make V=1 shows every command
Q := $(if $(V),,@)

FOLDERS := base conf csv ipc db supervisor worker ctl
PROGRAMS := $(addprefix $(BUILD)/,uploaderd uploader-worker uploadctl)

uploaderd_parts := supervisor conf ipc db csv base
worker_parts := worker ipc db csv base
uploadctl_parts := ctl conf ipc base

# What is linked, by name of pkg-config; libcsv has no such file.
PKG := libuv libpq inih jansson libxxhash libsystemd smartcols
PKG_CFLAGS = $(shell pkg-config --cflags $(PKG))
uploaderd_libs = $(shell pkg-config --libs libuv libpq inih jansson libxxhash libsystemd) -lcsv
worker_libs = $(shell pkg-config --libs libuv libpq jansson libxxhash) -lcsv
uploadctl_libs = $(shell pkg-config --libs libuv inih jansson smartcols)
all_libs = $(shell pkg-config --libs $(PKG) cmocka) -lcsv

WARNINGS := -Wall -Wextra -Wshadow -Wconversion -Wsign-conversion -Wstrict-prototypes \
    -Wmissing-prototypes -Wpointer-arith -Wcast-qual -Wwrite-strings -Wformat=2 -Wundef -Wvla \
    -Wimplicit-fallthrough -Werror
CFLAGS ?= -O2 -g
HARDENING := -fstack-protector-strong -fPIE -fno-common
LINK_HARDENING := -pie -Wl,-z,relro,-z,now
ALL_CFLAGS = -std=c17 -D_GNU_SOURCE $(WARNINGS) $(HARDENING) \
    -I. -I$(BUILD)/gen $(PKG_CFLAGS) $(CFLAGS) $(EXTRA)

sources = $(wildcard $(1)/*.c)
objects = $(patsubst %.c,$(BUILD)/obj/%.o,$(call sources,$(1)))
parts = $(foreach part,$(1),$(call objects,$(part)))
not_main = $(filter-out %/main.o,$(1))

UNIT_TESTS := $(patsubst tests/unit/%.c,$(BUILD)/tests/%,$(wildcard tests/unit/test_*.c))
TEST_TOOLS := $(addprefix $(BUILD)/tests/,csvdump nth load badsector.so misbehave.so openat2.so heap.so)

.PHONY: all
all: packages-build
	@$(MAKE) --no-print-directory programs

.PHONY: programs
programs: $(PROGRAMS)
	@:

.PHONY: packages-%
packages-%:
	@scripts/packages $*

# ---- building ----

$(BUILD)/uploaderd: $(call parts,$(uploaderd_parts))
	@echo "  LD $@"
	$(Q)$(CC) $(CFLAGS) $(EXTRA) $(LINK_HARDENING) -o $@ $^ $(uploaderd_libs)
$(BUILD)/uploader-worker: $(call parts,$(worker_parts))
	@echo "  LD $@"
	$(Q)$(CC) $(CFLAGS) $(EXTRA) $(LINK_HARDENING) -o $@ $^ $(worker_libs)
$(BUILD)/uploadctl: $(call parts,$(uploadctl_parts))
	@echo "  LD $@"
	$(Q)$(CC) $(CFLAGS) $(EXTRA) $(LINK_HARDENING) -o $@ $^ $(uploadctl_libs)

$(BUILD)/obj/%.o: %.c Makefile | $(BUILD)/gen/sql.inc $(BUILD)/gen/filter.inc
	@mkdir -p $(@D)
	@echo "  CC $<"
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/gen/sql.inc: db/sql/embed db/sql db/sql/migrations $(wildcard db/sql/*.sql db/sql/migrations/*.sql)
	@mkdir -p $(@D)
	db/sql/embed db/sql/*.sql > $@.new && mv $@.new $@

$(BUILD)/gen/filter.inc: worker/filter/print.c
	@mkdir -p $(@D)
	$(Q)$(CC) -std=c17 -D_GNU_SOURCE $(WARNINGS) -I. -o $(@D)/print-filter $< -lseccomp
	@echo "  GEN $@"
	$(Q)$(@D)/print-filter > $@.new && mv $@.new $@

LIBRARY = $(call not_main,$(call parts,$(FOLDERS)))

$(BUILD)/tests/%: $(BUILD)/obj/tests/unit/%.o $(LIBRARY)
	@mkdir -p $(@D)
	@echo "  LD $@"
	$(Q)$(CC) $(CFLAGS) $(EXTRA) -o $@ $^ $(all_libs)
$(BUILD)/tests/csvdump: $(BUILD)/obj/tests/csv/csvdump.o $(call parts,csv base)
	@mkdir -p $(@D)
	@echo "  LD $@"
	$(Q)$(CC) $(CFLAGS) $(EXTRA) -o $@ $^ $(shell pkg-config --libs libuv jansson libxxhash) -lcsv
$(BUILD)/tests/nth $(BUILD)/tests/load: $(BUILD)/tests/%: tests/crash/%.c
	@mkdir -p $(@D)
	@echo "  LD $@"
	$(Q)$(CC) -std=c17 -D_GNU_SOURCE $(WARNINGS) -O1 -o $@ $<
$(BUILD)/tests/%.so: tests/crash/%.c
	@mkdir -p $(@D)
	@echo "  LD $@"
	$(Q)$(CC) -std=c17 -D_GNU_SOURCE $(WARNINGS) -O1 -fPIC -shared -o $@ $<
$(BUILD)/bench/reading: $(BUILD)/obj/bench/reading.o $(LIBRARY)
	@mkdir -p $(@D)
	@echo "  LD $@"
	$(Q)$(CC) $(CFLAGS) $(EXTRA) -o $@ $^ $(all_libs)

# A fuzz target: its own file, what the targets share, and all of the service (BUILD=build/fuzz).
FUZZ_SHARED := $(patsubst %.c,$(BUILD)/obj/%.o,$(filter-out tests/fuzz/fuzz_%,$(wildcard tests/fuzz/*.c)))
$(BUILD)/fuzz_%: $(BUILD)/obj/tests/fuzz/fuzz_%.o $(FUZZ_SHARED) $(LIBRARY)
	@echo "  LD $@"
	$(Q)$(CC) $(CFLAGS) -fsanitize=fuzzer -o $@ $^ $(all_libs)
$(BUILD)/print-docs: $(call parts,docs) $(LIBRARY)
	@echo "  LD $@"
	$(Q)$(CC) $(CFLAGS) $(EXTRA) -o $@ $^ $(all_libs)

-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)
.SECONDARY:

# ---- the two commands ----

.PHONY: demo test shell
demo: packages-build packages-server
	@$(MAKE) --no-print-directory programs
	@scripts/demo $(BUILD)

# Test builds have pause points in them (base/pause.h), so they lie in a folder of their own.
TEST_MAKE = $(MAKE) --no-print-directory BUILD=build/test CFLAGS="-O1 -g" EXTRA=-DUPLOADER_PAUSE
test: packages-build packages-server packages-test packages-fuzz
	@$(TEST_MAKE) run-tests

.PHONY: test-programs run-tests
test-programs: programs $(UNIT_TESTS) $(TEST_TOOLS)
run-tests: test-programs
	@scripts/promtool build/promtool
	@PYTHON=$(PYTHON) scripts/run-tests $(BUILD) $(if $(T),-k "$(T)")

shell: packages-build packages-server
	@$(MAKE) --no-print-directory programs
	@scripts/shell $(BUILD)

# ---- installing ----

# DESTDIR, prefix, sysconfdir and others: scripts/install says which, and what goes where.
.PHONY: install uninstall
export DESTDIR prefix sysconfdir bindir sbindir libexecdir unitdir sysusersdir tmpfilesdir mandir docdir \
    completionsdir
install: programs
	@scripts/install put $(BUILD)
uninstall:
	@scripts/install remove $(BUILD)

# The service under a real systemd, in a Debian of its own; as root.
.PHONY: boot
boot: packages-build packages-boot
	@$(MAKE) --no-print-directory programs
	@tests/systemd/run $(BUILD)

# The Dockerfile built and tried without a container engine, as root; takes minutes.
.PHONY: image-check
image-check: packages-build packages-server packages-image
	@scripts/image-check

# ---- looking after the code ----

SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
.PHONY: asan
asan: packages-build packages-server packages-test
	@$(MAKE) --no-print-directory BUILD=build/asan CFLAGS="-O1 -g $(SANITIZE)" \
	    EXTRA=-DUPLOADER_PAUSE run-tests

# libFuzzer's targets lie in a folder of their own, too; tests/fuzz/fuzz.py runs them.
FUZZ_TARGETS := $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
FUZZ_SECONDS ?= 1800
.PHONY: fuzz fuzz-merge fuzz-programs
fuzz-programs: packages-build packages-fuzz
	@$(MAKE) --no-print-directory BUILD=build/fuzz CC=clang \
	    CFLAGS="-O1 -g $(SANITIZE) -fsanitize=fuzzer-no-link" $(FUZZ_TARGETS:%=build/fuzz/fuzz_%)
fuzz: fuzz-programs
	@$(PYTHON) tests/fuzz/fuzz.py --seconds $(FUZZ_SECONDS) $(T)
fuzz-merge: fuzz-programs
	@$(PYTHON) tests/fuzz/fuzz.py --merge $(T)
# make test runs it, too.
.PHONY: valgrind
valgrind: packages-build packages-server packages-test
	@$(TEST_MAKE) run-tests T=test_memcheck

.PHONY: check unit
check: packages-build packages-check
	@$(MAKE) --no-print-directory programs unit docs-check
	@scripts/check-format
	@scripts/check-arrows
	@scripts/check-banned
	@scripts/check-units $(BUILD)
	@scripts/check-man man/*.[158]
	@scripts/check-map
	@echo "make check: all well"

# Those of db/ need a server: make test runs them.
SERVERLESS := $(filter-out %/test_db_%,$(UNIT_TESTS))
unit: $(SERVERLESS)
	@for t in $(SERVERLESS); do $$t >$$t.log 2>&1 || { cat $$t.log; exit 1; }; done
	@echo "unit tests: $(words $(SERVERLESS)) programs passed"

DOCS := docs/states.md docs/protocol.md docs/options.md docs/codes.md docs/uploadctl.md \
    examples/uploader.conf $(patsubst %.in,%,$(wildcard man/*.in))
.PHONY: docs docs-check
docs: packages-build packages-check $(BUILD)/print-docs
	@scripts/docs $(BUILD)/print-docs $(DOCS)
docs-check: $(BUILD)/print-docs
	@scripts/docs --check $(BUILD)/print-docs $(DOCS)

.PHONY: lint analyze indent model mutants bench bench-scale
lint: analyze packages-lint
	@scripts/lint $(BUILD) $(foreach folder,$(FOLDERS),$(call sources,$(folder)))

analyze: packages-build packages-check $(BUILD)/gen/sql.inc $(BUILD)/gen/filter.inc
	@scripts/analyze $(BUILD) $(foreach folder,$(FOLDERS) docs tests/unit tests/csv tests/crash worker/filter,$(call sources,$(folder)))

indent: packages-check
	clang-format -i $$(git ls-files '*.[ch]')

.PHONY: campaign
campaign: packages-build packages-server packages-test
	@$(TEST_MAKE) programs $(subst $(BUILD),build/test,$(TEST_TOOLS))
	@for c in points syscalls wire files resources server standby spool hostile owners chaos; do UPLOADER_BUILD=$(CURDIR)/build/test PYTHONDONTWRITEBYTECODE=1 \
	    $(PYTHON) tests/crash/$$c.py $(CAMPAIGN) || exit 1; done

# An hour of faults: does the supervisor grow? SOAK="--minutes N --files N --seed S" for less or more.
.PHONY: soak
soak: packages-build packages-server packages-test
	@$(MAKE) --no-print-directory programs $(BUILD)/tests/heap.so
	@UPLOADER_BUILD=$(abspath $(BUILD)) PYTHONDONTWRITEBYTECODE=1 $(PYTHON) tests/crash/soak.py $(SOAK)

model: packages-model
	@BUILD=$(BUILD) tests/model/run full

# Ratios to what anyone would use instead, into bench/results; B=name for one, ROUNDS=n (default 5),
# QUICK=1 for a minute.
bench: packages-build packages-server packages-bench
	@$(MAKE) --no-print-directory programs $(BUILD)/bench/reading
	@PYTHONDONTWRITEBYTECODE=1 $(PYTHON) bench/run $(if $(QUICK),--quick) \
	    $(if $(ROUNDS),--rounds $(ROUNDS)) $(B)

# Takes hours: how cost grows, latencies, servers that are far away.
bench-scale: packages-build packages-server packages-bench
	@$(MAKE) --no-print-directory programs
	@for b in scale latency remote; do PYTHONDONTWRITEBYTECODE=1 $(PYTHON) bench/$$b.py \
	    $(if $(QUICK),--quick) || exit 1; done

# Does a broken product make the tests red? MUTANTS="name ..." for some; docs in tests/mutants/run.
mutants: packages-build packages-server packages-test
	@$(PYTHON) tests/mutants/run $(MUTANTS)

.PHONY: clean help
clean:
	rm -rf build

help:
	@echo "make          the programs, in build/          make clean    removes build/"
	@echo "make demo     the main job, shown               make shell    a private server to play with"
	@echo "make test     all tests (T=name: only those)    make asan     the same under ASan and UBSan"
	@echo "make install  the service (prefix=/usr/local, DESTDIR=)     make uninstall"
	@echo "make boot     the service under a real systemd, in a Debian of its own (as root)"
	@echo "make check    seconds, no server                make lint     analyze, clang-tidy, cppcheck"
	@echo "make analyze  gcc's -fanalyzer                  make valgrind supervisor and workers in memcheck"
	@echo "make docs     prints the generated documents    make indent   clang-format"
	@echo "make campaign crashes at random and at every place, whole (CAMPAIGN=\"--rounds N --seed S\")"
	@echo "make soak     an hour of faults: does it grow? (SOAK=\"--minutes N --files N --seed S\")"
	@echo "make bench    compares speeds (B=name: one case; QUICK=1: small)"
	@echo "make bench-scale  how cost grows, latencies, far servers (hours; QUICK=1: minutes)"
	@echo "make mutants  breaks the product in some thirty ways, and sees that the tests notice"
	@echo "make fuzz     hostile input, half an hour a target (FUZZ_SECONDS=N, T=name); make fuzz-merge"
	@echo "make model    the whole search of the protocol's model (make test runs a bounded one)"
