/* cli.c: see cli.h. Main thread. */
#include "cli.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"

enum { HELP_COLUMN = 26 };

static const char scripted[] = "scripted:";

static const struct cli_option *common_options(struct cli *cli, struct cli_option out[8])
{
    const struct cli_option list[] = {
        {"json", NULL, CLI_FLAG, &cli->json, "one JSON document on standard output"},
        {"model", "FILE", CLI_STRING, (void *)&cli->model, "model file (GGUF)"},
        {"threads", "N", CLI_INT, &cli->threads,
         "threads for the model (default: all cores)"},
        {"seed", "S", CLI_U64, &cli->seed, "seed of all random draws (default 0)"},
        {"session", "DIR", CLI_STRING, (void *)&cli->session,
         "session folder; made when absent"},
        {"template", "NAME", CLI_STRING, (void *)&cli->chat_template,
         "chat template family, when the file's is unknown"},
        {"log", "FILE", CLI_STRING, (void *)&cli->log, "append messages to FILE"},
        {NULL, NULL, CLI_FLAG, NULL, NULL},
    };
    memcpy(out, list, sizeof list);
    return out;
}

const struct cli_command *cli_find(const char *name)
{
    for (const struct cli_command *c = cli_commands; c->name; c++)
        if (strcmp(c->name, name) == 0)
            return c;
    return NULL;
}

void cli_print_commands(void)
{
    for (const struct cli_command *c = cli_commands; c->name; c++)
        printf("  %-14s %s\n", c->name, c->summary);
}

static void print_options(const struct cli_option *o)
{
    for (; o->name; o++) {
        int n = printf("  --%s%s%s", o->name, o->arg ? " " : "", o->arg ? o->arg : "");
        printf("%*s%s\n", n < HELP_COLUMN ? HELP_COLUMN - n : 1, "", o->help);
    }
}

static void print_help(const struct cli_command *cmd, const struct cli_option *own,
                       const struct cli_option *common)
{
    printf("usage: cai%s%s %s\n%s\n", *cmd->name ? " " : "", cmd->name,
           *cmd->args ? cmd->args : "[OPTIONS]", cmd->summary);
    if (own->name) {
        puts("\noptions:");
        print_options(own);
    }
    puts("\neverywhere:");
    print_options(common);
    printf("\nexamples:\n%s", cmd->examples);
}

static const struct cli_option *find_option(const struct cli_option *o, const char *name,
                                            size_t len)
{
    for (; o->name; o++)
        if (strlen(o->name) == len && memcmp(o->name, name, len) == 0)
            return o;
    return NULL;
}

/* 0 when the text is not a value of the option's type. */
static int store_value(const struct cli_option *o, const char *text)
{
    char *end = NULL;

    errno = 0;
    switch (o->type) {
    case CLI_FLAG: *(int *)o->dst = 1; return 1;
    case CLI_STRING: *(const char **)o->dst = text; return 1;
    case CLI_STRINGS: {
        struct cli_strings *list = o->dst;
        if (list->n == CLI_STRINGS_MAX)
            return 0;
        list->v[list->n++] = text;
        return 1;
    }
    case CLI_INT: {
        long v = strtol(text, &end, 10);
        *(int *)o->dst = (int)v;
        return end != text && !*end && !errno && v >= 0 && v <= 1000000;
    }
    case CLI_U64:
        *(uint64_t *)o->dst = strtoull(text, &end, 10);
        return end != text && !*end && !errno && text[0] != '-';
    case CLI_DOUBLE:
        *(double *)o->dst = strtod(text, &end);
        return end != text && !*end && isfinite(*(double *)o->dst);
    }
    return 0;
}

int cli_parse(struct cli *cli, const struct cli_command *cmd,
              const struct cli_option *options, int argc, char **argv)
{
    struct cli_option buffer[8];
    const struct cli_option *common = common_options(cli, buffer), *o;
    char shown[32];
    int n = 0, only_operands = 0;

    snprintf(shown, sizeof shown, "cai%s%.20s", *cmd->name ? " " : "", cmd->name);
    for (int i = 0; i < argc; i++) {
        const char *name = argv[i] + 2, *value;
        size_t len;
        if (only_operands || strncmp(argv[i], "--", 2) != 0) {
            argv[n++] = argv[i];
            continue;
        }
        if (!*name) {
            only_operands = 1;
            continue;
        }
        if (strcmp(name, "help") == 0) {
            print_help(cmd, options, common);
            return -1;
        }
        value = strchr(name, '=');
        len = value ? (size_t)(value++ - name) : strlen(name);
        o = find_option(options, name, len);
        if (!o)
            o = find_option(common, name, len);
        if (!o) {
            fprintf(stderr, "%s: no option --%.*s; try %s --help\n", shown, (int)len,
                    name, shown);
            return -2;
        }
        if (o->type != CLI_FLAG && !value)
            value = i + 1 < argc ? argv[++i] : NULL;
        if ((o->type != CLI_FLAG && !value) || (o->type == CLI_FLAG && value) ||
            !store_value(o, value)) {
            fprintf(stderr, "%s: --%s takes %s%s%s\n", shown, o->name,
                    o->arg ? o->arg : "no value", value ? ", not " : "",
                    value ? value : "");
            return -2;
        }
        if (o->dst == &cli->seed)
            cli->seed_given = 1;
    }
    if (cli->log && !log_open(cli->log, cli->err, sizeof cli->err)) {
        fprintf(stderr, "%s: %s\n", shown, cli->err);
        return -2;
    }
    log_line("cli", *cmd->name ? cmd->name : "workbench");
    return n;
}

int cli_fail(const char *cmd, const char *message)
{
    fprintf(stderr, "cai %s: %s\n", cmd, message);
    log_line(cmd, message);
    return CLI_FAILED;
}

