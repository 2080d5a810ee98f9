/* cli_score.c: `cai score FILE`: log-probs of given text. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli_commands.h"

/* The tokens to score, the first n_prefix of them context only. */
struct scoring {
    int32_t *ids;
    size_t n, n_prefix;
    float *logprob; /* (n) nats */
};

static enum cai_status tokenize_apart(struct cli *cli, struct cai_model *m,
                                      const char *prefix, size_t prefix_len,
                                      const char *text, size_t len, struct scoring *s)
{
    int32_t *head = NULL, *tail = NULL;
    size_t n_head = 0, n_tail = 0;
    enum cai_status st;

    st = cai_tokenize(m, prefix, prefix_len, &head, &n_head, cli->err, sizeof cli->err);
    if (st == CAI_OK)
        st = cai_tokenize(m, text, len, &tail, &n_tail, cli->err, sizeof cli->err);
    s->ids = st == CAI_OK ? malloc((n_head + n_tail + 1) * sizeof *s->ids) : NULL;
    if (s->ids) {
        memcpy(s->ids, head, n_head * sizeof *head);
        memcpy(s->ids + n_head, tail, n_tail * sizeof *tail);
        s->n = n_head + n_tail;
        s->n_prefix = n_head;
    } else if (st == CAI_OK) {
        st = CAI_NOMEM;
        snprintf(cli->err, sizeof cli->err, "out of memory");
    }
    cai_free(head);
    cai_free(tail);
    return st;
}

/* Prefix and text as one string; a token across the border belongs to the text. */
static enum cai_status tokenize_joint(struct cli *cli, struct cai_model *m,
                                      const char *prefix, size_t prefix_len,
                                      const char *text, size_t len, struct scoring *s)
{
    char *both = malloc(prefix_len + len + 1);
    int32_t *ids = NULL;
    size_t n = 0, bytes = 0, piece;
    enum cai_status st;

    if (!both) {
        snprintf(cli->err, sizeof cli->err, "out of memory");
        return CAI_NOMEM;
    }
    memcpy(both, prefix, prefix_len);
    memcpy(both + prefix_len, text, len);
    st = cai_tokenize(m, both, prefix_len + len, &ids, &n, cli->err, sizeof cli->err);
    free(both);
    if (st != CAI_OK)
        return st;
    s->n_prefix = 0;
    for (size_t i = 0; i < n; i++) {
        cai_token_piece(m, ids[i], &piece);
        bytes += piece;
        if (bytes <= prefix_len)
            s->n_prefix = i + 1;
    }
    s->ids = malloc((n + 1) * sizeof *ids);
    if (s->ids)
        memcpy(s->ids, ids, n * sizeof *ids);
    s->n = n;
    cai_free(ids);
    return s->ids ? CAI_OK : CAI_NOMEM;
}

static void print_scores(struct cli *cli, struct cai_model *m, const struct scoring *s)
{
    cJSON *doc = cJSON_CreateObject(), *list = cJSON_AddArrayToObject(doc, "tokens");
    double sum = 0;
    size_t n_scored = 0;

    for (size_t i = s->n_prefix; i < s->n; i++) {
        int has = !isnan(s->logprob[i]);
        if (has) {
            sum += (double)s->logprob[i];
            n_scored++;
        }
        if (cli->json) {
            cJSON *token = cJSON_CreateObject();
            cJSON_AddNumberToObject(token, "id", s->ids[i]);
            cli_add_float(token, "logprob", (double)s->logprob[i]);
            cJSON_AddItemToArray(list, token);
        } else {
            size_t len;
            const char *piece = cai_token_piece(m, s->ids[i], &len);
            printf(has ? "%10.4f  " : "         -  ", (double)s->logprob[i]);
            cli_print_escaped(piece, len);
            putchar('\n');
        }
    }
    if (cli->json) {
        char text[40];
        snprintf(text, sizeof text, "%.17g", sum);
        cJSON_AddRawToObject(doc, "sum", text);
        cJSON_AddNumberToObject(doc, "n", (double)n_scored);
        cli_print_json(doc);
        return;
    }
    cJSON_Delete(doc);
    printf("sum %.4f nats over %zu tokens", sum, n_scored);
    if (n_scored)
        printf(", %.4f per token", sum / (double)n_scored);
    putchar('\n');
}

int cli_score(struct cli *cli, int argc, char **argv)
{
    const char *prefix_file = NULL;
    int joint = 0;
    const struct cli_option options[] = {
        {"prefix-file", "P", CLI_STRING, (void *)&prefix_file, "context before the text"},
        {"joint", NULL, CLI_FLAG, &joint, "tokenise prefix and text as one string"},
        {NULL, NULL, CLI_FLAG, NULL, NULL},
    };
    struct cai_model *m = NULL;
    struct scoring s = {0};
    char *prefix = NULL, *text = NULL;
    size_t prefix_len = 0, len = 0;
    int code = CLI_FAILED;
    enum cai_status st;

    argc = cli_parse(cli, cli_find("score"), options, argc, argv);
    if (argc < 0)
        return argc == -1 ? CLI_OK : CLI_USAGE;
    if (argc != 1) {
        fputs("cai score: give one FILE (- for standard input)\n", stderr);
        return CLI_USAGE;
    }
    text = cli_read_file(argv[0], &len, cli->err, sizeof cli->err);
    if (text && prefix_file)
        prefix = cli_read_file(prefix_file, &prefix_len, cli->err, sizeof cli->err);
    if (!text || (prefix_file && !prefix) || cli_open_model(cli, NULL, 0, &m) != CAI_OK)
        goto fail;
    st = (joint ? tokenize_joint : tokenize_apart)(cli, m, prefix ? prefix : "",
                                                   prefix_len, text, len, &s);
    if (st != CAI_OK)
        goto fail;
    s.logprob = malloc((s.n + 1) * sizeof *s.logprob);
    if (!s.logprob || (s.n && cai_score(m, s.ids, s.n, s.n_prefix, s.logprob, cli->err,
                                        sizeof cli->err) != CAI_OK))
        goto fail;
    print_scores(cli, m, &s);
    code = CLI_OK;
    goto out;
fail:
    cli_fail("score", cli->err[0] ? cli->err : "out of memory");
out:
    cai_model_close(m);
    free(s.ids);
    free(s.logprob);
    free(prefix);
    free(text);
    return code;
}
