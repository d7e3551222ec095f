/** The cluster: two nodes, their networks, the disk that they share, and the device that kills a node on request. */
import { fromFileUrl } from "@std/path";
import { delay } from "../../lib/base/delay.ts";
import { iscsiCommand, ROOT, runIscsi } from "../support/server_process.ts";
import { runTool, runToolOk } from "../support/tools.ts";
import * as conf from "./_cluster_conf.ts";
import { Node } from "./_node.ts";
import { SharedDisk } from "./_shared_disk.ts";

/** Turns at 200 ms until the cluster must be as it is expected. */
const TURNS_MAX = 150;
const TURN_MS = 200;

/** Milliseconds between two looks for requests to kill a node. */
const FENCE_TURN_MS = 20;

/** A node that was killed because the other one asked for it. */
export interface Fencing {
  readonly victim: conf.NodeName;
  readonly by: conf.NodeName;
}

/** The agent that users install. */
const AGENT = `${ROOT}dist/ocf/iscsi`;

/** Two nodes and all that they need. Everything ends with the namespaces of this process. */
export class Cluster {
  readonly nodes: readonly [Node, Node];
  readonly disk: SharedDisk;
  /** The fencing so far. */
  readonly fencing: Fencing[] = [];
  readonly #stop = new AbortController();
  #fencer: Promise<void> = Promise.resolve();

  private constructor(rig: string, disk: SharedDisk) {
    this.disk = disk;
    this.nodes = [new Node("alpha", rig), new Node("beta", rig)];
  }

  /**
   * Makes networks and disk, starts the nodes and waits until they serve.
   *
   * @param prepare called with the folder when its files are written
   */
  static async start(
    rig: string,
    hasWriteCache: boolean,
    prepare: (folder: string) => void = () => {},
  ): Promise<Cluster> {
    const disk = await SharedDisk.make(`${rig}/disk.img`);
    writeFiles(rig, disk.device, hasWriteCache);
    prepare(rig);
    await makeNetworks();
    await disk.whileMounted(async () => {
      const { code, stdout, stderr } = await runIscsi(["build", "--conf", `${rig}/iscsi.conf`]);
      if (code !== 0) throw new Error(`iscsi build: ${stdout}${stderr}`);
    });
    const cluster = new Cluster(rig, disk);
    cluster.#fencer = cluster.#answerRequests();
    try {
      await cluster.untilWhole();
    } catch (error) {
      await cluster.end();
      throw error;
    }
    return cluster;
  }

  /** Returns the node that runs the target; undefined while none does. */
  async findHolder(): Promise<Node | undefined> {
    for (const node of this.nodes.filter(({ isAlive, isCut }) => isAlive && !isCut)) {
      const { stdout } = await node.run("crm_resource", ["--resource", "unblock", "--locate"]);
      const name = stdout.match(/is running on: (\w+)/)?.[1];
      if (name !== undefined) return this.nodes.find((one) => one.name === name);
    }
    return undefined;
  }

  /** Returns the node that runs the target. */
  async holder(): Promise<Node> {
    const holder = await this.findHolder();
    if (holder === undefined) throw new Error("No node runs the target");
    return holder;
  }

  /** Returns the other node. */
  otherThan(node: Node): Node {
    return this.nodes[0] === node ? this.nodes[1] : this.nodes[0];
  }

  /** Runs a program on a node, which must succeed. */
  async run(node: Node, program: string, ...args: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await node.run(program, args);
    if (code !== 0) throw new Error(`${node.name}: ${program} ${args.join(" ")}: ${stdout}${stderr}`);
    return stdout;
  }

  /** Kills a node as the loss of its power does: no packet leaves it first, and its cache is lost. */
  async powerOff(node: Node): Promise<void> {
    await node.cut();
    if (await this.#hasStorage(node)) await this.disk.loseCache(node);
    await node.kill();
    await this.#untilReleasedBy(node);
  }

  /** Kills everything on a node at once. What it has written stays in the cache of the machine. */
  async kill(node: Node): Promise<void> {
    await node.kill();
    await this.#untilReleasedBy(node);
  }

  /** Starts nodes that are dead; waits until both are in the cluster, which runs the target and has nothing to do. */
  async untilWhole(): Promise<void> {
    for (const node of this.nodes) if (!node.isAlive) await node.start();
    let last = "";
    for (let turn = 0; turn < TURNS_MAX; turn++) {
      const [node] = this.nodes;
      const { stdout, stderr } = await node.run("crm_mon", ["-1", "--output-as=text"]);
      last = stdout + stderr;
      const isWhole = /Online: \[ alpha beta \]/.test(stdout) && (await this.findHolder()) !== undefined;
      if (isWhole && (await node.run("crm_resource", ["--wait", "--timeout=50"])).code === 0) {
        await node.run("crm_resource", ["--cleanup"]);
        return;
      }
      await delay(TURN_MS);
    }
    throw new Error(`The cluster does not become whole:\n${last}`);
  }

  /** Ends everything. */
  async end(): Promise<void> {
    this.#stop.abort();
    await this.#fencer;
    for (const node of this.nodes) await node.kill();
    await this.disk.untilReleased();
    this.disk.close();
  }

  async #hasStorage(node: Node): Promise<boolean> {
    return (await node.run("mountpoint", ["-q", conf.STORAGE])).code === 0;
  }

  /** The other node may have mounted the disk already, where nothing kept it from that. */
  async #untilReleasedBy(node: Node): Promise<void> {
    const other = this.otherThan(node);
    if (other.isAlive && await this.#hasStorage(other)) return;
    await this.disk.untilReleased();
  }

  async #answerRequests(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      for (const node of this.nodes) {
        // The device is behind a network, from which this node is cut off.
        if (!node.isAlive || node.isCut) continue;
        for (const { name } of Deno.readDirSync(node.requests)) await this.#fence(node, name);
      }
      await delay(FENCE_TURN_MS, this.#stop.signal);
    }
  }

  async #fence(by: Node, request: string): Promise<void> {
    const victim = this.nodes.find(({ name }) => request.startsWith(`${name}.`));
    if (victim === undefined) throw new Error(`Unknown request "${request}"`);
    this.fencing.push({ victim: victim.name, by: by.name });
    if (victim.isAlive) await this.powerOff(victim);
    else await this.#untilReleasedBy(victim);
    Deno.removeSync(`${by.requests}/${request}`);
  }
}

function writeFiles(rig: string, device: string, hasWriteCache: boolean): void {
  for (const name of ["node.sh", "fence_rig"]) {
    Deno.copyFileSync(fromFileUrl(new URL(name, import.meta.url)), `${rig}/${name}`);
  }
  Deno.copyFileSync(AGENT, `${rig}/agent`);
  const { program, args } = iscsiCommand();
  const folder = Deno.env.get("DENO_DIR") ?? `${Deno.env.get("HOME") ?? "/root"}/.cache/deno`;
  const words = [program, ...args].map((word) => `'${word}'`).join(" ");
  const files: [string, string, number][] = [
    ["iscsi", `#!/bin/sh\nexport DENO_DIR='${folder}' NO_COLOR=1\nexec ${words} "$@"\n`, 0o755],
    ["iscsi.conf", conf.targetConf(hasWriteCache), 0o600],
    ["corosync.conf", conf.corosyncConf(), 0o644],
    ["hosts", conf.hosts(), 0o644],
    ["cib.xml", conf.cib({ device, binary: `${rig}/iscsi`, conf: `${rig}/iscsi.conf` }), 0o644],
  ];
  for (const [name, text, mode] of files) {
    Deno.writeTextFileSync(`${rig}/${name}`, text);
    Deno.chmodSync(`${rig}/${name}`, mode);
  }
}

/** Makes the networks in the namespace of this process, which has an address in each of the storage's. */
async function makeNetworks(): Promise<void> {
  // Those of a cluster before are still there.
  if ((await runTool("ip", ["link", "show", conf.NETWORKS[0]])).code === 0) return;
  await runToolOk("ip", ["link", "set", "lo", "up"]);
  for (const network of conf.NETWORKS) {
    await runToolOk("ip", ["link", "add", network, "type", "bridge"]);
    await runToolOk("ip", ["link", "set", network, "up"]);
  }
  for (const [network, address] of Object.entries(conf.INITIATORS)) {
    await runToolOk("ip", ["address", "add", `${address}/24`, "dev", network]);
  }
}
