/* cli_generate.c: `cai generate --prompt TEXT`. */
#include <stdio.h>
#include <string.h>

#include "cli_commands.h"

struct output {
    struct cli *cli;
    struct cai_node *node;
    size_t streamed; /* bytes */
};

static void on_event(void *arg, struct cai_event *e)
{
    struct output *out = arg;

    if (e->kind == CAI_EVENT_TEXT && !out->cli->json) {
        cli_print_text(e->text, e->text_len);
        fflush(stdout);
        out->streamed += e->text_len;
    } else if (e->kind == CAI_EVENT_GENERATED) {
        cai_node_free(out->node);
        out->node = e->node;
        e->node = NULL;
    }
}

static void print_result(const struct output *out)
{
    const struct cai_node *n = out->node;
    cJSON *doc;
    char seed[32];

    if (!out->cli->json) {
        putchar('\n');
        fflush(stdout);
        fprintf(stderr, "%zu tokens, %s, %.1f tok/s\n", n->n_tokens,
                cai_finish_name(n->finish), n->tok_per_s);
        return;
    }
    doc = cJSON_CreateObject();
    cJSON_AddStringToObject(doc, "text", n->text);
    cJSON_AddNumberToObject(doc, "tokens", (double)n->n_tokens);
    cJSON_AddStringToObject(doc, "finish", cai_finish_name(n->finish));
    snprintf(seed, sizeof seed, "%llu", (unsigned long long)n->settings.seed);
    cJSON_AddRawToObject(doc, "seed", seed);
    cJSON_AddNumberToObject(doc, "tok_per_s", n->tok_per_s);
    cli_print_json(doc);
}

int cli_generate(struct cli *cli, int argc, char **argv)
{
    struct cai_chain_settings defaults;
    struct cai_generate_job job = {0};
    struct cai_inbox *inbox = NULL;
    struct cai_engine *e = NULL;
    struct output out = {.cli = cli};
    int code = CLI_FAILED;
    uint64_t id;

    cai_chain_settings_default(&defaults);
    job.sampling = defaults.sampling;
    {
        const struct cli_option options[] = {
            {"prompt", "TEXT", CLI_STRING, (void *)&job.prompt, "what the user says"},
            {"system", "TEXT", CLI_STRING, (void *)&job.system, "the system turn (none)"},
            {"temp", "T", CLI_DOUBLE, &job.sampling.temperature,
             "temperature; 0 is greedy"},
            {"top-k", "K", CLI_INT, &job.sampling.top_k,
             "keep the K likeliest; 0 is off"},
            {"top-p", "P", CLI_DOUBLE, &job.sampling.top_p, "keep mass P; 1 is off"},
            {"min-p", "P", CLI_DOUBLE, &job.sampling.min_p,
             "keep P of the best; 0 is off"},
            {"max-tokens", "N", CLI_INT, &job.sampling.max_tokens, "stop after N tokens"},
            {"guidance", "G", CLI_DOUBLE, &job.guidance, "l = l_a + G (l_a - l_b)"},
            {"with", "TEXT", CLI_STRING, (void *)&job.with, "system turn of context a"},
            {"without", "TEXT", CLI_STRING, (void *)&job.without,
             "system turn of context b"},
            {NULL, NULL, CLI_FLAG, NULL, NULL},
        };
        argc = cli_parse(cli, cli_find("generate"), options, argc, argv);
    }
    if (argc < 0)
        return argc == -1 ? CLI_OK : CLI_USAGE;
    if (argc != 0 || !job.prompt) {
        fputs("cai generate: give the prompt with --prompt TEXT\n", stderr);
        return CLI_USAGE;
    }
    job.seed = cli->seed;
    job.stream = !cli->json;
    inbox = cai_inbox_new();
    if (!inbox || cli_open_engine(cli, NULL, inbox, &e) != CAI_OK)
        goto fail;
    id = cai_engine_generate(e, &job, cli->err, sizeof cli->err);
    if (!id || cli_wait_job(cli, inbox, id, on_event, &out) != CAI_OK || !out.node)
        goto fail;
    print_result(&out);
    code = CLI_OK;
    goto out;
fail:
    if (out.streamed) {
        putchar('\n');
        fflush(stdout);
    }
    cli_fail("generate", cli->err);
out:
    cai_node_free(out.node);
    cai_engine_close(e);
    cai_inbox_free(inbox);
    return code;
}
