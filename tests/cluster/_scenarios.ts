/** The events that a cluster exists for. */
import { delay } from "../../lib/base/delay.ts";
import type { Cluster } from "./_cluster.ts";
import { GROUP } from "./_cluster_conf.ts";
import type { Node } from "./_node.ts";
import type { Survival } from "./_records.ts";
import { findServers } from "./_storage_watch.ts";

/** Turns at 100 ms until the target must have moved or be there again. */
const TURNS_MAX = 900;
const TURN_MS = 100;

/** An event, as a round brings it about. The holder is the node that runs the target before. */
export interface Event {
  /** Brings it about, and waits until the target runs again. */
  readonly happen: (cluster: Cluster, holder: Node) => Promise<void>;
  /** Takes back what the event has left in the configuration of the cluster. */
  readonly restore?: (cluster: Cluster, holder: Node) => Promise<void>;
  /** The records that must survive it. */
  readonly survival: Survival;
  /** True when the other node has to kill the holder; otherwise no node may be killed. */
  readonly isFenced: boolean;
}

/** A kind of event; its rounds alternate between its variants. */
export interface Scenario {
  readonly name: string;
  readonly variants: readonly Event[];
}

const MOVE: Event = {
  happen: async (cluster, holder) => {
    await cluster.run(holder, "crm_resource", "--move", "--resource", GROUP);
    await untilMoved(cluster, holder);
  },
  restore: async (cluster, holder) =>
    void await cluster.run(holder, "crm_resource", "--clear", "--resource", GROUP),
  survival: "acknowledged",
  isFenced: false,
};

const STANDBY: Event = {
  happen: async (cluster, holder) => {
    await cluster.run(holder, "crm_standby", "--node", holder.name, "--update", "on");
    await untilMoved(cluster, holder);
  },
  restore: async (cluster, holder) =>
    void await cluster.run(holder, "crm_standby", "--node", holder.name, "--update", "off"),
  survival: "acknowledged",
  isFenced: false,
};

const SERVER_KILLED: Event = {
  happen: async (cluster, holder) => {
    const killed = findServers(holder);
    if (killed.length === 0) throw new Error(`No server runs on ${holder.name}`);
    for (const pid of killed) Deno.kill(pid, "SIGKILL");
    await until(
      () => cluster.nodes.some((node) => findServers(node).some((pid) => !killed.includes(pid))),
      "another server runs",
    );
  },
  survival: "acknowledged",
  isFenced: false,
};

/** The page cache outlasts the processes, as it does when a container or a virtual machine's guest is killed. */
const NODE_KILLED: Event = {
  happen: async (cluster, holder) => {
    await cluster.kill(holder);
    await untilMoved(cluster, holder);
  },
  survival: "acknowledged",
  isFenced: true,
};

const POWER_LOST: Event = {
  happen: async (cluster, holder) => {
    await cluster.powerOff(holder);
    await untilMoved(cluster, holder);
  },
  survival: "flushed",
  isFenced: true,
};

const CUT_OFF: Event = {
  happen: async (cluster, holder) => {
    await holder.cut();
    await untilMoved(cluster, holder);
  },
  survival: "flushed",
  isFenced: true,
};

/** All scenarios. */
export const SCENARIOS: readonly Scenario[] = [
  { name: "planned move", variants: [MOVE, STANDBY] },
  { name: "server killed", variants: [SERVER_KILLED] },
  { name: "node killed", variants: [NODE_KILLED, POWER_LOST] },
  { name: "node cut off", variants: [CUT_OFF] },
];

async function untilMoved(cluster: Cluster, from: Node): Promise<void> {
  await until(async () => {
    const holder = await cluster.findHolder();
    return holder !== undefined && holder !== from;
  }, `another node than ${from.name} serves`);
}

async function until(condition: () => boolean | Promise<boolean>, what: string): Promise<void> {
  for (let turn = 0; turn < TURNS_MAX; turn++) {
    if (await condition()) return;
    await delay(TURN_MS);
  }
  throw new Error(`Cannot wait any longer until ${what}`);
}
