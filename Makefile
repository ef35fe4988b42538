# lbd: one Makefile, wildcard sources per folder. make help lists the targets.
# Switches: DEBUG=1 ASAN=1 UBSAN=1 TSAN=1 COV=1 CC=clang-14; each set of sanitizers has a build folder of its own.
VERSION  := 0.1.0
PROGRAMS := lbd-proxy lbd-check lbd-ha lbd-web lbctl
V        ?= 0
Q        := $(if $(filter 1,$(V)),,@)
SAY       = $(if $(filter 1,$(V)),@:,@printf '  %-5s %s\n')

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

PKGS     := libevent_core libevent_pthreads openssl sqlite3 yaml-0.1 jansson libnl-3.0 libnl-route-3.0 libnl-genl-3.0 libcares libxcrypt libxxhash libmicrohttpd
WARN     := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wcast-qual \
            -Wwrite-strings -Wvla -Wformat=2 -Werror
CPPFLAGS += -Icommon -D_GNU_SOURCE -DLBD_VERSION='"$(VERSION)"' -MMD -MP $(if $(SAN)$(DEBUG),,-D_FORTIFY_SOURCE=2) \
            $(shell pkg-config --cflags $(PKGS) 2>/dev/null)
CFLAGS   ?= -g $(if $(DEBUG),-O0,-O2)
CFLAGS   += -std=gnu11 -fPIE -fno-omit-frame-pointer $(WARN) $(if $(SAN),-fsanitize=$(subst $(space),$(comma),$(SAN)) -fno-sanitize-recover=all,-fstack-protector-strong -fstack-clash-protection -fcf-protection) $(if $(COV),--coverage)
LDFLAGS  += -pie -Wl,-z,relro,-z,now $(if $(SAN),-fsanitize=$(subst $(space),$(comma),$(SAN))) $(if $(COV),--coverage)
LIB_lib  := -levent_core -levent_pthreads -lsqlite3 -lyaml -ljansson -lnl-3 -lnl-route-3 -lcares -lcrypt -lcrypto -lpthread
LIB_lbd-proxy := -lxxhash
LIB_lbd-web   := -lmicrohttpd -lssl -lgnutls
LIB_lbd-check :=
LIB_lbd-ha    :=
LIB_lbctl     :=

SRC_lib  := $(wildcard common/*/*.c)
OBJ_lib  := $(SRC_lib:%.c=$(BUILD)/%.o)
LIB      := $(BUILD)/liblbd.a

all: $(PROGRAMS:%=$(BIN)/%)

$(BUILD)/%.o: %.c
	$(Q)mkdir -p $(@D)
	$(SAY) CC $<
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<

$(LIB): $(OBJ_lib)
	$(Q)rm -f $@
	$(Q)ar rcs $@ $^

# One program: its folder's sources (rooms below it too); all but main.c also as a library for unit tests.
define program
SRC_$(1) := $$(wildcard $(1)/*.c $(1)/*/*.c)
OBJ_$(1) := $$(SRC_$(1):%.c=$$(BUILD)/%.o)
$$(BUILD)/lib$(1).a: $$(filter-out %/main.o,$$(OBJ_$(1)))
	$$(Q)rm -f $$@
	$$(Q)ar rcs $$@ $$^
$$(BIN)/$(1): $$(OBJ_$(1)) $$(LIB)
	$$(Q)mkdir -p $$(@D)
	$$(SAY) LD $$@
	$$(Q)$$(CC) $$(LDFLAGS) -o $$@ $$(OBJ_$(1)) $$(LIB) $$(LIB_$(1)) $$(LIB_lib)
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
	$(Q)$(CC) $(LDFLAGS) -o $@ $< $(call unit_lib,$*) $(LIB) $(foreach p,$(PROGRAMS),$(if $(filter $(p)_%,$*),$(LIB_$(p)))) $(LIB_lib) -lcmocka
$(BUILD)/tests/unit/%.o: CPPFLAGS += -I.

check-unit: $(UNIT)
	$(Q)packaging/run-unit $(UNIT)

clean:
	$(Q)rm -rf build build-*

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
.PHONY: all clean check-unit
.DELETE_ON_ERROR:
