/* cli_bench.c: `cai bench`: engine speed on this machine. */
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "cli_commands.h"

int cli_bench(struct cli *cli, int argc, char **argv)
{
    const char *only = NULL;
    const struct cli_option options[] = {
        {"only", "NAME", CLI_STRING, (void *)&only, "one of tg128, pp512, score512"},
        {NULL, NULL, CLI_FLAG, NULL, NULL},
    };
    struct cai_bench_result r = {0};
    const struct cai_model_info *info;
    struct cai_model *m = NULL;
    struct rusage usage;
    int code = CLI_FAILED;

    argc = cli_parse(cli, cli_find("bench"), options, argc, argv);
    if (argc < 0)
        return argc == -1 ? CLI_OK : CLI_USAGE;
    if (argc != 0) {
        fputs("cai bench: takes no operands\n", stderr);
        return CLI_USAGE;
    }
    if (cli_open_model(cli, NULL, 0, &m) != CAI_OK ||
        cai_bench(m, only, &r, cli->err, sizeof cli->err) != CAI_OK) {
        cli_fail("bench", cli->err);
        goto out;
    }
    info = cai_model_info(m);
    const struct {
        const char *name, *what;
        double tok_per_s;
    } rows[] = {
        {"tg128", "decode, 128 tokens", r.tg128_tok_per_s},
        {"pp512", "prefill, 512 tokens", r.pp512_tok_per_s},
        {"score512", "log-probs at 512 positions", r.score512_tok_per_s},
    };
    getrusage(RUSAGE_SELF, &usage);
    if (cli->json) {
        cJSON *doc = cJSON_CreateObject();
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
            if (!only || strcmp(only, rows[i].name) == 0)
                cJSON_AddNumberToObject(doc, rows[i].name, rows[i].tok_per_s);
        cJSON_AddStringToObject(doc, "kernel", info->kernel);
        cJSON_AddNumberToObject(doc, "threads", info->n_threads);
        cJSON_AddNumberToObject(doc, "rss_peak_kib", (double)usage.ru_maxrss);
        cli_print_json(doc);
    } else {
        printf("%s, kernel %s, %d threads\n", info->name, info->kernel, info->n_threads);
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
            if (!only || strcmp(only, rows[i].name) == 0)
                printf("%-9s %-28s %8.1f tok/s\n", rows[i].name, rows[i].what,
                       rows[i].tok_per_s);
        printf("peak memory %ld MiB\n", usage.ru_maxrss / 1024);
    }
    code = CLI_OK;
out:
    cai_model_close(m);
    return code;
}
