/* cli_commands.h: the functions behind the table of commands, and what they share. */
#ifndef TUI_CLI_COMMANDS_H
#define TUI_CLI_COMMANDS_H

#include "cli.h"

int cli_tokenize(struct cli *cli, int argc, char **argv);
int cli_score(struct cli *cli, int argc, char **argv);
int cli_generate(struct cli *cli, int argc, char **argv);
int cli_chain(struct cli *cli, int argc, char **argv);
int cli_constitution(struct cli *cli, int argc, char **argv);
int cli_replay(struct cli *cli, int argc, char **argv);
int cli_repair(struct cli *cli, int argc, char **argv);
int cli_bench(struct cli *cli, int argc, char **argv);

/* Path of a constitution: a path as it is, or the name of a shipped one ("harmless"). */
void cli_constitution_path(const struct cli *cli, const char *name,
                           char path[CONFIG_PATH_MAX]);
/* {"id":n,"piece":"..."}; bytes that are no character of their own, and NUL, become
 * U+FFFD. */
cJSON *cli_token_json(const struct cai_model *m, int32_t id);
/* For a terminal: control bytes and invalid UTF-8 as \xNN, newline as \n. */
void cli_print_escaped(const char *text, size_t len);
/* Text for a person: printed as it is to a file or pipe, control bytes escaped (newline
 * and tab kept) on a terminal, since a model's text must not steer it. */
void cli_print_text(const char *text, size_t len);

typedef void cli_event_fn(void *arg, struct cai_event *e);

/* Waits for the job and shows every event of it to on_event (may be NULL), which may take
 * e->node by setting it to NULL. Returns the status the job ended with; cli->err has its
 * message. */
enum cai_status cli_wait_job(struct cli *cli, struct cai_inbox *inbox, uint64_t job,
                             cli_event_fn *on_event, void *arg);

#endif
