/** A node of the cluster: processes in namespaces of their own, which one process keeps alive. */
import { delay } from "../../lib/base/delay.ts";
import { runTool, runToolOk, type ToolResult } from "../support/tools.ts";
import { NETWORKS, type NodeName, NODES } from "./_cluster_conf.ts";

/** Turns at 20 ms until a namespace must have its first process. */
const TURNS_MAX = 500;
const TURN_MS = 20;

/** Milliseconds of a command inside a node. */
const COMMAND_LIMIT_MS = 60_000;

const NAMESPACES = ["--net", "--mount", "--pid", "--uts", "--ipc"];

/** A node that can be started and killed again and again. */
export class Node {
  readonly name: NodeName;
  readonly #rig: string;
  /** unshare(1), and the process that is number 1 inside. */
  #outer: Deno.ChildProcess | undefined;
  #init = 0;
  #isCut = false;

  /** @param rig the folder of the test */
  constructor(name: NodeName, rig: string) {
    this.name = name;
    this.#rig = rig;
    for (const folder of ["log", "requests"]) Deno.mkdirSync(this.#pathOf(folder), { recursive: true });
  }

  /** True while its processes are alive. */
  get isAlive(): boolean {
    return this.#outer !== undefined;
  }

  /** True when no network reaches it. */
  get isCut(): boolean {
    return this.#isCut;
  }

  /** The process whose namespaces are those of the node. */
  get init(): number {
    return this.#init;
  }

  /** The folder to which its agents write what they request of the test. */
  get requests(): string {
    return this.#pathOf("requests");
  }

  /** Starts the node; it joins the cluster by itself. */
  async start(): Promise<void> {
    // A node that was cut off has left a request to kill the other one.
    for (const { name } of [...Deno.readDirSync(this.requests)]) Deno.removeSync(`${this.requests}/${name}`);
    const script = [`${this.#rig}/node.sh`, this.#rig, this.name, `${NODES[this.name]}/24`];
    this.#outer = new Deno.Command("unshare", {
      args: [...NAMESPACES, "--fork", "--kill-child", "--mount-proc", "sh", ...script],
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
    this.#init = await this.#findInit(this.#outer.pid);
    this.#isCut = false;
    for (const network of NETWORKS) {
      const link = this.#linkTo(network);
      await runToolOk("ip", [
        ...["link", "add", link, "type", "veth", "peer", "name", network, "netns", `${this.#init}`],
      ]);
      await runToolOk("ip", ["link", "set", link, "master", network, "up"]);
    }
  }

  /** Runs a program inside the node. */
  run(program: string, args: readonly string[]): Promise<ToolResult> {
    return runTool("nsenter", ["--target", `${this.#init}`, "--all", program, ...args], {
      timeLimitMs: COMMAND_LIMIT_MS,
    });
  }

  /** Takes its links down. */
  async cut(): Promise<void> {
    this.#isCut = true;
    for (const network of NETWORKS) {
      await runToolOk("ip", ["link", "set", this.#linkTo(network), "down"]);
    }
  }

  /** Kills everything inside at once, and waits until it has ended. */
  async kill(): Promise<void> {
    if (this.#outer === undefined) return;
    // The kernel kills the others of the PID namespace, and ends it after them.
    Deno.kill(this.#init, "SIGKILL");
    await this.#outer.status;
    this.#outer = undefined;
    // Connections that were not closed by both ends keep the network namespace for minutes, and with it the links.
    for (const network of NETWORKS) await runTool("ip", ["link", "delete", this.#linkTo(network)]);
  }

  async #findInit(outer: number): Promise<number> {
    for (let turn = 0; turn < TURNS_MAX; turn++) {
      const children = Deno.readTextFileSync(`/proc/${outer}/task/${outer}/children`).trim();
      // Before exec(2) its namespaces are there, too.
      if (children !== "") return Number(children);
      await delay(TURN_MS);
    }
    throw new Error(`${this.name} does not start`);
  }

  #linkTo(network: string): string {
    return `${this.name}-${network}`;
  }

  #pathOf(folder: string): string {
    return `${this.#rig}/${this.name}/${folder}`;
  }
}
