# lbd: one Makefile, wildcard sources per folder. make help lists the targets.
# Switches: DEBUG=1 ASAN=1 UBSAN=1 TSAN=1 COV=1 CC=clang-14; each set of sanitizers has a build folder of its own.
VERSION  := 0.1.0
PROGRAMS := lbd-ipvs lbd-proxy lbd-check lbd-ha lbd-web lbctl
V        ?= 0
Q        := $(if $(filter 1,$(V)),,@)
SAY       = $(if $(filter 1,$(V)),@:,@printf '  %-5s %s\n')

PYTHON   := /usr/bin/python3
CC       ?= gcc
ifeq ($(origin CC),default)
CC       := gcc
endif
SAN      := $(if $(ASAN),address) $(if $(UBSAN),undefined) $(if $(TSAN),thread)
SAN      := $(strip $(SAN))
empty    :=
space    := $(empty) $(empty)
comma    := ,
BUILD    ?= build$(if $(SAN),-$(subst $(space),-,$(SAN)))$(if $(COV),-cov)$(if $(findstring clang,$(CC)),-clang)
BIN      := $(BUILD)/bin

PKGS     := libevent_core libevent_pthreads openssl sqlite3 yaml-0.1 jansson libnl-3.0 libnl-route-3.0 libnl-genl-3.0 libcares libxcrypt libxxhash libmicrohttpd libpcre2-8 libnghttp2 libnghttp3 libngtcp2 libngtcp2_crypto_gnutls gnutls
WARN     := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wcast-qual \
            -Wwrite-strings -Wvla -Wformat=2 -Werror
CPPFLAGS += -Icommon -D_GNU_SOURCE -DLBD_VERSION='"$(VERSION)"' -MMD -MP $(if $(SAN)$(DEBUG),,-D_FORTIFY_SOURCE=2) \
            $(shell pkg-config --cflags $(PKGS) 2>/dev/null)
CFLAGS   ?= -g $(if $(DEBUG),-O0,-O2)
CFLAGS   += -std=gnu11 -fPIE -fno-omit-frame-pointer $(WARN) $(if $(SAN),-fsanitize=$(subst $(space),$(comma),$(SAN)) -fno-sanitize-recover=all,-fstack-protector-strong -fstack-clash-protection -fcf-protection) $(if $(COV),--coverage)
LDFLAGS  += -pie -Wl,-z,relro,-z,now $(if $(SAN),-fsanitize=$(subst $(space),$(comma),$(SAN))) $(if $(COV),--coverage)
LIB_lib  := -levent_core -levent_pthreads -lsqlite3 -lyaml -ljansson -lnl-3 -lnl-route-3 -lcares -lpcre2-8 -lcrypt -lssl -lcrypto -lpthread -lm
LIB_lbd-proxy := -lxxhash -lnghttp2 -lnghttp3 -lngtcp2 -lngtcp2_crypto_gnutls -lgnutls -lz -lbrotlienc
LIB_lbd-web   := -lmicrohttpd -lgnutls
LIB_lbd-ipvs  := -lnl-genl-3
LIB_lbctl     :=

# lbd-proxy is optimised as a whole with what it takes of common (some 5 % fewer instructions a request); all else links as usual.
LTO      := $(if $(SAN)$(DEBUG)$(COV)$(findstring clang,$(CC)),,-flto=auto)
lto_of    = $(if $(LTO),$(if $(filter lbd-proxy/% common/%,$(1)),$(LTO) -ffat-lto-objects))
lto_link  = $(if $(LTO),$(if $(filter lbd-proxy,$(1)),$(filter-out $(WARN),$(CFLAGS)) $(LTO),-fno-lto))

