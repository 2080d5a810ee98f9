/* cli_chain.c: `cai chain --prompt TEXT`: initial response, then critiques and revisions.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli_commands.h"

/* A growing chain: kept here without a session, in the session's journal with one. */
struct growing {
    struct cli *cli;
    struct cai_session *session; /* may be NULL */
    uint32_t chain;
    uint32_t last; /* id of the newest node: parent of the next */
    struct cai_node **nodes;
    size_t n_nodes, max_nodes;
    struct cai_engine *engine;
    uint64_t job;
    enum cai_status status; /* of the session */
    char err[CLI_ERR_MAX];
};

static void print_node(const struct cai_node *n)
{
    printf("%s", cai_node_kind_name(n->kind));
    if (*n->principle)
        printf("  [%s]", n->principle);
    printf("  %zu tokens, %s\n", n->n_tokens, cai_finish_name(n->finish));
    cli_print_text(n->text, strlen(n->text));
    fputs("\n\n", stdout);
    fflush(stdout);
}

static void on_event(void *arg, struct cai_event *e)
{
    struct growing *g = arg;
    struct cai_node *copy;

    if (e->kind != CAI_EVENT_NODE || g->n_nodes == g->max_nodes || g->status != CAI_OK)
        return;
    e->node->parent = g->last;
    e->node->id = g->last + 1;
    if (g->session) {
        copy = cai_node_dup(e->node);
        g->status = copy ? cai_session_add_node(g->session, g->chain, copy, &e->node->id,
                                                g->err, sizeof g->err)
                         : CAI_NOMEM;
        if (g->status == CAI_OK) /* what is printed is saved */
            g->status = cai_session_sync(g->session, g->err, sizeof g->err);
        if (g->status != CAI_OK) {
            cai_engine_cancel(g->engine, g->job);
            return;
        }
    }
    g->last = e->node->id;
    if (!g->cli->json)
        print_node(e->node);
    g->nodes[g->n_nodes++] = e->node;
    e->node = NULL;
}

static char *join_segments(const struct cai_segment *s, size_t n)
{
    size_t len = 0, at = 0;
    char *text;

    for (size_t i = 0; i < n; i++)
        len += strlen(s[i].text);
    text = malloc(len + 1);
    for (size_t i = 0; text && i < n; i++) {
        size_t m = strlen(s[i].text);
        memcpy(text + at, s[i].text, m);
        at += m;
    }
    if (text)
        text[at] = '\0';
    return text;
}

static cJSON *node_json(const struct cai_node *n)
{
    cJSON *o = cJSON_CreateObject();
    char *sent = join_segments(n->segments, n->n_segments);
    char seed[32];

    snprintf(seed, sizeof seed, "%llu", (unsigned long long)n->settings.seed);
    cJSON_AddNumberToObject(o, "id", n->id);
    cJSON_AddNumberToObject(o, "parent", n->parent);
    cJSON_AddStringToObject(o, "kind", cai_node_kind_name(n->kind));
    cJSON_AddStringToObject(o, "principle", n->principle);
    cJSON_AddStringToObject(o, "text", n->text);
    cJSON_AddStringToObject(o, "prompt_as_sent", sent ? sent : "");
    cJSON_AddRawToObject(o, "seed", seed);
    cJSON_AddNumberToObject(o, "tokens", (double)n->n_tokens);
    cJSON_AddStringToObject(o, "finish", cai_finish_name(n->finish));
    free(sent);
    return o;
}

/* Index of name among n names, or -1. */
static int choose(const char *name, const char *(*name_of)(int), int n)
{
    for (int i = 0; i < n; i++)
        if (strcmp(name, name_of(i)) == 0)
            return i;
    return -1;
}

static const char *layout_name(int i)
{
    return cai_layout_name((enum cai_layout)i);
}

static const char *against_name(int i)
{
    return cai_against_name((enum cai_against)i);
}

/* The chosen options as the user typed them; NULL when not given. */
struct arguments {
    const char *prompt, *constitution, *layout, *against, *fewshots, *principle, *guide;
    struct cli_strings guidance;
    int n_steps;
};

static const char *kind_name(int i)
{
    return cai_node_kind_name((enum cai_node_kind)i);
}

/* Numbers: one g, or one per node kind. Names: the node kinds that the one g guides
 * (revisions when none are named). */
