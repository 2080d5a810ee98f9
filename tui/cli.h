/*
 * cli.h: the headless commands: option tables, common options, output rules.
 *
 * One document on stdout with --json (JSON Lines where a command reports per item), text
 * otherwise; progress and messages on stderr. Exit 0 fine, 1 failed or a negative answer,
 * 2 usage; a signal ends the process, so the shell sees 128 + n.
 */
#ifndef TUI_CLI_H
#define TUI_CLI_H

#include <cjson/cJSON.h>
#include <stddef.h>
#include <stdint.h>

#include "cai.h"
#include "config.h"

enum { CLI_OK = 0, CLI_FAILED = 1, CLI_USAGE = 2 };
enum { CLI_ERR_MAX = 512 };

/* What main read from the environment and the common options. */
struct cli {
    const struct config_dirs *dirs;
    const struct config *config;
    const char *kernel; /* CAI_KERNEL or NULL */
    int json;
    int threads;               /* --threads; 0: all cores */
    const char *model;         /* --model, or NULL */
    const char *session;       /* --session, or NULL */
    const char *chat_template; /* --template, or NULL */
    uint64_t seed;
    int seed_given;
    const char *log; /* --log FILE, or NULL */
    char err[CLI_ERR_MAX];
};

/* CLI_STRINGS: may be given several times. */
enum cli_type { CLI_FLAG, CLI_STRING, CLI_STRINGS, CLI_INT, CLI_U64, CLI_DOUBLE };

enum { CLI_STRINGS_MAX = 4 };
struct cli_strings {
    const char *v[CLI_STRINGS_MAX];
    int n;
};

struct cli_option {
    const char *name; /* without the dashes */
    const char *arg;  /* what help calls the value; NULL for a flag */
    enum cli_type type;
    void *dst; /* int, const char *, struct cli_strings, int, uint64_t or double */
    const char *help;
};

struct cli_command {
    const char *name, *args, *summary;
    const char *examples; /* lines, indented by two */
    int (*run)(struct cli *cli, int argc, char **argv);
};

extern const struct cli_command cli_commands[]; /* ends with a NULL name */

/* Parses common options and `options` (ends with a NULL name) anywhere in argv; operands
 * are moved to argv[0..return-1]. --help prints and returns -1; a usage error prints and
 * returns -2. */
int cli_parse(struct cli *cli, const struct cli_command *cmd,
              const struct cli_option *options, int argc, char **argv);
const struct cli_command *cli_find(const char *name);
void cli_print_commands(void);

/* "cai score: MESSAGE" on stderr; returns CLI_FAILED. */
int cli_fail(const char *cmd, const char *message);

/* The model by the order option, session, config, default. A missing default model says
 * how to fetch it. */
enum cai_status cli_open_model(struct cli *cli, const char *session_model, int vocab_only,
                               struct cai_model **dst);
/* An engine with the model of that order. */
enum cai_status cli_open_engine(struct cli *cli, const char *session_model,
                                struct cai_inbox *inbox, struct cai_engine **dst);
void cli_model_options(const struct cli *cli, struct cai_model_options *opts);
void cli_model_path(const struct cli *cli, const char *session_model,
                    char path[CONFIG_PATH_MAX]);
/* cai_session_open() with what to do in the message. */
enum cai_status cli_session_open(struct cai_session **dst, const char *path,
                                 enum cai_session_mode mode, struct cai_inbox *inbox,
                                 char *err, size_t errlen);
/* Opens the session of --session, or none (*dst NULL). */
enum cai_status cli_open_session(struct cli *cli, enum cai_session_mode mode,
                                 struct cai_inbox *inbox, struct cai_session **dst);

/* Whole file ("-" is standard input); caller frees. */
char *cli_read_file(const char *path, size_t *len, char *err, size_t errlen);

/* Prints doc on one line and frees it. */
void cli_print_json(cJSON *doc);
/* Adds a float so that it reads back as the same float; NaN becomes null. */
void cli_add_float(cJSON *obj, const char *key, double value);

/* A progress line on stderr when it is a terminal: "label  12/90  34 tok/s  ETA 0:05". */
void cli_progress(const char *label, size_t done, size_t total, double seconds);
void cli_progress_end(void);

#endif
