# Rille. `make help` lists what there is to do; `make run` and `make test` need nothing but git and make beforehand.
#
# Everything generated goes under build/ (laid out as it is installed: build/lib, build/share, build/bin) and out/.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
MAKEFLAGS += --no-builtin-rules
.DELETE_ON_ERROR:
.SECONDARY:

# ---- Settings: make NAME=value; those with ?= may come from the environment as well ---------------------------------

BUILD    = build
ARGS     =# of `make run`, for the experiment
ONLY     =# of `make test` and `make bench`: only those whose name contains this
V        = 0# 1: show each command
WERROR  ?= 0# 1: a warning is an error
PREFIX  ?= /usr/local
DESTDIR ?=
LUA     ?= lua5.4
PYTHON  ?= /usr/bin/python3# the one that python3-torch is for
LUA_ENVIRONMENT =# of the interpreter in tests: NAME=value ...
PLAIN =# 1: the C suites without Criterion, each in one process: see tests/sanitize/
EMULATOR =# what runs the programs that were compiled, where this machine cannot: see test-aarch64

ifneq ($(filter default undefined,$(origin CC)),)
CC := gcc
endif
HOSTCC  ?= $(CC)
CFLAGS  ?= -O2 -g
OPENMP  ?= -fopenmp# empty: a library that runs on one thread
KERNEL_CFLAGS ?= -O3

# ---- What there is -------------------------------------------------------------------------------------------------

VERSION   := $(shell sed -n 's/^\#define RILLE_VERSION "\(.*\)"/\1/p' engine/rille.h)
SOVERSION := $(firstword $(subst ., ,$(VERSION)))
NPROC     := $(shell nproc 2>/dev/null || echo 2)

