import { getAvailablePort } from "@std/net";
import { join } from "@std/path";
import { statfsSync } from "node:fs";
import type { Config } from "../config/config.ts";
import { formatSize } from "../config/size.ts";
import { buildConf } from "./build.ts";
import type { Context } from "./context.ts";
import { EXIT_CODES, type ExitCode } from "./exit_code.ts";
import { Interruption } from "./interruption.ts";
import { invocation } from "./invocation.ts";
import { loadConfig } from "./load_config.ts";
import { eventLog } from "./log_format.ts";
import type { OptionValues } from "./options.ts";
import { serveConfig } from "./serve.ts";

/** The address of the demonstration: reachable from this machine only. */
const ADDRESS = "127.0.0.1";

const MEBIBYTE = 1024 ** 2;
const GIBIBYTE = 1024 ** 3;

/** The sizes of the two disks, largest first. */
const SIZES: readonly (readonly [number, number])[] = [
  [750 * GIBIBYTE, 500 * MEBIBYTE],
  [100 * GIBIBYTE, 500 * MEBIBYTE],
  [10 * GIBIBYTE, 500 * MEBIBYTE],
  [GIBIBYTE, 500 * MEBIBYTE],
  [64 * MEBIBYTE, 16 * MEBIBYTE],
];

/** Returns the largest sizes of the disks that fit into the available space, or the smallest. */
export function demoSizes(availableBytes: number): readonly [number, number] {
  return SIZES.find(([first, second]) => first + second <= availableBytes) ?? SIZES.at(-1)!;
}

/** The conf of the demonstration: one target on loopback, for every initiator. */
function exampleConf(storage: string, port: number, sizes: readonly number[]): string {
  return `# Made by "iscsi demo", which removes it at its end.
storage=${storage}
port=${port}
networks=127.0.0.0/8

[xenserver]
size=${sizes.map((size) => formatSize(size).replace(" ", "")).join(" ")}
comment=An example with two disks
`;
}

/**
 * `iscsi demo`: builds and serves an example in a scratch folder, on loopback and without root, and prints how to
 * connect. SIGINT, SIGTERM and SIGHUP end it, and it removes the folder.
 */
export async function demo(context: Context, options: OptionValues): Promise<ExitCode> {
  using interruption = new Interruption({ endsOnHangup: true });
  const { signal } = interruption;
  const folder = await Deno.makeTempDir({ prefix: "iscsi-demo-" });
  try {
    const { bavail, bsize } = statfsSync(folder);
    const conf = join(folder, "iscsi.conf");
    Deno.writeTextFileSync(
      conf,
      exampleConf(join(folder, "storage"), getAvailablePort(), demoSizes(bavail * bsize)),
    );
    const built = await buildConf(quietWithJson(context), { ...options, conf }, { isServedNext: true });
    const { config } = loadConfig(conf, context);
    if (built !== EXIT_CODES.done.code || config === undefined) return built;
    if (signal.aborted) return EXIT_CODES.interrupted.code;
    const onReady = (): void => {
      if (context.json === undefined) context.stdout.write(instructions(config, invocation()));
      else context.json.writeLine({ event: "ready", ...describe(config) });
    };
    const log = eventLog(context, options);
    // No other machine knows the scratch folder.
    return await serveConfig(config, context, { log, force: true, onReady, stop: signal });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Returns a context in which a command prints nothing to standard output, for a demonstration with `--json`. */
function quietWithJson(context: Context): Context {
  return context.json === undefined ? context : { ...context, stdout: { write: () => {} }, json: undefined };
}

/** Returns what a program needs to connect. */
function describe({ file, storage, port, targets }: Config): object {
  return { conf: file, storage, portal: `${ADDRESS}:${port}`, iscsiName: targets[0]!.iscsiName };
}

function instructions({ file, port, targets }: Config, program: string): string {
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

Watch sessions and traffic:
  ${program} status --watch --conf ${file}

Ctrl-C ends the demonstration and removes its files.
`;
}
