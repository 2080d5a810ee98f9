/*
 * tool_chains.c: runs a set of prompts as chains of one engine, all at once, and prints a
 * JSON line per chain; what tests/tune.py measures defaults with.
 *
 * Usage: tool_chains MODEL CONSTITUTION FEWSHOTS_DIR key=value... <prompts
 * Prompts: one JSON object with "id" and "prompt" per line. Keys: layout, fewshots, g
 * (INITIAL,CRITIQUE,REVISION), against, temp, top_p, max_tokens, steps, seed.
 */
#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cai.h"

enum { MAX_CHAINS = 512, LINE_MAX_BYTES = 1 << 16 };

struct one {
    char *id;
    uint64_t job;
    cJSON *nodes;
    char *error;
    int done;
};

static struct one chains[MAX_CHAINS];
static size_t n_chains;

static int set(struct cai_chain_settings *s, int *steps, const char *arg)
{
    const char *v = strchr(arg, '=');
    size_t n = v ? (size_t)(v - arg) : 0;

    if (!v++ || n == 0)
        return 0;
    if (strncmp(arg, "layout", n) == 0)
        s->layout = strcmp(v, "paper") == 0 ? CAI_LAYOUT_PAPER : CAI_LAYOUT_CHAT;
    else if (strncmp(arg, "fewshots", n) == 0)
        snprintf(s->fewshots, sizeof s->fewshots, "%s", strcmp(v, "none") == 0 ? "" : v);
    else if (strncmp(arg, "against", n) == 0)
        s->against =
            strcmp(v, "nothing") == 0 ? CAI_AGAINST_NOTHING : CAI_AGAINST_OPPOSITE;
    else if (strncmp(arg, "temp", n) == 0)
        s->sampling.temperature = strtod(v, NULL);
    else if (strncmp(arg, "top_p", n) == 0)
        s->sampling.top_p = strtod(v, NULL);
    else if (strncmp(arg, "max_tokens", n) == 0)
        s->sampling.max_tokens = (int)strtol(v, NULL, 10);
    else if (strncmp(arg, "steps", n) == 0)
        *steps = (int)strtol(v, NULL, 10);
    else if (strncmp(arg, "seed", n) == 0)
        s->seed = strtoull(v, NULL, 10);
    else if (strncmp(arg, "g", n) == 0)
        return sscanf(v, "%lf,%lf,%lf", s->guidance, s->guidance + 1, s->guidance + 2) ==
               3;
    else
        return 0;
    return 1;
}

static void add_node(struct one *c, const struct cai_node *n)
{
    cJSON *o = cJSON_CreateObject();

    cJSON_AddStringToObject(o, "kind", cai_node_kind_name(n->kind));
    cJSON_AddStringToObject(o, "principle", n->principle);
    cJSON_AddStringToObject(o, "text", n->text);
    cJSON_AddStringToObject(o, "finish", cai_finish_name(n->finish));
    cJSON_AddNumberToObject(o, "tokens", (double)n->n_tokens);
    cJSON_AddItemToArray(c->nodes, o);
}

static void print_chain(struct one *c)
{
    cJSON *o = cJSON_CreateObject();
    char *line;

    cJSON_AddStringToObject(o, "id", c->id);
    if (c->error)
        cJSON_AddStringToObject(o, "error", c->error);
    cJSON_AddItemToObject(o, "nodes", c->nodes);
    line = cJSON_PrintUnformatted(o);
    puts(line);
    cJSON_free(line);
    cJSON_Delete(o);
}

static void take_event(struct cai_event *e, size_t *n_done)
{
    for (size_t i = 0; i < n_chains; i++) {
        struct one *c = chains + i;
        if (c->job != e->job || c->done)
            continue;
        if (e->kind == CAI_EVENT_NODE)
            add_node(c, e->node);
        if (e->kind != CAI_EVENT_JOB)
            return;
        if (e->status != CAI_OK)
            c->error = strdup(e->message);
        c->done = 1;
        (*n_done)++;
        return;
    }
}

int main(int argc, char **argv)
{
    struct cai_chain_job job = {.make_initial = 1, .n_steps = 1, .background = 1};
    struct cai_constitution *constitution = NULL;
    struct cai_engine_options opts = {0};
    struct cai_inbox *inbox;
    struct cai_engine *e = NULL;
    static char line[LINE_MAX_BYTES];
    char err[512];
    size_t n_done = 0;

    if (argc < 4) {
        fputs(
            "usage: tool_chains MODEL CONSTITUTION FEWSHOTS_DIR key=value... <prompts\n",
            stderr);
        return 2;
    }
    cai_init();
    cai_chain_settings_default(&job.settings);
    for (int i = 4; i < argc; i++)
        if (!set(&job.settings, &job.n_steps, argv[i])) {
            fprintf(stderr, "tool_chains: %s?\n", argv[i]);
            return 2;
        }
    opts.model = argv[1];
    inbox = cai_inbox_new();
    if (!inbox ||
        cai_constitution_load(&constitution, argv[2], err, sizeof err) != CAI_OK ||
        cai_engine_open(&e, inbox, &opts, err, sizeof err) != CAI_OK) {
        fprintf(stderr, "tool_chains: %s\n", err);
        return 1;
    }
    job.constitution = constitution;
    job.fewshots_dir = argv[3];
    while (n_chains < MAX_CHAINS && fgets(line, sizeof line, stdin)) {
        cJSON *p = cJSON_Parse(line);
        const cJSON *id = cJSON_GetObjectItemCaseSensitive(p, "id");
        const cJSON *prompt = cJSON_GetObjectItemCaseSensitive(p, "prompt");
        if (cJSON_IsString(id) && cJSON_IsString(prompt)) {
            struct one *c = chains + n_chains++;
            job.prompt = prompt->valuestring;
            job.chain = (uint32_t)n_chains;
            c->id = strdup(id->valuestring);
            c->nodes = cJSON_CreateArray();
            c->job = cai_engine_run_chain(e, &job, err, sizeof err);
            if (!c->job) {
                c->error = strdup(err);
                c->done = 1;
                n_done++;
            }
        }
        cJSON_Delete(p);
    }
    while (n_done < n_chains) {
        struct cai_event event;
        if (!cai_inbox_take(inbox, &event)) {
            cai_inbox_wait(inbox, -1);
            continue;
        }
        if (event.kind == CAI_EVENT_MODEL && event.status != CAI_OK) {
            fprintf(stderr, "tool_chains: %s\n", event.message);
            return 1;
        }
        take_event(&event, &n_done);
        cai_event_clear(&event);
    }
    for (size_t i = 0; i < n_chains; i++)
        print_chain(chains + i);
    cai_engine_close(e);
    cai_inbox_free(inbox);
    cai_constitution_free(constitution);
    return 0;
}
