/* cli_constitution.c: `cai constitution list|show|lint [F]`. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli_commands.h"

static int ends_with(const char *s, const char *end)
{
    size_t n = strlen(s), m = strlen(end);
    return n >= m && strcmp(s + n - m, end) == 0;
}

void cli_constitution_path(const struct cli *cli, const char *name,
                           char path[CONFIG_PATH_MAX])
{
    if (strchr(name, '/') || ends_with(name, ".json"))
        snprintf(path, CONFIG_PATH_MAX, "%s", name);
    else
        snprintf(path, CONFIG_PATH_MAX, "%.2000s/constitutions/%.1000s.json",
                 cli->dirs->share, name);
}

static int is_constitution(const struct dirent *entry)
{
    return ends_with(entry->d_name, ".json");
}

static int list(struct cli *cli)
{
    char dir[CONFIG_PATH_MAX], path[2 * CONFIG_PATH_MAX];
    struct dirent **entries = NULL;
    int n, code = CLI_OK;

    snprintf(dir, sizeof dir, "%.4000s/constitutions", cli->dirs->share);
    n = scandir(dir, &entries, is_constitution, alphasort);
    if (n < 0) {
        snprintf(cli->err, sizeof cli->err, "%.400s: no shipped constitutions there",
                 dir);
        return cli_fail("constitution", cli->err);
    }
    for (int i = 0; i < n; i++) {
        struct cai_constitution *c = NULL;
        snprintf(path, sizeof path, "%s/%s", dir, entries[i]->d_name);
        if (cai_constitution_load(&c, path, cli->err, sizeof cli->err) != CAI_OK) {
            code = cli_fail("constitution", cli->err);
        } else if (cli->json) {
            cJSON *doc = cJSON_CreateObject();
            cJSON_AddStringToObject(doc, "file", path);
            cJSON_AddStringToObject(doc, "title", cai_constitution_title(c));
            cJSON_AddNumberToObject(doc, "principles", (double)cai_constitution_count(c));
            cJSON_AddStringToObject(doc, "hash", cai_constitution_hash(c));
            cli_print_json(doc);
        } else {
            printf("%-22.*s %3zu principles  %.12s  %s\n",
                   (int)(strlen(entries[i]->d_name) - strlen(".json")),
                   entries[i]->d_name, cai_constitution_count(c),
                   cai_constitution_hash(c), cai_constitution_title(c));
        }
        cai_constitution_free(c);
        free(entries[i]);
    }
    free(entries);
    return code;
}

static int show(struct cli *cli, const struct cai_constitution *c)
{
    if (cli->json) {
        char *text = NULL;
        size_t len = 0;
        if (cai_constitution_write(c, &text, &len, cli->err, sizeof cli->err) != CAI_OK)
            return cli_fail("constitution", cli->err);
        cli_print_json(cJSON_Parse(text));
        cai_free(text);
        return CLI_OK;
    }
    printf("%s  (%s)\n", cai_constitution_title(c), cai_constitution_hash(c));
    for (size_t i = 0; i < cai_constitution_count(c); i++) {
        const struct cai_principle *p = cai_constitution_get(c, i);
        const struct {
            const char *label, *text;
        } rows[] = {
            {"statement", p->statement},
            {"opposite", p->opposite},
            {"critique request", p->critique_request},
            {"revision request", p->revision_request},
            {"preference question", p->preference_question},
        };
        printf("\n%zu. %s  [%s]%s  weight %g\n", i + 1, p->title, p->id,
               p->enabled ? "" : "  (disabled)", p->weight);
        for (size_t j = 0; j < sizeof rows / sizeof *rows; j++) {
            printf("   %-20s ", rows[j].label);
            cli_print_text(rows[j].text, strlen(rows[j].text));
            putchar('\n');
        }
    }
    return CLI_OK;
}

static int lint(struct cli *cli, const struct cai_constitution *c)
{
    struct cai_lint *problems = NULL;
    size_t n = 0;

    if (cai_constitution_lint(c, &problems, &n, cli->err, sizeof cli->err) != CAI_OK)
        return cli_fail("constitution", cli->err);
    for (size_t i = 0; i < n; i++) {
        const struct cai_lint *p = problems + i;
        if (cli->json) {
            cJSON *doc = cJSON_CreateObject();
            cJSON_AddStringToObject(doc, "rule", p->rule);
            cJSON_AddStringToObject(doc, "principle", p->principle);
            cJSON_AddNumberToObject(doc, "line", p->line);
            cJSON_AddStringToObject(doc, "message", p->message);
            cli_print_json(doc);
        } else if (p->line) {
            printf("line %d: %s%s%s  [%s]\n", p->line, p->principle,
                   *p->principle ? ": " : "", p->message, p->rule);
        } else {
            printf("%s%s%s  [%s]\n", p->principle, *p->principle ? ": " : "", p->message,
                   p->rule);
        }
    }
    cai_free(problems);
    if (!cli->json)
        fprintf(stderr, n ? "%zu problems\n" : "no problems\n", n);
    return n ? CLI_FAILED : CLI_OK;
}

int cli_constitution(struct cli *cli, int argc, char **argv)
{
    static const struct cli_option options[] = {{NULL, NULL, CLI_FLAG, NULL, NULL}};
    char path[CONFIG_PATH_MAX];
    struct cai_constitution *c = NULL;
    int code;

    argc = cli_parse(cli, cli_find("constitution"), options, argc, argv);
    if (argc < 0)
        return argc == -1 ? CLI_OK : CLI_USAGE;
    if (argc == 1 && strcmp(argv[0], "list") == 0)
        return list(cli);
    if (argc != 2 || (strcmp(argv[0], "show") != 0 && strcmp(argv[0], "lint") != 0)) {
        fputs("cai constitution: say list, show F or lint F\n", stderr);
        return CLI_USAGE;
    }
    cli_constitution_path(cli, argv[1], path);
    if (cai_constitution_load(&c, path, cli->err, sizeof cli->err) != CAI_OK)
        return cli_fail("constitution", cli->err);
    code = (argv[0][0] == 's' ? show : lint)(cli, c);
    cai_constitution_free(c);
    return code;
}