GENERATOR   := engine/activations/generate_header.c
KERNELS     := $(wildcard engine/*/*kernels.c)
ENGINE      := $(filter-out $(KERNELS) $(GENERATOR),$(wildcard engine/*/*.c))
BINDINGS    := $(wildcard bindings/*.c)
LUA_MODULES := $(patsubst bindings/rille/%,%,$(wildcard bindings/rille/*.lua bindings/rille/*/*.lua))
SUITES      := $(wildcard tests/engine/*.c)
LUA_SUITES  := $(wildcard tests/bindings/*.c)# C programs that are hosts of Lua, and load rille.so
REFERENCE   := $(wildcard tests/reference/*.c tests/accuracy/*.c) $(if $(EMULATOR),tests/aarch64/execve.c) $(if $(PLAIN),tests/sanitize/plain.c)
SPECS       := $(wildcard tests/lua/*_spec.lua)
BENCHES     := $(wildcard tests/bench/*.c)
EXHAUSTIVE  := $(wildcard tests/exhaustive/*.c)
PEER        := tests/bench/peers/onednn.c# links oneDNN, and nothing of ours
PEERS       := $(filter-out $(PEER),$(wildcard tests/bench/peers/*.c))
TRAIN       := tests/bench/train/driver.c# asks its peers as tests/bench/peers does

# The instruction sets that each *kernels.c is compiled for, best first; engine/base/isa.h says the same.
MACHINE := $(shell $(CC) -dumpmachine 2>/dev/null)
ISAS    := $(if $(filter x86_64%,$(MACHINE)),v4 v3 v2 generic,$(if $(filter aarch64%,$(MACHINE)),aarch64,generic))
ISA_FLAGS_v4 := -march=x86-64-v4 -mprefer-vector-width=512
ISA_FLAGS_v3 := -march=x86-64-v3
ISA_FLAGS_v2 := -march=x86-64-v2

# ---- How it is compiled --------------------------------------------------------------------------------------------

BLAS_CFLAGS := $(shell pkg-config --cflags openblas 2>/dev/null)
BLAS_LIBS   := $(shell pkg-config --libs openblas 2>/dev/null)
LUA_CFLAGS  := $(shell pkg-config --cflags lua5.4 2>/dev/null)
LUA_LIBS    := $(shell pkg-config --libs lua5.4 2>/dev/null)
FILE_CFLAGS := $(shell pkg-config --cflags zlib libzip jansson 2>/dev/null)
FILE_LIBS   := $(shell pkg-config --libs zlib libzip jansson 2>/dev/null)
as_system    = $(patsubst -I%,-isystem %,$(1))# headers of others: their warnings are not ours

ifneq ($(filter -ffast-math -Ofast -funsafe-math-optimizations,$(CC) $(CFLAGS) $(CPPFLAGS) $(KERNEL_CFLAGS) $(LDFLAGS)),)
$(error Rille measures vanishing gradients: fast-math flags, which flush and reorder, are not for it)
endif

is_clang := $(findstring clang,$(notdir $(firstword $(CC))))
WARNINGS := -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wpointer-arith -Wwrite-strings
WARNINGS += $(if $(is_clang),-Wno-pass-failed)# a loop that clang did not vectorise is slower, not wrong
WARNINGS += $(if $(filter 1,$(WERROR)),-Werror)
# errno and traps are not looked at, so loops over libm-like code may vectorise; a*b+c keeps both its roundings.
ARITHMETIC := -fno-math-errno -fno-trapping-math -ffp-contract=off
# gcc copies what follows two ?: on one condition, once for each of its outcomes; a vector loop then computes both copies.
STRAIGHT   := -fno-thread-jumps
LANGUAGE   := -std=c11 -D_POSIX_C_SOURCE=200809L
COMMON     := $(LANGUAGE) $(CPPFLAGS) $(CFLAGS) $(WARNINGS) $(ARITHMETIC) -fPIC -fvisibility=hidden

INCLUDE_ENGINE   := -Iengine -I$(BUILD)/include $(call as_system,$(BLAS_CFLAGS) $(FILE_CFLAGS))
INCLUDE_BINDINGS := -I$(BUILD)/include $(call as_system,$(LUA_CFLAGS))# the public header, and nothing else of the engine
INCLUDE_TESTS    := -Itests $(if $(PLAIN),-Itests/sanitize) $(INCLUDE_ENGINE)

COMPILE_ENGINE   := $(CC) $(COMMON) $(OPENMP) $(INCLUDE_ENGINE)
COMPILE_KERNELS  := $(CC) $(COMMON) $(KERNEL_CFLAGS) -fopenmp-simd $(if $(is_clang),,$(STRAIGHT)) $(INCLUDE_ENGINE)
COMPILE_BINDINGS := $(CC) $(COMMON) $(INCLUDE_BINDINGS)
COMPILE_TESTS    := $(CC) $(COMMON) $(OPENMP) $(INCLUDE_TESTS) $(if $(EMULATOR),-DPATIENCE=30)
ENGINE_LIBS      := $(BLAS_LIBS) $(FILE_LIBS) -lm $(OPENMP)
TEST_LIBS        := -lmpfr -lgmp $(ENGINE_LIBS) -pthread

OBJ            := $(BUILD)/obj
ENGINE_OBJS    := $(ENGINE:%.c=$(OBJ)/%.o) $(foreach isa,$(ISAS),$(KERNELS:%.c=$(OBJ)/%.$(isa).o))
BINDING_OBJS   := $(BINDINGS:%.c=$(OBJ)/%.o)
REFERENCE_OBJS := $(REFERENCE:%.c=$(OBJ)/%.o)
EXHAUSTIVE_PROGRAMS := $(BUILD)/exhaustive/accuracy $(BUILD)/exhaustive/agreement
EXHAUSTIVE_OBJS := $(filter-out $(EXHAUSTIVE_PROGRAMS:$(BUILD)/%=$(OBJ)/tests/%.o),$(EXHAUSTIVE:%.c=$(OBJ)/%.o))
PEERS_OBJS     := $(PEERS:%.c=$(OBJ)/%.o)
TRAIN_OBJS     := $(TRAIN:%.c=$(OBJ)/%.o) $(OBJ)/tests/bench/peers/peer.o
SUITE_PROGRAMS := $(SUITES:tests/%.c=$(BUILD)/tests/%)
LUA_PROGRAMS   := $(if $(EMULATOR)$(PLAIN),,$(LUA_SUITES:tests/%.c=$(BUILD)/tests/%))
BENCH_PROGRAMS := $(BENCHES:tests/bench/%.c=$(BUILD)/bench/%)
OBJECTS        := $(ENGINE_OBJS) $(BINDING_OBJS) $(REFERENCE_OBJS) $(PEERS_OBJS) \
                  $(patsubst %.c,$(OBJ)/%.o,$(EXHAUSTIVE) $(SUITES) $(LUA_SUITES) $(BENCHES) $(PEER) $(TRAIN))

HEADER     := $(BUILD)/include/rille_activations.h
LIBRARY    := $(BUILD)/lib/librille.so.$(VERSION)
ARCHIVE    := $(BUILD)/lib/librille.a
MODULE     := $(BUILD)/lib/lua/5.4/rille.so
COMMAND    := $(BUILD)/bin/rille
LUA_FILES  := $(LUA_MODULES:%=$(BUILD)/share/lua/5.4/rille/%)

Q    := $(if $(filter 1,$(V)),,@)
# $(call say,WHAT,FILE): one line for each step, where V=1 shows the command instead
say   = $(if $(filter 1,$(V)),,@printf '  %-5s %s\n' '$(1)' '$(2)')
# A make below this one, as parallel as the machine is, unless the user has said how parallel.
submake = +$(Q)$(MAKE) --no-print-directory $(if $(filter -j% --jobserver%,$(MAKEFLAGS)),,-j$(NPROC))

# ---- Build ---------------------------------------------------------------------------------------------------------

.PHONY: all
all: $(LIBRARY) $(ARCHIVE) $(MODULE) $(COMMAND) lua-files ## build the library, the Lua module and the command under build/

# The flags that objects were compiled with, and the lists of what libraries hold: rewritten where they change, so that
# what was made with others is made again. Also the gate of every build: says what to do where a library is missing.
quoted = '$(subst ','\'',$(1))'
define keep_text
@mkdir -p $(@D)
@printf '%s\n' $(call quoted,$(1)) | cmp -s - $@ || printf '%s\n' $(call quoted,$(1)) > $@
endef
.PHONY: FORCE
FORCE:
$(OBJ)/flags: FORCE
	@test -n '$(MACHINE)' || { echo 'rille: $(CC) is not there: `make deps` installs what is missing' >&2; exit 1; }
	@test -n '$(BLAS_LIBS)' || { echo 'rille: pkg-config does not know openblas: `make deps` installs what is missing' >&2; exit 1; }
	@test -n '$(FILE_LIBS)' || { echo 'rille: pkg-config does not know zlib, libzip or jansson: `make deps` installs what is missing' >&2; exit 1; }
	@test -n '$(LUA_CFLAGS)' || { echo 'rille: pkg-config does not know lua5.4: `make deps` installs what is missing' >&2; exit 1; }
	$(call keep_text,$(COMPILE_ENGINE) $(KERNEL_CFLAGS) $(LUA_CFLAGS) $(LDFLAGS) $(VERSION))
$(OBJ)/list-%: FORCE
	$(call keep_text,$($*_OBJS))

# rille_activations.h is made from activations.def by a program that includes it.
$(OBJ)/generate_header: $(GENERATOR) $(OBJ)/flags
	$(call say,CC,$<)
	$(Q)$(HOSTCC) $(LANGUAGE) -O1 $(filter-out -march=%,$(WARNINGS)) -Iengine -MMD -MP -MF $@.d -MT $@ $< -o $@ -lm
$(HEADER): $(OBJ)/generate_header
	$(call say,GEN,$@)
	@mkdir -p $(@D)
	$(Q)$< > $@

# The header as it is installed, one file that needs no other; the bindings are compiled against it.
$(BUILD)/include/rille.h: engine/rille.h $(HEADER)
	$(call say,GEN,$@)
	$(Q)sed -e '/#include "rille_activations.h"/{r $(HEADER)' -e 'd}' $< > $@

$(OBJ)/engine/%.o: engine/%.c $(OBJ)/flags | $(HEADER)
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(COMPILE_ENGINE) -MMD -MP -c $< -o $@

define kernel_rule
$(OBJ)/engine/%.$(1).o: engine/%.c $(OBJ)/flags | $(HEADER)
	$$(call say,CC,$$< ($(1)))
	@mkdir -p $$(@D)
	$(Q)$$(COMPILE_KERNELS) -DRL_ISA=$(1) $$(ISA_FLAGS_$(1)) -MMD -MP -c $$< -o $$@
endef
$(foreach isa,$(ISAS),$(eval $(call kernel_rule,$(isa))))

$(OBJ)/bindings/%.o: bindings/%.c $(OBJ)/flags | $(BUILD)/include/rille.h
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(COMPILE_BINDINGS) -MMD -MP -c $< -o $@

$(OBJ)/tests/%.o: tests/%.c $(OBJ)/flags | $(HEADER)
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(COMPILE_TESTS) $(NATIVE) -MMD -MP -c $< -o $@

# nodelete: OpenMP's workers outlive a dlclose, so the code that they return to must stay.
$(LIBRARY): $(ENGINE_OBJS) $(OBJ)/list-ENGINE
	$(call say,LINK,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) -shared $(CFLAGS) $(LDFLAGS) -Wl,-soname,librille.so.$(SOVERSION) -Wl,-z,nodelete -Wl,-z,defs \
	    $(ENGINE_OBJS) $(ENGINE_LIBS) -o $@
	@ln -sf $(@F) $(BUILD)/lib/librille.so.$(SOVERSION)
	@ln -sf librille.so.$(SOVERSION) $(BUILD)/lib/librille.so

# q, not r: several objects are named kernels.v4.o, and r would keep the last of them.
$(ARCHIVE): $(ENGINE_OBJS) $(OBJ)/list-ENGINE
	$(call say,AR,$@)
	@mkdir -p $(@D)
	@rm -f $@
	$(Q)$(AR) qcs $@ $(ENGINE_OBJS)

# Finds librille.so beside itself, in build/ as where it is installed. Lua's own symbols come from the interpreter.
$(MODULE): $(BINDING_OBJS) $(OBJ)/list-BINDING $(LIBRARY)
	$(call say,LINK,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) -shared $(CFLAGS) $(LDFLAGS) $(BINDING_OBJS) -L$(BUILD)/lib -lrille -lm -Wl,-rpath,'$$ORIGIN/../..' -o $@

$(COMMAND): bindings/bin/rille $(OBJ)/flags
	@mkdir -p $(@D)
	$(Q)sed '1s|lua5\.4$$|$(LUA)|' $< > $@
	@chmod +x $@

# Links, so that an edited module is the one that runs; a real folder, so that rille/../../../rille/data is beside it.
.PHONY: lua-files
lua-files: $(LUA_FILES) $(BUILD)/share/rille/data
	@find $(BUILD)/share -xtype l -delete
$(BUILD)/share/lua/5.4/rille/%.lua: bindings/rille/%.lua
	@mkdir -p $(@D)
	@ln -sfr $< $@
$(BUILD)/share/rille/data: | scripts/data
	@mkdir -p $(@D)
	@ln -sfnr scripts/data $@

$(BUILD)/tests/%: $(OBJ)/tests/%.o $(REFERENCE_OBJS) $(OBJ)/list-REFERENCE $(ARCHIVE)
	$(call say,LINK,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) $< $(REFERENCE_OBJS) $(ARCHIVE) $(if $(PLAIN),,-lcriterion) $(TEST_LIBS) -o $@
$(OBJ)/tests/bindings/%.o: COMPILE_TESTS += $(call as_system,$(LUA_CFLAGS))
$(BUILD)/tests/bindings/%: $(OBJ)/tests/bindings/%.o
	$(call say,LINK,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) $< -lcriterion $(LUA_LIBS) -o $@
# A bench runs where it was built: its own loops, copies to compare with, get the best that the machine has. So does the sweep.
$(OBJ)/tests/bench/%.o $(OBJ)/tests/accuracy/sweep.o: NATIVE := -O3 $(if $(EMULATOR),,-march=native)
$(BUILD)/bench/%: $(OBJ)/tests/bench/%.o $(REFERENCE_OBJS) $(OBJ)/list-REFERENCE $(ARCHIVE)
	$(call say,LINK,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) $< $(REFERENCE_OBJS) $(ARCHIVE) $(TEST_LIBS) -o $@

$(BUILD)/exhaustive/%: $(OBJ)/tests/exhaustive/%.o $(EXHAUSTIVE_OBJS) $(REFERENCE_OBJS) $(OBJ)/list-EXHAUSTIVE $(OBJ)/list-REFERENCE $(ARCHIVE)
	$(call say,LINK,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) $< $(EXHAUSTIVE_OBJS) $(REFERENCE_OBJS) $(ARCHIVE) $(TEST_LIBS) -o $@

$(BUILD)/peers/driver: $(PEERS_OBJS) $(REFERENCE_OBJS) $(OBJ)/list-PEERS $(OBJ)/list-REFERENCE $(ARCHIVE)
	$(call say,LINK,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) $(PEERS_OBJS) $(REFERENCE_OBJS) $(ARCHIVE) $(TEST_LIBS) -o $@
$(BUILD)/peers/onednn: $(PEER:%.c=$(OBJ)/%.o)
	$(call say,LINK,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) $< -ldnnl $(OPENMP) -lm -o $@
$(BUILD)/train/driver: $(TRAIN_OBJS) $(OBJ)/list-TRAIN
	$(call say,LINK,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) $(TRAIN_OBJS) -lm -o $@
$(OBJ)/tests/aarch64/execve.o: COMPILE_TESTS += -D_DEFAULT_SOURCE -DEMULATOR='"$(EMULATOR)"'

.PHONY: test-programs bench-programs
test-programs: $(SUITE_PROGRAMS) $(LUA_PROGRAMS) ; @:
bench-programs: $(BENCH_PROGRAMS) $(EXHAUSTIVE_PROGRAMS) $(BUILD)/peers/driver $(BUILD)/train/driver ; @:

-include $(OBJECTS:.o=.d) $(OBJ)/generate_header.d

# ---- What must be installed ----------------------------------------------------------------------------------------

# Debian's packages, and the command that succeeds where one (or the same thing from elsewhere) is there.
RUN_PACKAGES  := $(if $(is_clang),clang libomp-dev,gcc) libc6-dev pkg-config lua5.4 liblua5.4-dev lua-argparse \
                 libopenblas-openmp-dev librandom123-dev zlib1g-dev libzip-dev libjansson-dev gnuplot-nox
TEST_PACKAGES := $(RUN_PACKAGES) libcriterion-dev libmpfr-dev lua-busted
TRAIN_PACKAGES := $(RUN_PACKAGES) python3-torch
PEER_PACKAGES := $(TEST_PACKAGES) libdnnl-dev python3-torch
LINT_PACKAGES := $(sort $(TEST_PACKAGES) gcc clang clang-format clang-tidy cppcheck lua-check)

has_command  = command -v $(1)
has_header   = $(CC) $(CPPFLAGS) $(OPENMP) -E -include $(1) -x c /dev/null
has_module   = pkg-config --exists $(1)
there_gcc                    = $(call has_command,$(if $(is_clang),gcc,$(CC)))
there_clang                  = $(call has_command,$(if $(is_clang),$(CC),clang))
there_libomp-dev             = $(call has_header,omp.h)
there_libc6-dev              = $(call has_header,stdlib.h)
there_pkg-config             = $(call has_command,pkg-config)
there_lua5.4                 = $(call has_command,$(LUA))
there_liblua5.4-dev          = $(call has_module,lua5.4)
there_lua-argparse           = $(LUA) -e 'require "argparse"'
there_libopenblas-openmp-dev = $(call has_module,openblas)
there_librandom123-dev       = $(call has_header,Random123/philox.h)
there_zlib1g-dev             = $(call has_module,zlib)
there_libzip-dev             = $(call has_module,libzip)
there_libjansson-dev         = $(call has_module,jansson)
there_gnuplot-nox            = $(call has_command,gnuplot)
there_libcriterion-dev       = $(call has_module,criterion)
there_libmpfr-dev            = $(call has_module,mpfr)
there_lua-busted             = $(call has_command,busted)
there_libdnnl-dev            = $(call has_header,oneapi/dnnl/dnnl.h)
there_python3-torch          = $(PYTHON) -c 'import torch'
there_lua-check              = $(call has_command,luacheck)
there_clang-format           = $(call has_command,clang-format)
there_clang-tidy             = $(call has_command,clang-tidy)
there_cppcheck               = $(call has_command,cppcheck)

# $(call install_missing,PACKAGES): nothing, at once, where all are there. The lock is for two of these at a time.
define install_missing
@missing() { $(foreach p,$(1),$(there_$(p)) >/dev/null 2>&1 || printf ' %s' $(p);) }; \
list=$$(missing); test -n "$$list" || exit 0; \
elsewhere() { printf 'rille: %s. Missing, by the names of their Debian packages:\n\n   %s\n\n' "$$1" "$$list" >&2; exit 1; }; \
command -v apt-get >/dev/null || elsewhere 'there is no apt-get here, so please install what is missing and start again'; \
if [ "$$(id -u)" = 0 ]; then as_root=; elif command -v sudo >/dev/null; then as_root=sudo; \
else elsewhere 'installing takes root or sudo, so please have this installed and start again'; fi; \
mkdir -p $(BUILD); exec 9>$(BUILD)/deps.lock; if command -v flock >/dev/null; then flock 9; fi; \
list=$$(missing); test -n "$$list" || exit 0; echo "rille: installing$$list"; \
apt="$$as_root env DEBIAN_FRONTEND=noninteractive apt-get -q"; \
{ $$apt update && $$apt install -y --no-install-recommends $$list; } 9>&- || elsewhere 'apt-get failed, see above'; \
list=$$(missing); test -z "$$list" || elsewhere 'apt-get has installed the packages, yet not all that is needed is found'
endef

.PHONY: deps deps-run deps-test deps-lint deps-peers deps-train
deps: deps-lint deps-uplot ## install (apt, npm) what run, test and lint need, where it is missing
deps-run: ; $(call install_missing,$(RUN_PACKAGES))
deps-test: ; $(call install_missing,$(TEST_PACKAGES))
deps-lint: ; $(call install_missing,$(LINT_PACKAGES))
# uPlot, which draws the histories in reports, where npm is there. Without it they are drawings that stand still. The licence
# comes last: with it the folder is complete.
UPLOT_VERSION := 1.6.32
UPLOT         := $(BUILD)/share/rille/uplot
.PHONY: deps-uplot
deps-uplot:
	@if grep -qs '(v$(UPLOT_VERSION))' $(UPLOT)/uPlot.iife.min.js && [ -e $(UPLOT)/LICENSE ]; then exit 0; fi; \
	if ! command -v npm >/dev/null; then echo 'rille: there is no npm here to get uPlot with; going on without it' >&2; exit 0; fi; \
	echo 'rille: installing uplot'; mkdir -p $(UPLOT) && rm -f $(UPLOT)/LICENSE && from=$(BUILD)/npm/node_modules/uplot && \
	npm install --prefix $(BUILD)/npm --ignore-scripts --no-audit --no-fund --fetch-retries=1 uplot@$(UPLOT_VERSION) >/dev/null && \
	cp $$from/dist/uPlot.iife.min.js $$from/dist/uPlot.min.css $(UPLOT) && cp $$from/LICENSE $(UPLOT) || \
	echo 'rille: npm failed, see above; going on without uPlot' >&2
deps-train: ; $(call install_missing,$(TRAIN_PACKAGES))
# ONNX Runtime where npm is there, below build/. Its own script would fetch GPU libraries.
ONNXRUNTIME := $(BUILD)/peers/node_modules/onnxruntime-node
deps-peers: ; $(call install_missing,$(PEER_PACKAGES))
	@mkdir -p $(BUILD)/peers
	@if command -v npm >/dev/null && [ ! -d $(ONNXRUNTIME) ]; then echo 'rille: installing onnxruntime-node'; \
	    npm install --prefix $(BUILD)/peers --ignore-scripts --no-audit --no-fund onnxruntime-node >/dev/null || \
	    echo 'rille: npm failed, see above; going on without ONNX Runtime' >&2; fi

# ---- Run, test, bench ----------------------------------------------------------------------------------------------

# Threads that wait by spinning take the cores from whatever else is running.
QUIET_OPENMP := OMP_WAIT_POLICY=$${OMP_WAIT_POLICY:-passive}

# A make below, since only after deps can the lines above know where the libraries are.
.PHONY: built run
built: deps-run deps-uplot
	$(submake) all
run: built ## build, then run the main experiment (ARGS='--help' lists what it takes)
	@$(QUIET_OPENMP) $(COMMAND) scripts/vanishing.lua $(ARGS)

TEST_JOBS    ?= 2
TEST_TIMEOUT ?= $(if $(EMULATOR),14400,900)# seconds for one suite

# suite NAME COMMAND...: runs it, shows its time, adds its runner's own counts to the sum. A suite that ends without
# counts, that ran no test, or whose status disagrees with its counts has failed.
define TEST_COUNTING
passed=0 failed=0 unhappy= log=$(BUILD)/tests/log
suite() {
    local name=$$1 status=0 good bad began=$$EPOCHREALTIME
    shift
    case $$name in *"$(ONLY)"*) ;; *) return 0 ;; esac
    printf '\n== %s\n' "$$name"
    timeout $(TEST_TIMEOUT) "$$@" </dev/null 2>&1 | tee $$log || status=$${PIPESTATUS[0]}
    read -r good bad < <(sed -n \
        -e 's/.*Tested:.*Passing: *\([0-9]*\).*Failing: *\([0-9]*\).*/\1 \2/p' \
        -e 's/^\([0-9]*\) success[es]* . \([0-9]*\) failures\{0,1\} . \([0-9]*\) error.*/\1 \2+\3/p' $$log | tail -n 1) || true
    good=$${good:-0} bad=$$(($${bad:-0}))
    if [ $$bad = 0 ] && { [ $$status != 0 ] || [ $$good = 0 ]; }; then
        printf '%s: status %d after %d tests\n' "$$name" $$status $$good
        bad=1
    fi
    ! grep -q '^SUMMARY: [A-Za-z]*Sanitizer' $$log || bad=$$((bad > 0 ? bad : 1)) # a leak is told after Criterion has counted
    [ $$bad = 0 ] || unhappy+=" $$name"
    passed=$$((passed + good)) failed=$$((failed + bad))
    awk -v began=$$began -v ended=$$EPOCHREALTIME -v name="$$name" 'BEGIN { printf "   %s: %.1f s\n", name, ended - began }'
}
mkdir -p $(BUILD)/tests
export $(QUIET_OPENMP)
for program in $(SUITE_PROGRAMS); do
    suite engine/$${program##*/} $(EMULATOR) $$program --jobs $(TEST_JOBS)
done
endef

define TEST_SETS_AND_LUA
# What calls the activations as hosts do, again under each other instruction set that this CPU has. (engine/activations goes
# through all of them by itself.)
read -r used having < <(env $(LUA_ENVIRONMENT) $(COMMAND) -e 'local i = require("rille").info(); print(i.isa, table.concat(i.isas, " "))')
for isa in $(TEST_ISAS); do
    [ $$isa != $$used ] || continue
    case " $$having " in *" $$isa "*) ;; *) printf '\n== not tested, the CPU lacks it: %s\n' $$isa; continue ;; esac
    for program in $(filter $(BUILD)/tests/engine/activation_%,$(SUITE_PROGRAMS)); do
        suite engine/$${program##*/}:$$isa env RILLE_ISA=$$isa $$program --jobs $(TEST_JOBS)
    done
done
# Busted's first line picks whichever Lua is called lua, so it is named here. The _5_4 names go before those without.
export LUA_PATH_5_4="$(BUILD)/share/lua/5.4/?.lua;$(BUILD)/share/lua/5.4/?/init.lua;tests/lua/?.lua;;"
export LUA_CPATH_5_4="$(BUILD)/lib/lua/5.4/?.so;;"
for program in $(LUA_PROGRAMS); do
    suite bindings/$${program##*/} $$program --jobs $(TEST_JOBS)
done
for spec in $(SPECS); do
    name=$${spec##*/}
    suite lua/$${name%_spec.lua} env $(LUA_ENVIRONMENT) $(LUA) "$$(command -v busted)" --output=plainTerminal $$spec
done
endef

define TEST_RUNNER
$(TEST_COUNTING)
$(if $(EMULATOR)$(PLAIN),,$(TEST_SETS_AND_LUA))
rm -f $$log
[ -z "$$unhappy" ] || printf '\nfailed:%s\n' "$$unhappy"
[ $$passed != 0 ] || [ $$failed != 0 ] || printf "\nno suite has '%s' in its name\n" '$(ONLY)'
printf '\n%d passed, %d failed\n' $$passed $$failed
[ $$failed = 0 ] && [ $$passed -gt 0 ]
endef
TEST_ISAS ?= $(ISAS)
export TEST_RUNNER

.PHONY: test test-suites
test: deps-test built ## build, then run every test suite (ONLY=name: some)
	$(submake) test-suites
test-suites: test-programs
	@bash -eu -o pipefail -c "$$TEST_RUNNER"

# All suites with AddressSanitizer, LeakSanitizer and UndefinedBehaviorSanitizer, built by gcc; the C suites with ThreadSanitizer,
# built by clang. An OpenMP runtime synchronises by means that ThreadSanitizer does not see, and so every parallel loop would be
# reported: LLVM's tells it of them, by way of Archer, which comes with libomp. Criterion maps memory where ThreadSanitizer has its
# own, so tests/sanitize/ stands in for it. What was not built here (OpenBLAS, the Lua interpreter, to which the sanitizer is
# preloaded) is not looked into. Memory that is not there is NULL, as the suites of it expect. LeakSanitizer reads the thread-local
# storage of OpenMP's threads wrongly where it intercepts __tls_get_addr, and ends by a fault of its own: so it does not. What was
# freed is held back in 16 MB and not in 256, so that memory which stays flat is seen to.
SANITIZE     := -O1 -g -fno-omit-frame-pointer -fsanitize=
TSAN_PACKAGES := $(TEST_PACKAGES) clang libomp-dev
.PHONY: sanitize sanitize-address sanitize-thread
sanitize: sanitize-address sanitize-thread ## the test suites under the address, undefined-behaviour and thread sanitizers (ONLY=name: some)
sanitize-address: deps-test
	+$(Q)ASAN_OPTIONS=detect_stack_use_after_return=1:strict_string_checks=1:allocator_may_return_null=1:intercept_tls_get_addr=0:quarantine_size_mb=16 \
	    UBSAN_OPTIONS=print_stacktrace=1 LSAN_OPTIONS='suppressions=$(CURDIR)/tests/sanitize/others.leaks:print_suppressions=0' \
	    $(MAKE) --no-print-directory $(if $(filter -j% --jobserver%,$(MAKEFLAGS)),,-j$(NPROC)) BUILD=$(BUILD)/sanitize/address CC=gcc \
	    CFLAGS='$(SANITIZE)address,undefined -fno-sanitize-recover=all' KERNEL_CFLAGS=-O1 TEST_TIMEOUT=7200 \
	    LUA_ENVIRONMENT="LD_PRELOAD=$$(gcc -print-file-name=libasan.so):$$(gcc -print-file-name=libubsan.so)" all test-suites
sanitize-thread: ; $(call install_missing,$(TSAN_PACKAGES))
	+$(Q)TSAN_OPTIONS=ignore_noninstrumented_modules=1:halt_on_error=1:die_after_fork=0:allocator_may_return_null=1 OMP_NUM_THREADS=4 \
	    OMP_TOOL_LIBRARIES="$$(clang -print-resource-dir)/../../libarcher.so" \
	    $(MAKE) --no-print-directory $(if $(filter -j% --jobserver%,$(MAKEFLAGS)),,-j$(NPROC)) BUILD=$(BUILD)/sanitize/thread CC=clang \
	    CFLAGS='$(SANITIZE)thread' KERNEL_CFLAGS=-O1 TEST_TIMEOUT=14400 PLAIN=1 test-suites

# aarch64: the engine's suites, cross-compiled and run by qemu-user, against Debian's arm64 libraries. These are unpacked
# below build/, with an apt state of their own: nothing but the compiler and the emulator is installed.
CROSS          := $(abspath $(BUILD))/aarch64
CROSS_TOOLS    := gcc-aarch64-linux-gnu qemu-user
CROSS_PACKAGES := libopenblas-openmp-dev zlib1g-dev libzip-dev libjansson-dev libcriterion-dev libmpfr-dev librandom123-dev liblua5.4-dev
CROSS_LIBRARY  := /usr/lib/aarch64-linux-gnu
there_gcc-aarch64-linux-gnu = $(call has_command,aarch64-linux-gnu-gcc)
there_qemu-user             = $(call has_command,qemu-aarch64)
define CROSS_APT
APT::Architecture "arm64";
APT::Architectures { "arm64"; };
APT::Sandbox::User "root";
Dir::State "$(CROSS)/apt";
Dir::State::status "$(CROSS)/apt/status";
Dir::Cache "$(CROSS)/apt";
endef
export CROSS_APT

.PHONY: deps-aarch64 deps-aarch64-tools test-aarch64
deps-aarch64-tools: ; $(call install_missing,$(CROSS_TOOLS))
deps-aarch64: deps-aarch64-tools $(CROSS)/sysroot/complete ## install (apt) what test-aarch64 needs: compiler, emulator, libraries under build/
$(CROSS)/sysroot/complete:
	@command -v apt-get dpkg >/dev/null || { echo 'rille: deps-aarch64 takes apt-get and dpkg' >&2; exit 1; }
	@mkdir -p $(CROSS)/apt/lists/partial $(CROSS)/apt/archives/partial $(@D)
	@: > $(CROSS)/apt/status
	@printf '%s\n' "$$CROSS_APT" > $(CROSS)/apt/conf
	@export APT_CONFIG=$(CROSS)/apt/conf; apt-get -qq update; \
	    apt-get -qq -y --download-only --no-install-recommends install $(CROSS_PACKAGES)
	@for package in $(CROSS)/apt/archives/*.deb; do dpkg -x "$$package" $(@D); done
	@rm -rf $(CROSS)/apt
	@touch $@

# Criterion needs the emulator by its full path: see tests/aarch64/execve.c.
test-aarch64: ## the engine's suites on aarch64, cross-compiled and emulated (ONLY=name: some)
	@missing=; $(foreach p,$(CROSS_TOOLS),$(there_$(p)) >/dev/null 2>&1 || missing+=' $(p)';) \
	    test -e $(CROSS)/sysroot/complete || missing+=' $(CROSS_PACKAGES:%=%:arm64)'; \
	    test -z "$$missing" || { printf 'rille: missing:%s\nrille: `make deps-aarch64` gets it\n' "$$missing" >&2; exit 1; }
	+$(Q)QEMU_LD_PREFIX=$(CROSS)/sysroot PKG_CONFIG_SYSROOT_DIR=$(CROSS)/sysroot \
	    PKG_CONFIG_LIBDIR=$(CROSS)/sysroot$(CROSS_LIBRARY)/pkgconfig:$(CROSS)/sysroot$(CROSS_LIBRARY)/openblas-openmp/pkgconfig \
	    $(MAKE) --no-print-directory $(if $(filter -j% --jobserver%,$(MAKEFLAGS)),,-j$(NPROC)) test-suites BUILD=$(CROSS) \
	    CC='aarch64-linux-gnu-gcc --sysroot=$(CROSS)/sysroot' HOSTCC='$(HOSTCC)' EMULATOR="$$(command -v qemu-aarch64)" \
	    LDFLAGS='-Wl,-rpath,$(CROSS_LIBRARY)/openblas-openmp'

# What the rille command gives OpenBLAS, for peers that use it too: see engine/base/blas.c.
BEST_BLAS := core=$$($(COMMAND) -e 'io.write(os.getenv "OPENBLAS_CORETYPE" or "")'); \
    if [ -n "$$core" ]; then export OPENBLAS_CORETYPE="$$core"; fi

.PHONY: bench
bench: deps-test built ## build, then run every benchmark (ONLY=name: some)
	$(submake) bench-programs
	@$(BEST_BLAS); for program in $(BENCH_PROGRAMS); do \
	    case $${program##*/} in *"$(ONLY)"*) printf '\n== %s\n' $${program##*/}; $$program $$program.json ;; esac; done
	@for script in $(wildcard tests/bench/*.lua); do name=$${script##*/}; name=$${name%.lua}; \
	    case $$name in *"$(ONLY)"*) printf '\n== %s\n' $$name; $(COMMAND) $$script $(BUILD)/bench/$$name.json ;; esac; done

.PHONY: bench-peers
bench-peers: deps-peers built ## speed and error beside oneDNN, PyTorch and ONNX Runtime, installed where missing (ONLY=name: some)
	$(submake) $(BUILD)/peers/driver $(BUILD)/peers/onednn
	@$(BEST_BLAS); ONLY='$(ONLY)' OMP_NUM_THREADS=2 $(QUIET_OPENMP) $(BUILD)/peers/driver $(BUILD)/peers $(PYTHON) $(COMMAND)

.PHONY: bench-train
bench-train: deps-train built ## training steps beside PyTorch, which is installed where missing (ONLY=lstm: one net)
	$(submake) $(BUILD)/train/driver
	@$(BEST_BLAS); ONLY='$(ONLY)' OMP_NUM_THREADS=2 $(QUIET_OPENMP) $(BUILD)/train/driver $(BUILD)/train $(PYTHON) $(COMMAND)

# It may be interrupted: what is measured stays, and is measured again only with another library.
.PHONY: exhaustive
exhaustive: deps-test built ## measure the error of every activation at all floats: hours (ACT=tanh ORDER=1 ISA=v3 DTYPE=float32 POINTS=1e6: some)
	$(submake) $(BUILD)/exhaustive/accuracy
	@ACT='$(ACT)' ORDER='$(ORDER)' ISA='$(ISA)' DTYPE='$(DTYPE)' POINTS='$(POINTS)' $(QUIET_OPENMP) \
	    $(BUILD)/exhaustive/accuracy $(BUILD)/exhaustive/journal $(BUILD)/exhaustive/accuracy.md

.PHONY: exhaustive-agreement
exhaustive-agreement: deps-test built ## compare instruction sets that round alike, bit for bit at all floats: hours (ACT=tanh ORDER=1 ISA=v3: some)
	$(submake) $(BUILD)/exhaustive/agreement
	@ACT='$(ACT)' ORDER='$(ORDER)' ISA='$(ISA)' $(QUIET_OPENMP) \
	    $(BUILD)/exhaustive/agreement $(BUILD)/exhaustive/agreement.journal $(BUILD)/exhaustive/agreement.md

# ---- Lint ----------------------------------------------------------------------------------------------------------

C_HEADERS := $(wildcard engine/*/*.h bindings/*.h tests/*/*.h tests/*/*/*.h)
C_SOURCES := $(ENGINE) $(KERNELS) $(GENERATOR) $(BINDINGS) $(SUITES) $(LUA_SUITES) $(REFERENCE) $(BENCHES) $(EXHAUSTIVE) \
             $(PEERS) $(PEER) $(TRAIN)
# engine/rille.h is set by hand: a declaration and its one-line comment, however long.
FORMATTED := $(C_SOURCES) $(C_HEADERS) tests/aarch64/execve.c
LINTS     := format lua rules symbols gcc clang tidy cppcheck
# clang checks the code without an OpenMP runtime of its own: gcc's omp.h, behind clang's headers, says enough.
OMP_H       := $(OBJ)/omp/omp.h
CLANG_FLAGS := $(LANGUAGE) $(CPPFLAGS) -O2 $(filter-out -Werror,$(WARNINGS)) $(ARITHMETIC) -fopenmp -idirafter $(dir $(OMP_H))

.PHONY: lint format $(LINTS:%=lint-%)
lint: deps-lint built ## check format, warnings (gcc, clang), clang-tidy, cppcheck, luacheck, layering and exported symbols
	$(submake) -k --output-sync=target $(LINTS:%=lint-%)
	@echo 'lint: clean'
format: ## rewrite the C files as .clang-format has them
	clang-format -i $(FORMATTED)

lint-format:
	@clang-format --dry-run -Werror $(FORMATTED)
lint-lua:
	@luacheck --quiet $(wildcard bindings/bin/rille bindings/rille bindings/types.lua scripts tests/lua tests/bench)

# Who may know what: the engine nothing of Lua, the bindings only rille.h, a lower floor of the engine nothing of an upper.
FLOORS := base=1 math=1 tensor=2 activations=3 ops=4 autograd=5 flow=6 optim=6 io=6
lint-rules:
	@! grep -nE '#include *[<"](lua|lauxlib|lualib)' -r engine
	@! grep -nE '#include *("[^"]*/|"rille_|<(cblas|lapacke|omp|Random123)\b)' -r bindings --include='*.[ch]'
	@! grep -nE 'ffast-math|Ofast|funsafe-math' -r engine bindings tests --include='*.[ch]' --include='*.def'
	@awk -v floors='$(FLOORS)' 'BEGIN { n = split(floors, list, /[ =]/); for (i = 1; i < n; i += 2) floor[list[i]] = list[i + 1] } \
	    /^#include "[a-z]+\// { split(FILENAME, from, "/"); split($$2, into, /["\/]/); \
	        if (!(floor[into[2]] > 0 && floor[into[2]] <= floor[from[2]])) { print FILENAME ":" FNR ": " $$0 ": an upper floor"; bad = 1 } } \
	    END { exit bad }' $(wildcard engine/*/*.[ch])

# $(call only_exports,FILE,PATTERN)
only_exports = @names=$$(nm -D --defined-only $(1) | awk '{ print $$NF }'); test -n "$$names"; \
    ! grep -vE '$(2)' <<< "$$names" || { echo '$(1) exports what is above too' >&2; exit 1; }
lint-symbols:
	$(call only_exports,$(LIBRARY),^rille_)
	$(call only_exports,$(MODULE),^luaopen_rille)

# A whole build with gcc, warnings as errors, in a folder of its own.
lint-gcc:
	+@$(MAKE) --no-print-directory BUILD=$(BUILD)/lint CC=gcc WERROR=1 all test-programs bench-programs >/dev/null
$(OMP_H):
	@mkdir -p $(@D)
	@cp "$$(gcc -print-file-name=include/omp.h)" $@
lint-clang: $(OMP_H)
	@clang -fsyntax-only -Werror $(CLANG_FLAGS) $(INCLUDE_TESTS) $(ENGINE) $(GENERATOR) $(SUITES) $(REFERENCE) $(BENCHES) $(EXHAUSTIVE) $(PEERS) $(TRAIN)
	@$(foreach isa,$(ISAS),clang -fsyntax-only -Werror $(CLANG_FLAGS) $(INCLUDE_ENGINE) -DRL_ISA=$(isa) $(ISA_FLAGS_$(isa)) $(KERNELS);)
	@clang -fsyntax-only -Werror $(CLANG_FLAGS) $(INCLUDE_BINDINGS) $(BINDINGS) $(LUA_SUITES)
# One file for each clang-tidy: with several at once, version 14 loses sight of va_start.
TIDY := $(ENGINE) $(KERNELS) $(GENERATOR) $(REFERENCE) $(EXHAUSTIVE) $(PEERS) $(TRAIN) $(BINDINGS)
lint-tidy: $(TIDY:%=tidy/%)
tidy/bindings/%: $(OMP_H)
	@clang-tidy --quiet bindings/$* -- $(CLANG_FLAGS) $(INCLUDE_BINDINGS) 2>/dev/null
tidy/%: $(OMP_H)
	@clang-tidy --quiet $* -- $(CLANG_FLAGS) $(INCLUDE_TESTS) -DRL_ISA=$(lastword $(ISAS)) 2>/dev/null
# Off: casts of a tensor's bytes to its elements, and uninitialised variables, of which gcc and clang-tidy know better.
lint-cppcheck:
	@cppcheck --quiet --error-exitcode=1 --std=c11 --library=posix,lua --enable=warning,portability --inline-suppr -j $(NPROC) \
	    --suppress=invalidPointerCast --suppress=uninitvar -DRL_ISA=generic -Iengine -I$(BUILD)/include $(ENGINE) $(KERNELS) $(BINDINGS)

# ---- Install -------------------------------------------------------------------------------------------------------

ifneq ($(filter install uninstall,$(MAKECMDGOALS)),)
override PREFIX := $(shell realpath -ms '$(PREFIX)')
endif
ROOM := $(DESTDIR)$(PREFIX)
SCRIPTS := $(wildcard scripts/*.lua)

.PHONY: install uninstall
install: all ## install under PREFIX=/usr/local (below DESTDIR=, for packagers)
	@install -d $(addprefix '$(ROOM)'/,bin include lib/pkgconfig lib/lua/5.4 share/man/man1 share/rille/data share/rille/scripts)
	@install -m 644 $(BUILD)/include/rille.h '$(ROOM)/include/'
	@install -m 755 $(LIBRARY) '$(ROOM)/lib/'
	@ln -sf $(notdir $(LIBRARY)) '$(ROOM)/lib/librille.so.$(SOVERSION)'
	@ln -sf librille.so.$(SOVERSION) '$(ROOM)/lib/librille.so'
	@install -m 644 $(ARCHIVE) '$(ROOM)/lib/'
	@sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@VERSION@|$(VERSION)|' -e 's|@OPENMP@|$(OPENMP)|' engine/rille.pc.in > '$(ROOM)/lib/pkgconfig/rille.pc'
	@install -m 755 $(MODULE) '$(ROOM)/lib/lua/5.4/'
	@for module in $(LUA_MODULES); do install -D -m 644 "bindings/rille/$$module" '$(ROOM)/share/lua/5.4/rille'/"$$module"; done
	@env $(LUA_ENVIRONMENT) $(COMMAND) bindings/types.lua '$(ROOM)/share/lua/5.4/rille/types'
	@install -m 644 scripts/data/* '$(ROOM)/share/rille/data/'
	@if [ -e $(UPLOT)/LICENSE ]; then install -D -m 644 -t '$(ROOM)/share/rille/uplot' $(UPLOT)/*; fi
	@$(if $(SCRIPTS),install -m 644 $(SCRIPTS) '$(ROOM)/share/rille/scripts/')
	@install -m 755 $(COMMAND) '$(ROOM)/bin/'
	@install -m 644 bindings/rille.1 '$(ROOM)/share/man/man1/'
	@if [ -z '$(DESTDIR)' ] && [ "$$(id -u)" = 0 ]; then PATH="$$PATH:/sbin:/usr/sbin" ldconfig || true; fi
	@echo 'rille $(VERSION) is installed under $(ROOM)'
uninstall: ## remove what install put there
	@rm -f $(addprefix '$(ROOM)'/,bin/rille include/rille.h lib/librille.a lib/librille.so lib/librille.so.$(SOVERSION) \
	    lib/$(notdir $(LIBRARY)) lib/pkgconfig/rille.pc lib/lua/5.4/rille.so share/man/man1/rille.1)
	@rm -rf '$(ROOM)/share/lua/5.4/rille' '$(ROOM)/share/rille'

# ---- Housekeeping --------------------------------------------------------------------------------------------------

.PHONY: clean help
clean: ## remove build/ and out/
	@rm -rf $(BUILD) out
help: ## list what there is to do
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))
