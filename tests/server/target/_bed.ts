/** A server in a scratch folder whose conf a test changes, and those who work at it. */
import { workerPlaceOf } from "../../../lib/provision/state_folder.ts";
import { assertEquals } from "@std/assert";
import type { Config } from "../../../lib/config/config.ts";
import { TargetServer } from "../../../lib/server/target/target_server.ts";
import type { TargetServerSettings } from "../../../lib/server/target/target_server_settings.ts";
import { atAnyPort, configOf, identityNumber } from "../../provision/conf.ts";
import { withScratch } from "../../provision/scratch.ts";
import { DiligentInitiator } from "../../support/diligent_initiator.ts";
import { FakeClock } from "../../support/fake_clock.ts";
import { Initiator } from "../../support/initiator.ts";
import type { ChapOptions } from "../../support/initiator_chap.ts";
import { testUnitReady } from "../../support/initiator_cdb.ts";
import { KeptLog, LOOPBACK } from "../_serving.ts";

/** The node of every target here. */
export const NODE = "iqn.2002-08.info.netmanager";

/** A server in a scratch folder, and what its conf says. */
export class Bed {
  readonly log = new KeptLog();
  readonly clock = new FakeClock();
  readonly server: TargetServer;
  readonly #storage: string;
  readonly #initiators: { stop(): Promise<void> }[] = [];
  readonly #port: number;

  constructor(storage: string, ...lines: readonly string[]) {
    this.#storage = storage;
    const settings = this.settings(...lines);
    this.server = TargetServer.start({ ...settings, log: this.log, clock: this.clock });
    this.#port = this.server.addresses[0]!.port;
  }

  /** Returns the settings that serve a conf. Creates and extends its files as `iscsi build` does. */
  settings(...lines: readonly string[]): TargetServerSettings {
    const parsed = configOf(`storage=${this.#storage}`, ...lines);
    const config: Config = atAnyPort(parsed);
    const units = config.targets.flatMap(({ logicalUnits }) => logicalUnits);
    for (const { path, sizeBytes } of units) {
      using file = Deno.openSync(path, { write: true, create: true });
      if (file.statSync().size < sizeBytes) file.truncateSync(sizeBytes);
    }
    // A file keeps its identity, whichever target it belongs to.
    const identities = new Map(units.map(({ path }) => [path, identityNumber(numberOf(path))]));
    const portals = [{ address: "127.0.0.1", port: 0 }];
    const place = workerPlaceOf(this.#storage);
    const backingLinks = new Map<string, string>();
    return { config, port: 0, place, identities, backingLinks, interfaces: [LOOPBACK], portals };
  }

  /** Serves another conf; says what has changed, and who noticed. */
  reconfigure(...lines: readonly string[]): string[] {
    const settings = this.settings(...lines);
    const preview = this.server.preview(settings);
    const report = this.server.reconfigure(settings);
    assertEquals(report, preview);
    return report.map(({ description, sessions }) => {
      const names = sessions.map(({ initiator }) => initiator.split(":")[1]);
      return `${description.replace(/ \(".*"\)/, "")}: ${names.join(" ") || "nobody"}`;
    });
  }

  /** An initiator at work at a target. */
  async work(
    name: string,
    target: string,
    options: { lun?: number; obeys?: boolean; lba?: number } = {},
  ): Promise<DiligentInitiator> {
    const index = this.#initiators.length;
    const initiator = await DiligentInitiator.start({
      port: this.#port,
      targetName: `${NODE}:${target}`,
      initiatorName: `iqn.2000-01.test:${name}`,
      isid: Uint8Array.of(0x80, 0, 0, 0, 0, index),
      lba: index * 256,
      ...options,
    });
    this.#initiators.push(initiator);
    return initiator;
  }

  /** Connects an initiator that the test drives; it has received its first unit attention. */
  async connect(target: string, name = "tester", chap?: ChapOptions): Promise<Initiator> {
    const initiator = await Initiator.connect(this.#port);
    try {
      await initiator.login({
        targetName: `${NODE}:${target}`,
        initiatorName: `iqn.2000-01.test:${name}`,
        chap,
      });
    } catch (error) {
      await initiator.close();
      throw error;
    }
    await initiator.command({ cdb: testUnitReady() });
    this.#initiators.push({ stop: () => initiator.close() });
    return initiator;
  }

  /** The path of a file in the storage folder. */
  pathOf(file: string): string {
    return `${this.#storage}/${file}`;
  }

  async end(): Promise<void> {
    for (const initiator of this.#initiators) await initiator.stop();
    await this.server.stop();
  }
}

/** A number for a path. */
function numberOf(path: string): number {
  return [...path.split("/").at(-1)!].reduce((sum, letter) => sum * 37 % 1_000_003 + letter.charCodeAt(0), 7);
}

/** Runs a test with a server that begins with these lines of conf. */
export async function withBed(lines: readonly string[], test: (bed: Bed) => Promise<void>): Promise<void> {
  await withScratch(async (folder) => {
    Deno.mkdirSync(`${folder}/.iscsi`);
    const bed = new Bed(folder, ...lines);
    try {
      await test(bed);
    } finally {
      await bed.end();
    }
  });
}
