/**
 * A storage appliance in a scratch folder: a conf, what `iscsi build` makes of it, and a server on loopback.
 */
import { assertEquals } from "@std/assert";
import { Initiator, type InitiatorOptions } from "../support/initiator.ts";
import type { LoginOptions } from "../support/initiator_login.ts";
import { freePort, runIscsi, ServerProcess } from "../support/server_process.ts";
import type { ToolResult } from "../support/tools.ts";

/** The two initiators that the example conf admits, and one that it does not. */
export const FIRST_INITIATOR = "iqn.2011-07.com.example:89abcdef";
export const SECOND_INITIATOR = "iqn.2011-07.com.example:01234567";
export const STRANGER = "iqn.2011-07.com.example:stranger";

/** The target of the example conf. */
export const XENSERVER = "iqn.2002-08.info.netmanager:xenserver";

/** Sizes of the two LUNs of the example conf. */
export const XENSERVER_BYTES = [750 * 1024 ** 3, 500 * 1024 ** 2] as const;

/** The example conf of the product's description, on loopback. */
const EXAMPLE = `
initiators = ${FIRST_INITIATOR} ${SECOND_INITIATOR}

[xenserver]
size = 750GB 500MB
networks = 127.0.0.0/8
`;

/** A conf and a storage folder of its own. */
export class Appliance {
  readonly folder: string;
  readonly port: number;

  private constructor(folder: string, port: number) {
    this.folder = folder;
    this.port = port;
  }

  /** Writes a conf, the example by default. Storage and port are added to it. */
  static create(conf = EXAMPLE): Appliance {
    const appliance = new Appliance(Deno.makeTempDirSync({ prefix: "iscsi-" }), freePort());
    appliance.writeConf(conf);
    return appliance;
  }

  get confPath(): string {
    return `${this.folder}/iscsi.conf`;
  }
  get storage(): string {
    return `${this.folder}/storage`;
  }
  /** The URL for discovery. */
  get portalUrl(): string {
    return `iscsi://127.0.0.1:${this.port}`;
  }
  /** A LUN as libiscsi and QEMU name it. */
  lunUrl(lun: number, target: string = XENSERVER): string {
    return `${this.portalUrl}/${target}/${lun}`;
  }

  /** Replaces the conf. */
  writeConf(conf: string): void {
    Deno.writeTextFileSync(this.confPath, `storage = ${this.storage}\nport = ${this.port}\n${conf}`);
  }

  /** Runs `iscsi build` and returns how it ended. */
  build(...args: readonly string[]): Promise<ToolResult> {
    return runIscsi(["build", "--conf", this.confPath, ...args]);
  }

  /** Runs `iscsi build`, which must succeed, and starts a server. */
  async serve(): Promise<ServerProcess> {
    const { code, stderr } = await this.build();
    assertEquals(code, 0, stderr);
    return await ServerProcess.start(this.confPath);
  }

  /** Connects an initiator of these tests and logs it in. */
  async login(options: LoginOptions & InitiatorOptions = {}): Promise<Initiator> {
    const initiator = await Initiator.connect(this.port, options);
    try {
      await initiator.login({ targetName: XENSERVER, initiatorName: FIRST_INITIATOR, ...options });
      return initiator;
    } catch (error) {
      await initiator.close();
      throw error;
    }
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.folder, { recursive: true });
  }
}
