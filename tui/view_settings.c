/*
 * view_settings.c: the settings pane: how links are made from now on. Rows are a table;
 * each change is stored in the session at once.
 */
#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "actions.h"

enum setting {
    SET_MODEL,
    SET_LAYOUT,
    SET_FEWSHOTS,
    SET_PRINCIPLE,
    SET_G_INITIAL,
    SET_G_CRITIQUE,
    SET_G_REVISION,
    SET_AGAINST,
    SET_TEMPERATURE,
    SET_TOP_K,
    SET_TOP_P,
    SET_MIN_P,
    SET_MAX_TOKENS,
    SET_SEED,
    SET_COUNT
};

static const struct {
    const char *name, *help;
    double min, max, by; /* of numbers; by 0: no number */
} rows[SET_COUNT] = {
    [SET_MODEL] = {"model", "a GGUF file; it is loaded at once", 0, 0, 0},
    [SET_LAYOUT] = {"layout",
                    "chat: messages through the model's template; paper: one transcript",
                    0, 0, 0},
    [SET_FEWSHOTS] = {"few-shots", "worked examples before the conversation", 0, 0, 0},
    [SET_PRINCIPLE] = {"next principle", "the one every step uses, or drawn at random", 0,
                       0, 0},
    [SET_G_INITIAL] = {"g of responses", "guidance of the first response", 0, 10, 0.5},
    [SET_G_CRITIQUE] = {"g of critiques", "guidance of critiques", 0, 10, 0.5},
    [SET_G_REVISION] = {"g of revisions",
                        "guidance of revisions; 0 samples as the paper does", 0, 10, 0.5},
    [SET_AGAINST] = {"against",
                     "what guidance pushes away from: the opposite, or no principle", 0,
                     0, 0},
    [SET_TEMPERATURE] = {"temperature", "0 always takes the likeliest token", 0, 4, 0.1},
    [SET_TOP_K] = {"top-k", "only the k likeliest tokens; 0: all", 0, 100000, 5},
    [SET_TOP_P] = {"top-p", "only the likeliest tokens of this total probability; 1: all",
                   0.01, 1, 0.05},
    [SET_MIN_P] = {"min-p",
                   "only tokens at least this likely, relative to the best; 0: all", 0, 1,
                   0.05},
    [SET_MAX_TOKENS] = {"max tokens", "longest text of one link", 1, 32768, 16},
    [SET_SEED] = {"seed", "the same seed and settings give the same bytes", 0,
                  9007199254740992.0, 1},
};

/* The number behind a row, or NULL: it is no double. */
static double *number(struct cai_chain_settings *s, enum setting i)
{
    switch (i) {
    case SET_G_INITIAL: return &s->guidance[CAI_NODE_INITIAL];
    case SET_G_CRITIQUE: return &s->guidance[CAI_NODE_CRITIQUE];
    case SET_G_REVISION: return &s->guidance[CAI_NODE_REVISION];
    case SET_TEMPERATURE: return &s->sampling.temperature;
    case SET_TOP_P: return &s->sampling.top_p;
    case SET_MIN_P: return &s->sampling.min_p;
    case SET_MODEL:
    case SET_LAYOUT:
    case SET_FEWSHOTS:
    case SET_PRINCIPLE:
    case SET_AGAINST:
    case SET_TOP_K:
    case SET_MAX_TOKENS:
    case SET_SEED:
    case SET_COUNT: break;
    }
    return NULL;
}

static double get_number(const struct cai_chain_settings *s, enum setting i)
{
    struct cai_chain_settings copy = *s;
    const double *d = number(&copy, i);

    return d                     ? *d
           : i == SET_TOP_K      ? s->sampling.top_k
           : i == SET_MAX_TOKENS ? s->sampling.max_tokens
                                 : (double)s->seed;
}