void cli_model_options(const struct cli *cli, struct cai_model_options *opts)
{
    memset(opts, 0, sizeof *opts);
    opts->n_threads = cli->threads;
    opts->kernel = cli->kernel;
    opts->chat_template = cli->chat_template;
}

void cli_model_path(const struct cli *cli, const char *session_model,
                    char path[CONFIG_PATH_MAX])
{
    config_model_path(path, cli->model, session_model, cli->config, cli->dirs);
}

/* A model that is not there gets the sentence that says how to get one. */
static enum cai_status check_model(struct cli *cli, const char *path)
{
    size_t n = strncmp(path, scripted, strlen(scripted)) == 0 ? strlen(scripted) : 0;

    if (access(path + n, R_OK) == 0)
        return CAI_OK;
    snprintf(cli->err, sizeof cli->err,
             "%.400s: %s; name a file with --model, or `make model`", path,
             strerror(errno));
    return CAI_IO;
}

enum cai_status cli_open_model(struct cli *cli, const char *session_model, int vocab_only,
                               struct cai_model **dst)
{
    char path[CONFIG_PATH_MAX];
    struct cai_model_options opts;
    enum cai_status st;

    cli_model_options(cli, &opts);
    opts.vocab_only = vocab_only;
    cli_model_path(cli, session_model, path);
    *dst = NULL;
    st = check_model(cli, path);
    if (st == CAI_OK && strncmp(path, scripted, strlen(scripted)) == 0) {
        st = CAI_UNSUPPORTED;
        snprintf(cli->err, sizeof cli->err,
                 "%.400s: canned answers have no tokens; name a GGUF file with --model",
                 path);
    }
    if (st == CAI_OK)
        st = cai_model_open(dst, path, &opts, cli->err, sizeof cli->err);
    return st;
}

enum cai_status cli_open_engine(struct cli *cli, const char *session_model,
                                struct cai_inbox *inbox, struct cai_engine **dst)
{
    struct cai_engine_options opts = {0};
    char path[CONFIG_PATH_MAX];
    enum cai_status st;

    cli_model_path(cli, session_model, path);
    opts.model = path;
    cli_model_options(cli, &opts.model_options);
    st = check_model(cli, path);
    if (st == CAI_OK)
        st = cai_engine_open(dst, inbox, &opts, cli->err, sizeof cli->err);
    return st;
}

enum cai_status cli_session_open(struct cai_session **dst, const char *path,
                                 enum cai_session_mode mode, struct cai_inbox *inbox,
                                 char *err, size_t errlen)
{
    enum cai_status st = cai_session_open(dst, path, mode, inbox, err, errlen);
    const char *remedy = st == CAI_IO ? "; name another folder, or give access"
                         : st == CAI_CORRUPT || st == CAI_PARSE
                             ? ": `cai repair SESSION COPY`"
                             : "";
    size_t n = strlen(err);

    if (st != CAI_OK && n < errlen)
        snprintf(err + n, errlen - n, "%s", remedy);
    return st;
}

enum cai_status cli_open_session(struct cli *cli, enum cai_session_mode mode,
                                 struct cai_inbox *inbox, struct cai_session **dst)
{
    enum cai_status st;

    *dst = NULL;
    if (!cli->session)
        return CAI_OK;
    st = cli_session_open(dst, cli->session, mode, inbox, cli->err, sizeof cli->err);
    if (st == CAI_OK && *cai_session_info(*dst)->warning)
        fprintf(stderr, "cai: %s\n", cai_session_info(*dst)->warning);
    return st;
}

char *cli_read_file(const char *path, size_t *len, char *err, size_t errlen)
{
    const size_t max = (size_t)64 << 20;
    FILE *f = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
    size_t cap = 1 << 16, n = 0, got;
    char *text = f ? malloc(cap) : NULL, *grown;

    if (!f) {
        snprintf(err, errlen, "%.400s: %s; name another file", path, strerror(errno));
        return NULL;
    }
    while (text && (got = fread(text + n, 1, cap - n - 1, f)) > 0) {
        n += got;
        if (n + 1 < cap)
            continue;
        grown = cap < max ? realloc(text, cap *= 2) : NULL;
        if (!grown) {
            free(text);
            snprintf(err, errlen, "%.400s: larger than %zu MiB", path, max >> 20);
        }
        text = grown;
    }
    if (text && ferror(f)) {
        snprintf(err, errlen, "%.400s: %s", path, strerror(errno));
        free(text);
        text = NULL;
    }
    if (f != stdin)
        fclose(f);
    if (text) {
        text[n] = '\0';
        *len = n;
    }
    return text;
}

void cli_print_json(cJSON *doc)
{
    char *line = cJSON_PrintUnformatted(doc);
    if (line)
        puts(line);
    cJSON_free(line);
    cJSON_Delete(doc);
}

void cli_add_float(cJSON *obj, const char *key, double value)
{
    char text[40];

    if (!isfinite(value)) {
        cJSON_AddNullToObject(obj, key);
        return;
    }
    snprintf(text, sizeof text, "%.9g", value);
    cJSON_AddRawToObject(obj, key, text);
}

void cli_progress(const char *label, size_t done, size_t total, double seconds)
{
    double rate = seconds > 0 ? (double)done / seconds : 0;
    long eta_s =
        rate > 0 && total > done ? (long)((double)(total - done) / rate + 0.5) : 0;

    if (!isatty(STDERR_FILENO))
        return;
    fprintf(stderr, "\r%s  %zu/%zu  %.1f/s  ETA %ld:%02ld\033[K", label, done, total,
            rate, eta_s / 60, eta_s % 60);
}

void cli_progress_end(void)
{
    if (isatty(STDERR_FILENO))
        fprintf(stderr, "\r\033[K");
}
