/* cli_tokenize.c: `cai tokenize FILE`. */
#include <stdio.h>
#include <stdlib.h>

#include "cli.h"
#include "cli_commands.h"

int cli_tokenize(struct cli *cli, int argc, char **argv)
{
    static const struct cli_option options[] = {{NULL, NULL, CLI_FLAG, NULL, NULL}};
    struct cai_model *m = NULL;
    int32_t *ids = NULL;
    char *text = NULL;
    size_t len = 0, n = 0;
    int code = CLI_FAILED;

    argc = cli_parse(cli, cli_find("tokenize"), options, argc, argv);
    if (argc < 0)
        return argc == -1 ? CLI_OK : CLI_USAGE;
    if (argc != 1) {
        fputs("cai tokenize: give one FILE (- for standard input)\n", stderr);
        return CLI_USAGE;
    }
    text = cli_read_file(argv[0], &len, cli->err, sizeof cli->err);
    if (!text || cli_open_model(cli, NULL, 1, &m) != CAI_OK ||
        cai_tokenize(m, text, len, &ids, &n, cli->err, sizeof cli->err) != CAI_OK) {
        cli_fail("tokenize", cli->err);
        goto out;
    }
    if (cli->json) {
        cJSON *doc = cJSON_CreateObject(), *list = cJSON_AddArrayToObject(doc, "tokens");
        for (size_t i = 0; i < n; i++)
            cJSON_AddItemToArray(list, cli_token_json(m, ids[i]));
        cli_print_json(doc);
    } else {
        for (size_t i = 0; i < n; i++) {
            size_t piece_len;
            const char *piece = cai_token_piece(m, ids[i], &piece_len);
            printf("%6d  ", (int)ids[i]);
            cli_print_escaped(piece, piece_len);
            putchar('\n');
        }
    }
    code = CLI_OK;
out:
    cai_free(ids);
    cai_model_close(m);
    free(text);
    return code;
}
