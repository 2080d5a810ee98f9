/* cli_replay.c: `cai replay SESSION`: every model node again, byte for byte. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cli_commands.h"

struct tally {
    size_t done, total, different, failed;
    struct timespec start;
};

static double elapsed_s(const struct tally *t)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)(now.tv_sec - t->start.tv_sec) +
           (double)(now.tv_nsec - t->start.tv_nsec) * 1e-9;
}

static int is_models(const struct cai_node *n)
{
    return !n->edited;
}

static void report(const struct cli *cli, const struct cai_chain *c,
                   const struct cai_node *n, enum cai_status st, size_t first_diff)
{
    const char *verdict = st != CAI_OK             ? "failed"
                          : first_diff == SIZE_MAX ? "identical"
                                                   : "differs";
    char name[32];

    snprintf(name, sizeof name, "c%u.%u", c->id, n->id);
    if (cli->json) {
        cJSON *doc = cJSON_CreateObject();
        cJSON_AddStringToObject(doc, "node", name);
        cJSON_AddStringToObject(doc, "result", verdict);
        if (st != CAI_OK)
            cJSON_AddStringToObject(doc, "error", cli->err);
        else if (first_diff != SIZE_MAX)
            cJSON_AddNumberToObject(doc, "first_byte", (double)first_diff);
        cli_print_json(doc);
    } else if (st != CAI_OK) {
        printf("%s: %s\n", name, cli->err);
    } else if (first_diff != SIZE_MAX) {
        printf("%s: differs at byte %zu of %zu\n", name, first_diff, strlen(n->raw));
    }
}

static void replay_all(struct cli *cli, struct cai_engine *e, struct cai_session *s,
                       struct tally *t)
{
    size_t n_chains = cai_session_info(s)->n_chains;

    for (size_t i = 0; i < n_chains; i++) {
        const struct cai_chain *c = cai_session_chain(s, i);
        for (size_t j = 0; j < c->n_nodes; j++) {
            size_t first_diff = SIZE_MAX;
            enum cai_status st;
            if (!is_models(c->nodes[j]))
                continue;
            st =
                cai_engine_replay(e, c->nodes[j], &first_diff, cli->err, sizeof cli->err);
            t->failed += st != CAI_OK;
            t->different += st == CAI_OK && first_diff != SIZE_MAX;
            t->done++;
            cli_progress("replay", t->done, t->total, elapsed_s(t));
            if (st != CAI_OK || first_diff != SIZE_MAX)
                cli_progress_end();
            report(cli, c, c->nodes[j], st, first_diff);
        }
    }
    cli_progress_end();
}

int cli_replay(struct cli *cli, int argc, char **argv)
{
    static const struct cli_option options[] = {{NULL, NULL, CLI_FLAG, NULL, NULL}};
    struct cai_inbox *inbox = NULL;
    struct cai_session *s = NULL;
    struct cai_engine *e = NULL;
    struct tally t = {0};
    int code = CLI_FAILED, damaged;

    argc = cli_parse(cli, cli_find("replay"), options, argc, argv);
    if (argc < 0)
        return argc == -1 ? CLI_OK : CLI_USAGE;
    if (argc != 1) {
        fputs("cai replay: give one session folder\n", stderr);
        return CLI_USAGE;
    }
    inbox = cai_inbox_new();
    if (!inbox ||
        cli_session_open(&s, argv[0], CAI_SESSION_READ, NULL, cli->err,
                         sizeof cli->err) != CAI_OK ||
        cli_open_engine(cli, cai_session_model(s), inbox, &e) != CAI_OK) {
        cli_fail("replay", cli->err);
        goto out;
    }
    for (size_t i = 0; i < cai_session_info(s)->n_chains; i++) {
        const struct cai_chain *c = cai_session_chain(s, i);
        for (size_t j = 0; j < c->n_nodes; j++)
            t.total += (size_t)is_models(c->nodes[j]);
    }
    clock_gettime(CLOCK_MONOTONIC, &t.start);
    replay_all(cli, e, s, &t);
    damaged = *cai_session_info(s)->warning != '\0'; /* also found while reading texts */
    if (damaged)
        cli_fail("replay", cai_session_info(s)->warning);
    if (t.different || t.failed)
        fprintf(stderr, "%zu of %zu nodes differ, %zu failed\n", t.different, t.total,
                t.failed);
    else if (!cli->json && !damaged)
        printf("identical (%zu nodes)\n", t.total);
    code = t.different || t.failed || damaged ? CLI_FAILED : CLI_OK;
out:
    cai_engine_close(e);
    cai_session_close(s);
    cai_inbox_free(inbox);
    return code;
}