SRC_lib  := $(wildcard common/*/*.c)
OBJ_lib  := $(SRC_lib:%.c=$(BUILD)/%.o)
LIB      := $(BUILD)/liblbd.a

# The witness has a main of its own in lbd-ha's folder, and what it needs of lbd-ha's library.
all: $(PROGRAMS:%=$(BIN)/%) $(BIN)/lbd-witness
$(BIN)/lbd-witness: $(BUILD)/lbd-ha/witness/lbd_witness.o $(BUILD)/liblbd-ha.a $(LIB)
	$(Q)mkdir -p $(@D)
	$(SAY) LD $@
	$(Q)$(CC) $(call lto_link) $(LDFLAGS) -o $@ $^ -lcrypto

# A program's rooms see each other from the program's folder; so do its tests.
own       = $(foreach p,$(PROGRAMS),$(if $(filter $(p)/% tests/unit/$(p)_% tests/fuzz/% $(if $(filter lbd-ha,$(p)),tests/bench/ha/%),$(1)),-iquote $(p)))
$(BUILD)/%.o: %.c
	$(Q)mkdir -p $(@D)
	$(SAY) CC $<
	$(Q)$(CC) $(CPPFLAGS) $(call own,$<) $(CFLAGS) $(call lto_of,$<) -c -o $@ $<

# The panel's files are part of the program.
$(BUILD)/lbd-web/assets.o: $(wildcard lbd-web/assets/*)

$(LIB): $(OBJ_lib)
	$(Q)rm -f $@
	$(Q)ar rcs $@ $^

# One program: its folder's sources (rooms below it too); all but main.c also as a library for unit tests.
define program
SRC_$(1) := $$(filter-out %/lbd_witness.c,$$(wildcard $(1)/*.c $(1)/*/*.c))
OBJ_$(1) := $$(SRC_$(1):%.c=$$(BUILD)/%.o)
$$(BUILD)/lib$(1).a: $$(filter-out %/main.o,$$(OBJ_$(1)))
	$$(Q)rm -f $$@
	$$(Q)ar rcs $$@ $$^
$$(BIN)/$(1): $$(OBJ_$(1)) $$(LIB)
	$$(Q)mkdir -p $$(@D)
	$$(SAY) LD $$@
	$$(Q)$$(CC) $$(call lto_link,$(1)) $$(LDFLAGS) -o $$@ $$(OBJ_$(1)) $$(LIB) $$(LIB_$(1)) $$(LIB_lib)
.PHONY: $(1)
$(1): $$(BIN)/$(1)
endef
$(foreach p,$(PROGRAMS),$(eval $(call program,$(p))))

