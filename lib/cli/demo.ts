import { getAvailablePort } from "@std/net";
import { join } from "@std/path";
import type { Config } from "../config/config.ts";
import { buildConf } from "./build.ts";
import type { Context } from "./context.ts";
import { EXIT_CODES, type ExitCode } from "./exit_code.ts";
import { loadConfig } from "./load_config.ts";
import { eventLog } from "./log_format.ts";
import type { OptionValues } from "./options.ts";
import { serveConfig } from "./serve.ts";

/** The address of the demonstration: reachable from this machine only. */
const ADDRESS = "127.0.0.1";

/** The conf of the demonstration: one target on loopback, for every initiator. */
function exampleConf(storage: string, port: number): string {
  return `# Made by "iscsi demo", which removes it at its end.
storage=${storage}
port=${port}
networks=127.0.0.0/8

[xenserver]
size=750GB 500MB
comment=An example with two disks
`;
}

/**
 * `iscsi demo`: builds and serves an example in a scratch folder, on loopback and without root, and prints how to
 * connect. It removes the folder at its end.
 */
export async function demo(context: Context, options: OptionValues): Promise<ExitCode> {
  const folder = await Deno.makeTempDir({ prefix: "iscsi-demo-" });
  try {
    const conf = join(folder, "iscsi.conf");
    Deno.writeTextFileSync(conf, exampleConf(join(folder, "storage"), getAvailablePort()));
    const built = await buildConf(context, { ...options, conf }, { isServedNext: true });
    const { config } = loadConfig(conf, context);
    if (built !== EXIT_CODES.done.code || config === undefined) return built;
    const onReady = (): void => context.stdout.write(instructions(config));
    return await serveConfig(config, context, {
      log: eventLog(context, options),
      onReady,
      endsWithTerminal: true,
    });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function instructions({ file, port, targets }: Config): string {
  const portal = `${ADDRESS}:${port}`;
  const url = `iscsi://${portal}/${targets[0]!.iscsiName}/1`;
  return `ready

Connect from another terminal, as any user (Debian: libiscsi-bin, qemu-utils and
qemu-block-extra):
  iscsi-ls -s iscsi://${portal}
  qemu-img info ${url}
  qemu-io -f raw -c "write -P 7 0 1M" -c "read -P 7 0 1M" \\
    ${url}
or as root with open-iscsi:
  iscsiadm -m discovery -t sendtargets -p ${portal}
  iscsiadm -m node -T ${targets[0]!.iscsiName} -p ${portal} --login

Watch sessions and traffic ("deno task iscsi" instead of "iscsi" from source):
  iscsi status --watch --conf ${file}

Ctrl-C ends the demonstration and removes its files.
`;
}