static int parse_guidance(const struct cli_strings *list, double g[CAI_NODE_KINDS])
{
    int guided[CAI_NODE_KINDS] = {0}, n_named = 0, n_values = 0, kind;
    double values[CAI_NODE_KINDS];

    for (int i = 0; i < list->n; i++)
        for (const char *at = list->v[i], *end; at; at = *end ? end + 1 : NULL) {
            char item[32], *rest;
            end = strchrnul(at, ',');
            snprintf(item, sizeof item, "%.*s", (int)(end - at), at);
            if ((kind = choose(item, kind_name, CAI_NODE_KINDS)) >= 0) {
                guided[kind] = 1;
                n_named++;
                continue;
            }
            if (n_values == CAI_NODE_KINDS)
                return 0;
            values[n_values++] = strtod(item, &rest);
            if (rest == item || *rest)
                return 0;
        }
    if (n_values == CAI_NODE_KINDS && n_named == 0) {
        memcpy(g, values, sizeof values);
        return 1;
    }
    if (n_values > 1)
        return 0;
    guided[CAI_NODE_REVISION] |= n_named == 0;
    for (int i = 0; i < CAI_NODE_KINDS; i++)
        if (n_values == 1)
            g[i] = guided[i] ? values[0] : 0;
    return n_values == 1;
}

static int apply(const struct arguments *a, struct cai_chain_settings *s)
{
    struct cli_strings guidance = a->guidance;
    char usual[32];
    int v;

    snprintf(usual, sizeof usual, "%g", s->guidance[CAI_NODE_REVISION]);

    if (a->layout) {
        v = choose(a->layout, layout_name, CAI_LAYOUT_PAPER + 1);
        if (v < 0)
            return fprintf(stderr, "cai chain: --layout is chat or paper\n"), 0;
        s->layout = (enum cai_layout)v;
    }
    if (a->against) {
        v = strcmp(a->against, "none") == 0
                ? CAI_AGAINST_NOTHING
                : choose(a->against, against_name, CAI_AGAINST_NOTHING + 1);
        if (v < 0)
            return fprintf(stderr, "cai chain: --against is opposite or none\n"), 0;
        s->against = (enum cai_against)v;
    }
    if (a->guide) {
        if (guidance.n == 0)
            guidance.v[guidance.n++] = usual;
        if (guidance.n == CLI_STRINGS_MAX)
            return fprintf(stderr, "cai chain: --guide comes with one --guidance\n"), 0;
        guidance.v[guidance.n++] = a->guide;
    }
    if (guidance.n && !parse_guidance(&guidance, s->guidance))
        return fprintf(stderr,
                       "cai chain: --guidance is one number, three of them, or one "
                       "number and then names of initial,critique,revision\n"),
               0;
    if (a->fewshots)
        snprintf(s->fewshots, sizeof s->fewshots, "%s",
                 strcmp(a->fewshots, "none") == 0 ? "" : a->fewshots);
    if (a->principle)
        snprintf(s->principle, sizeof s->principle, "%s", a->principle);
    return 1;
}

static enum cai_status load_constitution(struct cli *cli, const char *name,
                                         struct cai_session *session,
                                         struct cai_constitution **dst)
{
    char path[CONFIG_PATH_MAX];

    if (!name && session && cai_session_constitution(session)) {
        *dst = cai_constitution_dup(cai_session_constitution(session));
        return *dst ? CAI_OK : CAI_NOMEM;
    }
    cli_constitution_path(cli, name ? name : "harmless", path);
    return cai_constitution_load(dst, path, cli->err, sizeof cli->err);
}

static void print_chain(const struct arguments *a, const struct growing *g)
{
    cJSON *doc = cJSON_CreateObject(), *list;

    cJSON_AddStringToObject(doc, "prompt", a->prompt);
    list = cJSON_AddArrayToObject(doc, "nodes");
    for (size_t i = 0; i < g->n_nodes; i++)
        cJSON_AddItemToArray(list, node_json(g->nodes[i]));
    cli_print_json(doc);
}