# tests/unit/FOLDER_FILE_test.c; FOLDER names the program whose library is linked too (lbd-proxy_h1_parse_test.c).
UNIT     := $(patsubst tests/unit/%.c,$(BUILD)/unit/%,$(wildcard tests/unit/*_test.c))
unit_lib  = $(foreach p,$(PROGRAMS),$(if $(filter $(p)_%,$(notdir $(1))),$(BUILD)/lib$(p).a))
.SECONDEXPANSION:
$(BUILD)/unit/%: $(BUILD)/tests/unit/%.o $$(call unit_lib,$$*) $(LIB)
	$(Q)mkdir -p $(@D)
	$(SAY) LD $@
	$(Q)$(CC) $(call lto_link) $(LDFLAGS) -o $@ $< $(call unit_lib,$*) $(LIB) $(foreach p,$(PROGRAMS),$(if $(filter $(p)_%,$*),$(LIB_$(p)))) $(LIB_lib) -lcmocka $(if $(filter lbd-proxy_coder_test,$*),-lbrotlidec)
$(BUILD)/tests/unit/%.o: CPPFLAGS += -I.

# tests/fuzz/NAME_fuzz.c, built by clang with libFuzzer and sanitizers together with the sources it reads.
FUZZ     := $(patsubst tests/fuzz/%.c,$(BUILD)/fuzz/%,$(wildcard tests/fuzz/*_fuzz.c))
FUZZ_SRC := $(SRC_lib) $(filter-out %/main.c,$(foreach p,$(PROGRAMS),$(filter-out lbctl/%,$(SRC_$(p))))) \
            $(filter-out %/cmd_import.c,$(wildcard lbctl/import/*.c))
FUZZ_OBJ := $(FUZZ_SRC:%.c=$(BUILD)/fuzz/obj/%.o)
FUZZ_SAN := -g -O1 -std=gnu11 -fsanitize=address,undefined -fno-sanitize-recover=all
$(BUILD)/fuzz/obj/%.o: %.c
	$(Q)mkdir -p $(@D)
	$(SAY) CC $<
	$(Q)clang-14 $(CPPFLAGS) $(call own,$<) $(FUZZ_SAN) -fsanitize=fuzzer-no-link -c -o $@ $<
$(BUILD)/fuzz/libfuzz.a: $(FUZZ_OBJ)
	$(Q)rm -f $@
	$(Q)ar rcs $@ $^
$(BUILD)/fuzz/%_fuzz: tests/fuzz/%_fuzz.c $(BUILD)/fuzz/libfuzz.a
	$(SAY) LD $@
	$(Q)clang-14 $(filter-out -MMD -MP,$(CPPFLAGS)) -I. $(call own,$<) $(FUZZ_SAN) -fsanitize=fuzzer -o $@ $< $(BUILD)/fuzz/libfuzz.a $(foreach p,$(PROGRAMS),$(LIB_$(p))) $(LIB_lib)
.SECONDARY: $(FUZZ_OBJ)

# Virtual routers of lbd-ha/vrrp alone in a process, for tests/system/test_vrrp.py.
$(BUILD)/bench/vrrp_try: $(BUILD)/tests/bench/ha/vrrp_try.o $(BUILD)/liblbd-ha.a $(LIB)
	$(Q)mkdir -p $(@D)
	$(SAY) LD $@
	$(Q)$(CC) $(call lto_link) $(LDFLAGS) -o $@ $^ $(LIB_lbd-ha) $(LIB_lib)

check-unit: $(UNIT)
	$(Q)packaging/run-unit $(UNIT)

# ---- what a person types ----------------------------------------------------------------------------------
demo:
	$(Q)packaging/install-packages build run demo
	$(Q)$(MAKE) --no-print-directory all
	$(Q)LBD_BIN=$(abspath $(BIN)) $(PYTHON) packaging/$(if $(PAIR),demo_pair,demo).py $(if $(ONCE),--once)

# check = everything. Its parts run alone; check-unit needs neither root nor network.
check:
	$(Q)packaging/install-packages build run demo test
	$(Q)packaging/run-check
# J=2: files side by side. Their folders have short names, as those of sockets have a limit.
check-system: all $(BUILD)/bench/vrrp_try
	$(Q)d=$$(mktemp -d /tmp/lbd-XXXXXX) && r=0; LBD_BIN=$(abspath $(BIN)) $(PYTHON) -m pytest -q -p no:cacheprovider --basetemp=$$d/t \
	  $(if $(J),-n $(J) --dist loadfile) tests/system $(T) || r=1; rm -rf $$d; exit $$r
# What needs the kernel's IPVS, where there is one (tests/kernel/README.md).
# An emulated processor costs a real one, and a second one has little to do; with one, what comes after many others in test_pair
# does not end, so that has a guest of its own.
GUEST_PYTEST = LBD_BIN=$(abspath $(BIN)) tests/kernel/run --cpus 1 --limit 2700 -- $(PYTHON) -m pytest -q -p no:cacheprovider
check-kernel: all
	$(Q)$(GUEST_PYTEST) tests/kernel $(or $(T),--ignore tests/kernel/test_pair.py)
	$(Q)$(if $(T),,$(GUEST_PYTEST) tests/kernel/test_pair.py)
# The product as installed, under a real systemd.
check-systemd: all
	$(Q)rm -rf $(BUILD)/stage && $(MAKE) --no-print-directory install DESTDIR=$(abspath $(BUILD)/stage) >/dev/null
	$(Q)LBD_STAGE=$(abspath $(BUILD)/stage) LBD_BIN=/usr/sbin tests/kernel/run --systemd --limit 1800 -- \
	  $(PYTHON) -m pytest -q -p no:cacheprovider tests/kernel/systemd_units.py $(T)
check-web: all
	$(Q)cd tests/web && npm ci --silent --no-audit --no-fund && LBD_BIN=$(abspath $(BIN)) node run.js
check-golden: all
	$(Q)BUILD=$(BUILD) tests/golden/run
check-fuzz: $(FUZZ)
	$(Q)set -e; for f in $(FUZZ); do c=tests/fuzz/corpus/$$(basename $$f _fuzz); mkdir -p $$c; $$f -runs=0 $$c >$(BUILD)/fuzz.log 2>&1 || { cat $(BUILD)/fuzz.log; exit 1; }; printf '  ok    %s\n' $$(basename $$f); done
fuzz: $(FUZZ)
	$(Q)set -e; for f in $(FUZZ); do n=$$(basename $$f _fuzz); mkdir -p $(BUILD)/corpus/$$n; $$f -max_total_time=$(or $(SECONDS),60) -print_final_stats=0 $(BUILD)/corpus/$$n tests/fuzz/corpus/$$n 2>&1 | tail -1; done
bench: all
	$(Q)packaging/install-packages bench
	$(Q)LBD_BIN=$(abspath $(BIN)) tests/bench/run
install: all docs
	install -d $(DESTDIR)/usr/sbin $(DESTDIR)/usr/bin $(DESTDIR)/lib/systemd/system $(DESTDIR)/usr/lib/sysusers.d \
	  $(DESTDIR)/usr/lib/tmpfiles.d $(DESTDIR)/usr/lib/modules-load.d $(DESTDIR)/lib/modprobe.d $(DESTDIR)/usr/share/bash-completion/completions $(DESTDIR)/usr/share/doc/lbd/examples \
	  $(addprefix $(DESTDIR)/usr/share/man/man,1 5 7 8)
	install -m 755 $(filter-out %/lbctl,$(PROGRAMS:%=$(BIN)/%)) $(BIN)/lbd-witness $(DESTDIR)/usr/sbin
	install -m 755 $(BIN)/lbctl $(DESTDIR)/usr/bin
	install -m 644 packaging/systemd/*.service packaging/systemd/*.target $(DESTDIR)/lib/systemd/system
	install -m 644 packaging/systemd/lbd.sysusers $(DESTDIR)/usr/lib/sysusers.d/lbd.conf
	install -m 644 packaging/systemd/lbd.tmpfiles $(DESTDIR)/usr/lib/tmpfiles.d/lbd.conf
	install -m 644 packaging/systemd/lbd.modules $(DESTDIR)/usr/lib/modules-load.d/lbd.conf
	install -m 644 packaging/systemd/lbd.modprobe $(DESTDIR)/lib/modprobe.d/lbd.conf
	install -m 644 packaging/completion/lbctl.bash $(DESTDIR)/usr/share/bash-completion/completions/lbctl
	install -m 644 configs/*.yaml $(DESTDIR)/usr/share/doc/lbd/examples
	install -D -m 644 packaging/lbd.logrotate $(DESTDIR)/etc/logrotate.d/lbd
	install -D -m 755 -t $(DESTDIR)/usr/share/doc/lbd/examples/notify configs/notify/*
	install -D -m 755 -t $(DESTDIR)/usr/share/doc/lbd/examples/fence configs/fence/*
	for s in 1 5 7 8; do for m in packaging/man/*.$$s $(BUILD)/man/*.$$s; do \
	  [ ! -f $$m ] || install -m 644 $$m $(DESTDIR)/usr/share/man/man$$s; done; done

# Takes away what install puts there, and the folders that are empty then: of lbd alone, or with DESTDIR any. Configuration, state
# and users stay.
uninstall:
	$(Q)rm -rf $(BUILD)/there && $(MAKE) --no-print-directory install DESTDIR=$(abspath $(BUILD)/there) >/dev/null
	$(Q)cd $(BUILD)/there && find . -type f -exec rm -f '$(abspath $(or $(DESTDIR),/))/{}' ';'
	$(Q)cd $(BUILD)/there && find . -mindepth 1 -depth -type d $(if $(DESTDIR),,-path '*/lbd*') | while read -r d; do \
	  d=$(abspath $(or $(DESTDIR),/))/$$d; [ ! -d "$$d" ] || rmdir --ignore-fail-on-non-empty "$$d"; done
	$(Q)rm -rf $(BUILD)/there

# Manual pages that are made from the rows; the others stand in packaging/man.
docs: $(BIN)/lbctl
	$(Q)mkdir -p $(BUILD)/man
	$(Q)$(BIN)/lbctl doc man-lbctl >$(BUILD)/man/lbctl.1
	$(Q)$(BIN)/lbctl doc man-yaml >$(BUILD)/man/lbd.yaml.5

# ---- care of the house ------------------------------------------------------------------------------------
SOURCES  := $(shell git ls-files '*.c' '*.h' 2>/dev/null)
fmt:
	$(Q)clang-format-14 -i $(SOURCES)
fmt-check:
	$(Q)clang-format-14 --dry-run -Werror $(SOURCES) && echo 'fmt-check: ok'
deps-check:
	$(Q)packaging/deps-check
size-check:
	$(Q)packaging/size-check
units-check: all
	$(Q)packaging/units-check $(BUILD)
header-check:
	$(Q)for h in $$(git ls-files 'common/*.h' 'lb*.h'); do $(CC) $(filter-out -MMD -MP,$(CPPFLAGS)) -std=gnu11 $(WARN) -iquote $$(dirname $$h) -iquote $${h%%/*} -fsyntax-only -include $$h -x c /dev/null || exit 1; done; echo 'header-check: ok'
lint: fmt-check deps-check header-check
	$(Q)BUILD=$(BUILD) CPPFLAGS='$(filter-out -MMD -MP,$(CPPFLAGS)) $(PROGRAMS:%=-iquote %)' packaging/lint

clean:
	$(Q)rm -rf build build-*

-include $(shell find $(BUILD) -name '*.d' -type f 2>/dev/null)
.PHONY: all clean demo check check-unit check-system check-kernel check-systemd check-web check-golden check-fuzz fuzz bench install uninstall docs fmt fmt-check \
        deps-check size-check units-check header-check lint
.DELETE_ON_ERROR:
