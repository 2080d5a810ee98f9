# cai: build, set-up and tests. `make help` lists the targets.

B      ?= build
CC     ?= cc
PREFIX ?= /usr/local

VERSION := 0.1.0
DATA    := $(or $(XDG_DATA_HOME),$(HOME)/.local/share)/cai
MODEL   := $(DATA)/models/SmolLM2-135M-Instruct.Q4_1.gguf

WARN   := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wvla -Wstrict-prototypes
OPT    ?= -O2
CFLAGS += -std=c11 $(OPT) -g $(WARN) -fno-strict-aliasing -ffp-contract=off -fPIC \
          -D_GNU_SOURCE -DCAI_VERSION='"$(VERSION)"' -Iengine $(EXTRA_CFLAGS)
CFLAGS += $(if $(CI),-Werror)
LDLIBS := -lcjson -lcurl -lutf8proc -lcrypto -lz -lopenblas -lpthread -lm
TUILIB := -lncursesw -lreadline

ENGINE_SRC := $(wildcard engine/*/*.c)
TUI_SRC    := $(wildcard tui/*.c)
UNIT_SRC   := $(wildcard tests/unit_*.c)
TOOL_SRC   := $(wildcard tests/tool_*.c) $(wildcard tests/bench_*.c) $(wildcard tests/fuzz_*.c)

ENGINE_OBJ := $(ENGINE_SRC:%.c=$(B)/%.o)
TUI_OBJ    := $(TUI_SRC:%.c=$(B)/%.o)
UNIT_BIN   := $(UNIT_SRC:tests/%.c=$(B)/tests/%)
TOOL_BIN   := $(TOOL_SRC:tests/%.c=$(B)/tests/%)

.PHONY: all clean help
all: $(B)/cai $(B)/libcai.a

$(B)/libcai.a: $(ENGINE_OBJ)
	rm -f $@ && ar rcs $@ $^

$(B)/cai: $(TUI_OBJ) $(B)/libcai.a
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $(TUI_OBJ) $(B)/libcai.a $(TUILIB) $(LDLIBS)

$(B)/tests/%: tests/%.c $(B)/libcai.a
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -Itests -Itui -MMD -MP $(LDFLAGS) -o $@ $< $(B)/libcai.a -lcmocka $(LDLIBS)

# The instruction set of a kernel file is the file's own; everything else is baseline.
$(B)/engine/model/%_avx2.o:   CFLAGS += -mavx2 -mfma -mf16c
$(B)/engine/model/%_avx512.o: CFLAGS += -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx512vnni -mfma
$(B)/engine/model/kernel_%.o: OPT := -O3

$(B)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -MMD -MP -c -o $@ $<

clean:
	rm -rf build

-include $(ENGINE_OBJ:.o=.d) $(TUI_OBJ:.o=.d) $(wildcard $(B)/tests/*.d)