static void set_number(struct cai_chain_settings *s, enum setting i, double value)
{
    double *d = number(s, i);

    value = value < rows[i].min ? rows[i].min : value > rows[i].max ? rows[i].max : value;
    if (d)
        *d = round(value * 1000) / 1000;
    else if (i == SET_TOP_K)
        s->sampling.top_k = (int)value;
    else if (i == SET_MAX_TOKENS)
        s->sampling.max_tokens = (int)value;
    else
        s->seed = (uint64_t)value;
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

static void value_of(const struct app *app, enum setting i, char *out, size_t size)
{
    const struct cai_chain_settings *s = cai_session_settings(app->session);

    if (i == SET_MODEL)
        snprintf(out, size, "%s", base_name(app->model_path));
    else if (i == SET_LAYOUT)
        snprintf(out, size, "%s", cai_layout_name(s->layout));
    else if (i == SET_FEWSHOTS)
        snprintf(out, size, "%s", s->fewshots[0] ? s->fewshots : "none");
    else if (i == SET_PRINCIPLE)
        snprintf(out, size, "%s",
                 s->principle[0] ? chain_title_of(app, s->principle) : "drawn at random");
    else if (i == SET_AGAINST)
        snprintf(out, size, "%s", cai_against_name(s->against));
    else if (i == SET_SEED)
        snprintf(out, size, "%llu", (unsigned long long)s->seed);
    else
        snprintf(out, size, "%.6g", get_number(s, i));
}

unsigned settings_store(struct app *app, const struct cai_chain_settings *s)
{
    char err[CLI_ERR_MAX] = "";
    const char *reason = app_read_only(app);

    if (reason)
        return app_say(app, ROLE_WARN, "settings: %s", reason);
    if (cai_session_set_settings(app->session, s, err, sizeof err) != CAI_OK)
        return app_error(app, err);
    return FX_PAINT | FX_DATA;
}

unsigned settings_dial(struct app *app, double by)
{
    struct cai_chain_settings s = *cai_session_settings(app->session);
    unsigned fx;

    set_number(&s, SET_G_REVISION, s.guidance[CAI_NODE_REVISION] + by);
    fx = settings_store(app, &s);
    if (fx & FX_DATA)
        app_say(app, ROLE_TEXT, "g of revisions: %.3g", s.guidance[CAI_NODE_REVISION]);
    return fx;
}

unsigned settings_adjust(struct app *app, int dir)
{
    struct cai_chain_settings s = *cai_session_settings(app->session);
    enum setting i = (enum setting)app->settings.sel;

    if (rows[i].by > 0)
        set_number(&s, i, get_number(&s, i) + dir * rows[i].by);
    else if (i == SET_LAYOUT)
        s.layout = s.layout == CAI_LAYOUT_CHAT ? CAI_LAYOUT_PAPER : CAI_LAYOUT_CHAT;
    else if (i == SET_AGAINST)
        s.against = s.against == CAI_AGAINST_OPPOSITE ? CAI_AGAINST_NOTHING
                                                      : CAI_AGAINST_OPPOSITE;
    else
        return settings_enter(app);
    return settings_store(app, &s);
}

/* ---------------------------------------------------------------- choices */

static unsigned picked_principle(struct app *app, const char *value)
{
    struct cai_chain_settings s = *cai_session_settings(app->session);
    unsigned fx;

    snprintf(s.principle, sizeof s.principle, "%s", value);
    fx = settings_store(app, &s);
    if (fx & FX_DATA)
        app_say(app, ROLE_OK, "next step: %s",
                value[0] ? chain_title_of(app, value) : "a principle drawn at random");
    return fx;
}

unsigned settings_choose_principle(struct app *app)
{
    const struct cai_constitution *c = cai_session_constitution(app->session);

    choice_begin(app, "Principle of the next step", picked_principle);
    choice_add(app, "drawn at random", "by weight, with replacement", "");
    for (size_t i = 0; c && i < cai_constitution_count(c); i++) {
        const struct cai_principle *p = cai_constitution_get(c, i);
        if (p->enabled)
            choice_add(app, p->title[0] ? p->title : p->id, p->statement, p->id);
    }
    return choice_open(app, cai_session_settings(app->session)->principle);
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

/* What a file of a folder is, in a few words of the caller's buffer. */
typedef void describe_fn(const char *path, char *out, size_t size);

/* One row per file of a folder that ends in `ending`; value is the path, or without
 * `describe` the bare name. */
static void add_files(struct app *app, const char *dir, const char *ending,
                      describe_fn *describe)
{
    struct dirent **v = NULL;
    int n = scandir(dir, &v, NULL, by_name);
    size_t tail = strlen(ending);

    for (int i = 0; i < n; i++) {
        char value[2 * CONFIG_PATH_MAX], label[256], detail[128] = "";
        size_t len = strlen(v[i]->d_name);
        if (len > tail && strcmp(v[i]->d_name + len - tail, ending) == 0) {
            snprintf(label, sizeof label, "%.*s", (int)(len - tail), v[i]->d_name);
            snprintf(value, sizeof value, "%s/%s", dir, v[i]->d_name);
            if (describe)
                describe(value, detail, sizeof detail);
            choice_add(app, label, detail, describe ? value : label);
        }
        free(v[i]);
    }
    free(v);
}

static void describe_model(const char *path, char *out, size_t size)
{
    struct stat sb;

    if (stat(path, &sb) == 0)
        snprintf(out, size, "%.0f MB", (double)sb.st_size / 1e6);
}

static void describe_constitution(const char *path, char *out, size_t size)
{
    struct cai_constitution *c = NULL;
    char err[CLI_ERR_MAX];

    if (cai_constitution_load(&c, path, err, sizeof err) == CAI_OK)
        snprintf(out, size, "%.60s, %zu principle%s", cai_constitution_title(c),
                 cai_constitution_count(c), cai_constitution_count(c) == 1 ? "" : "s");
    else
        snprintf(out, size, "%s", err);
    cai_constitution_free(c);
}

static unsigned picked_fewshots(struct app *app, const char *value)
{
    struct cai_chain_settings s = *cai_session_settings(app->session);

    snprintf(s.fewshots, sizeof s.fewshots, "%s", value);
    return settings_store(app, &s);
}

static unsigned picked_model(struct app *app, const char *value)
{
    char err[CLI_ERR_MAX] = "";

    if (!app_read_only(app) &&
        cai_session_set_model(app->session, value, err, sizeof err) != CAI_OK)
        return app_error(app, err);
    return app_open_engine(app, value) | FX_DATA;
}

unsigned act_model(struct app *app)
{
    if (app->arg[0])
        return picked_model(app, app->arg);
    app->settings.sel = SET_MODEL;
    return settings_enter(app);
}

unsigned settings_enter(struct app *app)
{
    enum setting i = (enum setting)app->settings.sel;
    char dir[CONFIG_PATH_MAX + 64], value[CONFIG_PATH_MAX], label[64];

    switch (i) {
    case SET_MODEL:
        choice_begin(app, "Model", picked_model);
        snprintf(dir, sizeof dir, "%s/models", app->cli->dirs->data);
        add_files(app, dir, ".gguf", describe_model);
        if (app->choice.n == 0)
            return app_say(app, ROLE_WARN, "%s: no model there; :model FILE", dir);
        return choice_open(app, app->model_path);
    case SET_FEWSHOTS:
        choice_begin(app, "Few-shots", picked_fewshots);
        choice_add(app, "none", "", "");
        snprintf(dir, sizeof dir, "%s/constitutions/fewshots", app->cli->dirs->share);
        add_files(app, dir, ".json", NULL);
        return choice_open(app, cai_session_settings(app->session)->fewshots);
    case SET_PRINCIPLE: return settings_choose_principle(app);
    case SET_LAYOUT:
    case SET_AGAINST: return settings_adjust(app, 1);
    case SET_G_INITIAL:
    case SET_G_CRITIQUE:
    case SET_G_REVISION:
    case SET_TEMPERATURE:
    case SET_TOP_K:
    case SET_TOP_P:
    case SET_MIN_P:
    case SET_MAX_TOKENS:
    case SET_SEED:
    case SET_COUNT: break;
    }
    value_of(app, i, value, sizeof value);
    snprintf(label, sizeof label, "%s: ", rows[i].name);
    return ask(app, PROMPT_SETTING, label, value);
}

unsigned settings_set(struct app *app, const char *text)
{
    struct cai_chain_settings s = *cai_session_settings(app->session);
    enum setting i = (enum setting)app->settings.sel;
    char *end;
    double value;

    errno = 0;
    if (i == SET_SEED && text[0] >= '0' && text[0] <= '9') {
        s.seed = strtoull(text, &end, 10);
        if (!*end && errno == 0)
            return settings_store(app, &s);
    }
    value = strtod(text, &end);
    if (end == text || *end || !isfinite(value) || value < rows[i].min ||
        value > rows[i].max)
        return app_say(app, ROLE_ERROR, "%s: \"%.40s\" is not a number from %.6g to %.6g",
                       rows[i].name, text, rows[i].min, rows[i].max);
    set_number(&s, i, value);
    return settings_store(app, &s);
}

/* ---------------------------------------------------------------- constitutions */

static unsigned picked_constitution(struct app *app, const char *path)
{
    struct cai_constitution *c = NULL;
    char err[CLI_ERR_MAX] = "", said[128];

    if (cai_constitution_load(&c, path, err, sizeof err) != CAI_OK)
        return app_error(app, err);
    snprintf(said, sizeof said, "%.80s: the next step uses it",
             cai_constitution_title(c));
    app->constitution.list.sel = 0;
    return constitution_store(app, c, said);
}

unsigned act_choose_constitution(struct app *app)
{
    char dir[CONFIG_PATH_MAX + 64];

    if (app->arg[0])
        return picked_constitution(app, app->arg);
    choice_begin(app, "Constitution (u brings the old one back)", picked_constitution);
    snprintf(dir, sizeof dir, "%s/constitutions", app->cli->dirs->share);
    add_files(app, dir, ".json", describe_constitution);
    if (app->choice.n == 0)
        return app_say(app, ROLE_WARN, "%s: no constitution there", dir);
    return choice_open(app, "");
}

/* ---------------------------------------------------------------- paint */

void settings_paint(struct app *app, struct rect body)
{
    int w = body.w < 72 ? body.w : 72, h = SET_COUNT + 5;
    struct rect box, in;

    if (h > body.h)
        h = body.h;
    box = (struct rect){body.x + (body.w - w) / 2, body.y + (body.h - h) / 2, w, h};
    in = grid_box(&app->grid, box, ROLE_BORDER_FOCUS, "Settings");
    app->settings.n = SET_COUNT;
    list_layout(&app->settings, in.h - 2);
    for (int y = 0; y < in.h - 2; y++) {
        size_t i = app->settings.top + (size_t)y;
        struct rect line = {in.x - 1, in.y + y, in.w + 2, 1};
        char value[CONFIG_PATH_MAX];
        unsigned attrs = i == app->settings.sel ? ATTR_REVERSE : 0;
        if (i >= SET_COUNT)
            break;
        if (attrs)
            grid_fill(&app->grid, line, ROLE_TEXT, attrs);
        value_of(app, (enum setting)i, value, sizeof value);
        grid_str(&app->grid, line, 1, 0, ROLE_DIM, attrs, rows[i].name);
        grid_cut(&app->grid, line, 18, 0, ROLE_TEXT, attrs, value, strlen(value),
                 line.w - 19);
    }
    if (app->settings.sel < SET_COUNT)
        grid_cut(&app->grid, in, 0, in.h - 1, ROLE_DIM, 0, rows[app->settings.sel].help,
                 strlen(rows[app->settings.sel].help), in.w);
}
