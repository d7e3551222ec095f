/**
 * Runs the target in a cluster of two nodes, under load, and lets nodes and servers die:
 * `deno task cluster --rounds 20`. Prints a line for each round, a table, and the totals; ends with exit code 1 when
 * anything was lost. Where no nodes can be made it says so, which under CI is a failure.
 */
import { fromFileUrl } from "@std/path";
import { findMissing, runTool, type Tool } from "../support/tools.ts";
import { readClusterOptions } from "./_options.ts";

const TOOLS: readonly Tool[] = [
  ...["corosync", "pacemakerd", "crm_resource", "portblock", "iptables", "fuser"] as const,
  ...["ip", "mkfs.ext4", "xfs_io", "unshare"] as const,
];

const NAMESPACES = ["--net", "--mount", "--pid", "--uts", "--ipc"];

/** Returns why no nodes can be made here. */
async function findObstacle(): Promise<string | undefined> {
  const missing = findMissing(TOOLS);
  if (missing !== undefined) return missing;
  const { code, stderr } = await runTool("unshare", [...NAMESPACES, "--fork", "losetup", "--find"]);
  return code === 0 ? undefined : `cannot make namespaces and loop devices: ${stderr.trim()}; run it as root`;
}

async function main(): Promise<number> {
  const { seed } = readClusterOptions();
  const obstacle = await findObstacle();
  if (obstacle !== undefined) {
    console.log(`No cluster can run here: ${obstacle}`);
    const isCi = Deno.env.get("CI") !== undefined;
    console.log(`\n0 passed, ${isCi ? 1 : 0} failed`);
    return isCi ? 1 : 0;
  }
  console.log(`seed ${seed}, ${Deno.env.get("ISCSI_BINARY") ?? "the program from source"}`);
  const folder = Deno.makeTempDirSync({ prefix: "iscsi-cluster-" });
  // The daemons of Pacemaker have a user of their own.
  Deno.chmodSync(folder, 0o755);
  const code = await runInside(folder, seed);
  if (code === 1) console.log(`What the nodes logged is in ${folder}`);
  else Deno.removeSync(folder, { recursive: true });
  return code;
}

/** Runs the rest in namespaces; everything in them ends when this process does, for whatever reason. */
async function runInside(folder: string, seed: number): Promise<number> {
  const script = ["run", "--quiet", "--allow-all", fromFileUrl(new URL("inside.ts", import.meta.url))];
  const child = new Deno.Command("unshare", {
    args: [
      ...["--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", Deno.execPath(), ...script],
      ...Deno.args,
      `--seed=${seed}`,
    ],
    stdin: "piped",
    env: { CLUSTER_FOLDER: folder },
  }).spawn();
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    Deno.addSignalListener(signal, () => void child.stdin.close());
  }
  const { code } = await child.status;
  return code;
}

Deno.exit(await main());
