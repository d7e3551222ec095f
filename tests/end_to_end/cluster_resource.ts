/** The resource agent for Pacemaker as a cluster runs it. */
import { assertEquals } from "@std/assert";
import { join } from "@std/path";
import { ROOT, writeProgramScript } from "../support/server_process.ts";
import { runTool, type Tool, type ToolResult } from "../support/tools.ts";
import { Appliance } from "./appliance.ts";

/** A conf with a disk that every initiator of this machine may use. */
export const CONF = "[disk]\nsize = 4MB\nnetworks = 127.0.0.0/8\n";
/** The target of the disk. */
export const TARGET = "iqn.2002-08.info.netmanager:disk";
/** The path of the agent. */
export const AGENT = join(ROOT, "dist/ocf/iscsi");
/** The programs that the agent needs. */
export const TOOLS: readonly Tool[] = ["dash", "flock", "ocf-shellfuncs"];

/** Exit codes of the OCF. */
export const Ocf = {
  success: 0,
  error: 1,
  unimplemented: 3,
  notInstalled: 5,
  notConfigured: 6,
  notRunning: 7,
} as const;

/** A resource of a cluster, on a node that has the agent, the program and the conf. */
export class Resource {
  readonly appliance: Appliance;
  readonly program: string;
  readonly #instance: string;

  /** @param script the program, a shell script; by default it is the one under test */
  constructor(conf = CONF, { instance = "disk", script }: { instance?: string; script?: string } = {}) {
    this.appliance = Appliance.create(conf);
    this.program = join(this.appliance.folder, "iscsi");
    this.#instance = instance;
    if (script === undefined) writeProgramScript(this.program);
    else {Deno.writeTextFileSync(this.program, `#!/bin/sh\ncd ${this.appliance.folder}\n${script}`, {
        mode: 0o755,
      });}
  }

  get lock(): string {
    return join(this.appliance.folder, "run", `iscsi-${this.#instance}.lock`);
  }

  get env(): Readonly<Record<string, string>> {
    return {
      OCF_ROOT: "/usr/lib/ocf",
      OCF_RESOURCE_INSTANCE: this.#instance,
      HA_RSCTMP: join(this.appliance.folder, "run"),
      OCF_RESKEY_binary: this.program,
      OCF_RESKEY_conf: this.appliance.confPath,
      OCF_RESKEY_log: join(this.appliance.folder, "log"),
    };
  }

  run(action: string, env: Readonly<Record<string, string>> = {}): Promise<ToolResult> {
    return runTool("dash", [AGENT, action], { env: { ...this.env, ...env } });
  }

  async code(action: string, env: Readonly<Record<string, string>> = {}): Promise<number> {
    return (await this.run(action, env)).code;
  }

  /** Builds and starts it. */
  async begin(): Promise<void> {
    assertEquals((await this.appliance.build()).code, 0);
    const { code, stderr } = await this.run("start");
    assertEquals(code, Ocf.success, stderr);
  }

  /** Returns the process of the server. */
  async pid(): Promise<number> {
    const { stdout } = await runTool(this.program, ["status", "--json", "--conf", this.appliance.confPath]);
    return JSON.parse(stdout).server.pid;
  }

  /** Returns a number that the script of a program has written. */
  numberIn(name: string): number {
    return Number(Deno.readTextFileSync(join(this.appliance.folder, name)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.run("stop");
    this.appliance[Symbol.dispose]();
  }
}

/** A server that ignores SIGTERM, and has a program that does so, too. */
export const STUBBORN = `case $1 in
  serve)
    trap "" TERM
    sleep 1000 &
    echo $! >helper
    echo $$ >server
    wait ;;
  status) [ -e server ] ;;
esac`;