static int parse(struct cli *cli, int argc, char **argv, struct arguments *a,
                 struct cai_chain_settings *s)
{
    const struct cli_option options[] = {
        {"prompt", "TEXT", CLI_STRING, (void *)&a->prompt, "the (red-team) prompt"},
        {"constitution", "F", CLI_STRING, (void *)&a->constitution,
         "file or shipped name (harmless)"},
        {"steps", "N", CLI_INT, &a->n_steps, "critique and revision pairs (1)"},
        {"layout", "L", CLI_STRING, (void *)&a->layout, "chat or paper"},
        {"guidance", "G", CLI_STRINGS, &a->guidance,
         "g of revisions; again, with names: of initial,critique,revision"},
        {"guide", "KINDS", CLI_STRING, (void *)&a->guide,
         "what --guidance guides: of initial,critique,revision"},
        {"against", "X", CLI_STRING, (void *)&a->against, "opposite or none"},
        {"fewshots", "ID", CLI_STRING, (void *)&a->fewshots, "few-shot set, or none"},
        {"principle", "ID", CLI_STRING, (void *)&a->principle, "always this one (drawn)"},
        {"temp", "T", CLI_DOUBLE, &s->sampling.temperature, "temperature; 0 is greedy"},
        {"max-tokens", "N", CLI_INT, &s->sampling.max_tokens, "per node"},
        {NULL, NULL, CLI_FLAG, NULL, NULL},
    };
    return cli_parse(cli, cli_find("chain"), options, argc, argv);
}

int cli_chain(struct cli *cli, int argc, char **argv)
{
    struct arguments a = {.n_steps = 1};
    struct cai_chain_job job = {.make_initial = 1};
    struct cai_constitution *constitution = NULL;
    struct cai_inbox *inbox = NULL;
    struct growing g = {.cli = cli};
    char fewshots[CONFIG_PATH_MAX + 32];
    int code = CLI_FAILED;
    enum cai_status st;

    cai_chain_settings_default(&job.settings);
    argc = parse(cli, argc, argv, &a, &job.settings);
    if (argc < 0)
        return argc == -1 ? CLI_OK : CLI_USAGE;
    if (argc != 0 || !a.prompt) {
        fputs("cai chain: give the prompt with --prompt TEXT\n", stderr);
        return CLI_USAGE;
    }
    if (!apply(&a, &job.settings))
        return CLI_USAGE;
    job.settings.seed = cli->seed;
    g.max_nodes = 1 + 2 * (size_t)a.n_steps;
    g.nodes = calloc(g.max_nodes, sizeof *g.nodes);
    inbox = cai_inbox_new();
    if (!g.nodes || !inbox) {
        snprintf(cli->err, sizeof cli->err, "out of memory");
        goto fail;
    }
    /* The session has no inbox: nobody here waits for its acknowledgements one by one. */
    if (cli_open_session(cli, CAI_SESSION_WRITE, NULL, &g.session) != CAI_OK ||
        load_constitution(cli, a.constitution, g.session, &constitution) != CAI_OK)
        goto fail;
    if (g.session && (cai_session_set_constitution(g.session, constitution, cli->err,
                                                   sizeof cli->err) != CAI_OK ||
                      cai_session_add_chain(g.session, a.prompt, &g.chain, cli->err,
                                            sizeof cli->err) != CAI_OK))
        goto fail;
    if (cli_open_engine(cli, g.session ? cai_session_model(g.session) : NULL, inbox,
                        &g.engine) != CAI_OK)
        goto fail;
    snprintf(fewshots, sizeof fewshots, "%s/constitutions/fewshots", cli->dirs->share);
    job.fewshots_dir = fewshots;
    job.chain = g.chain;
    job.prompt = a.prompt;
    job.n_steps = a.n_steps;
    job.constitution = constitution;
    g.job = cai_engine_run_chain(g.engine, &job, cli->err, sizeof cli->err);
    st = g.job ? cli_wait_job(cli, inbox, g.job, on_event, &g) : CAI_INVALID;
    if (g.status != CAI_OK)
        snprintf(cli->err, sizeof cli->err, "%s", g.err);
    if (st != CAI_OK || g.status != CAI_OK)
        goto fail;
    if (cli->json)
        print_chain(&a, &g);
    code = CLI_OK;
    goto out;
fail:
    cli_fail("chain", cli->err);
out:
    cai_engine_close(g.engine);
    cai_session_close(g.session);
    cai_inbox_free(inbox);
    for (size_t i = 0; i < g.n_nodes; i++)
        cai_node_free(g.nodes[i]);
    free(g.nodes);
    cai_constitution_free(constitution);
    return code;
}
