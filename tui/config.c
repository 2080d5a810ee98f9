/* config.c: see config.h. Read once at start, on the main thread. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEFAULT_MODEL "SmolLM2-135M-Instruct.Q4_1.gguf"

/* out = a + b; 0 (and out empty) when it does not fit. out may be a. */
static int join(char out[CONFIG_PATH_MAX], const char *a, const char *b)
{
    size_t n = strlen(a), m = strlen(b);

    if (n + m >= CONFIG_PATH_MAX) {
        out[0] = '\0';
        return 0;
    }
    memmove(out, a, n);
    memcpy(out + n, b, m + 1);
    return 1;
}

/* "$XDG_x/cai", or "$HOME/FALLBACK/cai". XDG: a relative path there is to be ignored. */
static int xdg_dir(char out[CONFIG_PATH_MAX], const char *xdg, const char *home,
                   const char *fallback)
{
    char base[CONFIG_PATH_MAX];

    if (xdg && xdg[0] == '/')
        return join(out, xdg, "/cai");
    return home && home[0] == '/' && join(base, home, fallback) &&
           join(out, base, "/cai");
}

int config_dirs_find(struct config_dirs *d, const char *exe, const char *home,
                     const char *xdg_config, const char *xdg_data, const char *xdg_state,
                     char *err, size_t errlen)
{
    char tree[CONFIG_PATH_MAX], probe[CONFIG_PATH_MAX];
    char *cut;

    memset(d, 0, sizeof *d);
    if (!xdg_dir(d->config, xdg_config, home, "/.config") ||
        !xdg_dir(d->data, xdg_data, home, "/.local/share") ||
        !xdg_dir(d->state, xdg_state, home, "/.local/state")) {
        snprintf(err, errlen, "HOME is not set to an absolute path; set it");
        return 0;
    }
    join(d->sessions, d->data, "/sessions");
    join(d->share, CAI_SHARE, "");
    /* TREE/build/cai: run from a build tree, which keeps its own sessions. */
    if (!join(tree, exe, "") || !(cut = strrchr(tree, '/')))
        return 1;
    *cut = '\0';
    if (!(cut = strrchr(tree, '/')))
        return 1;
    *cut = '\0';
    if (join(probe, tree, "/constitutions/harmless.json") && access(probe, R_OK) == 0) {
        join(d->share, tree, "");
        join(d->sessions, tree, "/sessions");
    } else if (join(probe, tree, "/share/cai/constitutions") &&
               access(probe, R_OK) == 0) {
        join(d->share, tree, "/share/cai"); /* an installation that was moved */
    }
    return 1;
}

static char *read_file(const char *path)
{
    enum { MAX = 1 << 20 };
    FILE *f = fopen(path, "re");
    char *text = f ? malloc(MAX + 1) : NULL;
    size_t n = text ? fread(text, 1, MAX + 1, f) : 0;

    if (f)
        fclose(f);
    if (n > MAX) {
        free(text);
        return NULL;
    }
    if (text)
        text[n] = '\0';
    return text;
}

/* Line of the first "key" in text, from 1. */
static int line_of(const char *text, const char *key)
{
    char quoted[128];
    const char *at;
    int line = 1;

    snprintf(quoted, sizeof quoted, "\"%s\"", key);
    at = strstr(text, quoted);
    for (const char *p = text; at && p < at; p++)
        line += *p == '\n';
    return line;
}

static void copy_string(char *dst, size_t size, const cJSON *v)
{
    if (cJSON_IsString(v))
        snprintf(dst, size, "%s", v->valuestring);
}

void config_load(struct config *c, const struct config_dirs *d)
{
    char path[CONFIG_PATH_MAX];
    char *text = NULL;
    const cJSON *item;
    cJSON *doc = NULL;

    memset(c, 0, sizeof *c);
    if (!join(path, d->config, "/config.json") || access(path, F_OK) != 0)
        return;
    text = read_file(path);
    doc = text ? cJSON_Parse(text) : NULL;
    if (!cJSON_IsObject(doc)) {
        snprintf(c->warning, sizeof c->warning,
                 "%.300s: not a JSON object; using the defaults", path);
        goto out;
    }
    cJSON_ArrayForEach(item, doc)
    {
        if (strcmp(item->string, "model") == 0)
            copy_string(c->model, sizeof c->model, item);
        else if (strcmp(item->string, "author") == 0)
            copy_string(c->author, sizeof c->author, item);
        else if (strcmp(item->string, "keys") != 0)
            snprintf(c->warning, sizeof c->warning,
                     "%.300s: line %d: unknown key \"%.60s\"; known: author, keys, model",
                     path, line_of(text, item->string), item->string);
    }
    c->keys = cJSON_DetachItemFromObjectCaseSensitive(doc, "keys");
out:
    cJSON_Delete(doc);
    free(text);
}

int config_line_of(const struct config_dirs *d, const char *key)
{
    char path[CONFIG_PATH_MAX];
    char *text = join(path, d->config, "/config.json") ? read_file(path) : NULL;
    int line = text ? line_of(text, key) : 0;

    free(text);
    return line;
}

void config_free(struct config *c)
{
    cJSON_Delete(c->keys);
    c->keys = NULL;
}

void config_model_path(char path[CONFIG_PATH_MAX], const char *option,
                       const char *session, const struct config *c,
                       const struct config_dirs *d)
{
    const char *const order[] = {option, session, c->model};

    for (size_t i = 0; i < sizeof order / sizeof *order; i++)
        if (order[i] && order[i][0]) {
            join(path, order[i], "");
            return;
        }
    join(path, d->data, "/models/" DEFAULT_MODEL);
}
