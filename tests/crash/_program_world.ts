/** The product as programs: `iscsi build` and `iscsi serve`, as users run them. */
import { assertEquals } from "@std/assert";
import { Initiator } from "../support/initiator.ts";
import { testUnitReady } from "../support/initiator_cdb.ts";
import { freePort, runIscsi, ServerProcess } from "../support/server_process.ts";
import type { Note } from "./_notes.ts";
import { findDisks, TARGET } from "./_product.ts";
import type { World } from "./_world.ts";

/** The programs on a storage folder. The conf lies beside the folder that is recorded. */
export class ProgramWorld implements World {
  readonly storage: string;
  readonly confPath: string;
  readonly #port: number;
  readonly #take: (note: Note) => void;
  readonly #initiators: Initiator[] = [];
  #server: ServerProcess | undefined;

  /**
   * @param note called with each new note
   * @param port the port of targets without one of their own
   */
  constructor(storage: string, confPath: string, note: (note: Note) => void, port: number = freePort()) {
    this.#port = port;
    this.storage = storage;
    this.confPath = confPath;
    this.#take = note;
  }

  note(note: Note): void {
    this.#take(note);
  }

  async build(lines: readonly string[]): Promise<void> {
    this.note({ kind: "conf", lines });
    this.writeConf(lines);
    const { code, stdout, stderr } = await runIscsi(["build", "--conf", this.confPath]);
    assertEquals(code, 0, `iscsi build: ${stdout}${stderr}`);
    this.note({ kind: "built", disks: findDisks(this.storage, lines) });
  }

  async serve(lines: readonly string[]): Promise<void> {
    this.writeConf(lines);
    this.#server = await ServerProcess.start(this.confPath);
  }

  async connect(name: string, luns: readonly number[]): Promise<Initiator> {
    const initiator = await Initiator.connect(this.#port);
    this.#initiators.push(initiator);
    await initiator.login({ targetName: TARGET, initiatorName: `iqn.2000-01.test:${name}` });
    for (const lun of luns) await initiator.command({ cdb: testUnitReady(), lun });
    return initiator;
  }

  /** Ends the server as `kill -9` does. Connections are left to find out. */
  async kill(): Promise<void> {
    await this.#server?.kill();
    for (const initiator of this.#initiators) await initiator.close();
  }

  /** Ends the server in order. */
  async end(): Promise<void> {
    for (const initiator of this.#initiators) await initiator.close();
    await this.#server?.stop();
  }

  /** Writes the conf, with storage and port. */
  writeConf(lines: readonly string[]): void {
    const globals = [`storage=${this.storage}`, `port=${this.#port}`, "networks=127.0.0.0/8"];
    Deno.writeTextFileSync(this.confPath, [...globals, ...lines, ""].join("\n"));
  }
}
