/* cli_repair.c: `cai repair SESSION COPY`: what is undamaged of a session, elsewhere. */
#include <inttypes.h>
#include <stdio.h>

#include "cli_commands.h"

int cli_repair(struct cli *cli, int argc, char **argv)
{
    static const struct cli_option options[] = {{NULL, NULL, CLI_FLAG, NULL, NULL}};
    uint64_t n_kept = 0, n_lost = 0;

    argc = cli_parse(cli, cli_find("repair"), options, argc, argv);
    if (argc < 0)
        return argc == -1 ? CLI_OK : CLI_USAGE;
    if (argc != 2) {
        fputs("cai repair: give the damaged session and a new folder for the copy\n",
              stderr);
        return CLI_USAGE;
    }
    if (cai_session_repair(argv[0], argv[1], &n_kept, &n_lost, cli->err,
                           sizeof cli->err) != CAI_OK)
        return cli_fail("repair", cli->err);
    if (cli->json) {
        cJSON *doc = cJSON_CreateObject();
        cJSON_AddNumberToObject(doc, "kept", (double)n_kept);
        cJSON_AddNumberToObject(doc, "lost", (double)n_lost);
        cli_print_json(doc);
    } else {
        printf("%s: %" PRIu64 " events kept, %" PRIu64 " events or texts lost\n", argv[1],
               n_kept, n_lost);
    }
    return CLI_OK;
}
