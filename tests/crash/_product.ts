/** The product in this process, on a folder that may be recorded: what `iscsi build` and `iscsi serve` are made of. */
import { workerPlaceOf } from "../../lib/provision/state_folder.ts";
import { readUint32 } from "../../lib/bytes/big_endian.ts";
import type { Config } from "../../lib/config/config.ts";
import { formatDiagnostic } from "../../lib/config/diagnostic.ts";
import { findExports } from "../../lib/provision/find_exports.ts";
import { provision } from "../../lib/provision/provision.ts";
import { prepareInPlaceFolders } from "../../lib/provision/in_place_folders.ts";
import { settleState } from "../../lib/provision/settle_state.ts";
import { survey } from "../../lib/provision/survey.ts";
import { prepareWorkerState } from "../../lib/provision/worker_state.ts";
import { TargetServer } from "../../lib/server/target/target_server.ts";
import type { TargetServerSettings } from "../../lib/server/target/target_server_settings.ts";
import type { HolePuncher } from "../../lib/store/hole_puncher.ts";
import { ENDS } from "../support/harness.ts";
import { atAnyPort, configOf } from "../provision/conf.ts";
import { KeptLog } from "../server/_serving.ts";
import { FakeClock } from "../support/fake_clock.ts";
import { Initiator } from "../support/initiator.ts";
import { read16, synchronizeCache16, testUnitReady } from "../support/initiator_cdb.ts";
import { ScsiStatus } from "../support/initiator_sense.ts";
import type { Command } from "../support/initiator_transfer.ts";
import { createPipe } from "../support/pipe.ts";
import { BLOCK_BYTES, type Disks, tagsOf } from "./_notes.ts";

/** The target whose LUNs are written to. */
export const TARGET = "iqn.2002-08.info.netmanager:disk";

/** Makes holes for a file. */
export type Punch = (path: string, offset: number, lengthBytes: number) => Promise<void>;

/** Returns the configuration of a conf that has a storage folder. */
export function readConf(storage: string, lines: readonly string[]): Config {
  // Nothing listens here.
  return atAnyPort(configOf(`storage=${storage}`, ...lines));
}

/** Does what `iscsi build` does, and returns the errors. */
export async function build(storage: string, lines: readonly string[]): Promise<string[]> {
  const { errors, failure } = await provision(readConf(storage, lines));
  return [...errors.map(formatDiagnostic), ...failure === undefined ? [] : [failure]];
}

/** Returns the disks that are there: the files with a recorded identity. */
export function findDisks(storage: string, lines: readonly string[]): Disks {
  const { recorded } = survey(readConf(storage, lines));
  if (recorded.kind !== "recorded") return {};
  return Object.fromEntries(
    [...recorded.identities].flatMap(([path, identity]) => {
      const sizeBytes = sizeOf(`${storage}/${path}`);
      return sizeBytes === undefined ? [] : [[path, { identity, sizeBytes }]];
    }),
  );
}

/** Returns why the conf cannot be served now. */
export function findObstacles(storage: string, lines: readonly string[]): string[] {
  return findExports(readConf(storage, lines)).errors.map(formatDiagnostic);
}

function sizeOf(path: string): number | undefined {
  try {
    return Deno.statSync(path).size;
  } catch {
    return undefined;
  }
}

/** A server in this process, and initiators at the other ends of pipes. */
export class Product {
  readonly log = new KeptLog();
  readonly #storage: string;
  readonly #punch: Punch | undefined;
  readonly #server: TargetServer;
  readonly #initiators: Initiator[] = [];
  readonly #served: Promise<void>[] = [];

  private constructor(storage: string, lines: readonly string[], punch?: Punch) {
    this.#storage = storage;
    this.#punch = punch;
    this.#server = TargetServer.start({ ...this.#settings(lines), log: this.log, clock: new FakeClock() });
  }

  /** Serves a conf whose disks are built, after what the supervisor does before it starts a worker. */
  static async start(storage: string, lines: readonly string[], punch?: Punch): Promise<Product> {
    prepareInPlaceFolders(storage);
    prepareWorkerState(storage, () => {});
    await settleState(readConf(storage, lines));
    return new Product(storage, lines, punch);
  }

  /** Serves another conf. */
  reconfigure(lines: readonly string[]): void {
    this.#server.reconfigure(this.#settings(lines));
  }

  /** Logs in an initiator and takes its first unit attentions. */
  async connect(name: string, luns: readonly number[]): Promise<Initiator> {
    const [ours, theirs] = createPipe({ capacityBytes: 256 * 1024 });
    this.#served.push(this.#server.serve(theirs, ENDS));
    const initiator = new Initiator(ours);
    this.#initiators.push(initiator);
    await initiator.login({ targetName: TARGET, initiatorName: `iqn.2000-01.test:${name}` });
    for (const lun of luns) await initiator.command({ cdb: testUnitReady(), lun });
    return initiator;
  }

  /** Ends everything, after what was to be recorded. */
  async end(): Promise<void> {
    for (const initiator of this.#initiators) await initiator.close();
    await this.#server.stop();
    await Promise.all(this.#served);
  }

  #settings(lines: readonly string[]): TargetServerSettings {
    const config = readConf(this.#storage, lines);
    const { exports, errors } = findExports(config);
    if (errors.length > 0) throw new Error(errors.map(formatDiagnostic).join("\n"));
    return {
      config,
      port: config.port,
      place: workerPlaceOf(this.#storage),
      identities: new Map([...exports].map(([path, { identity }]) => [path, identity])),
      backingLinks: new Map(),
      interfaces: [],
      portals: [],
      puncherOf: (path) => this.#puncherOf(path),
    };
  }

  #puncherOf(path: string): HolePuncher | undefined {
    const punch = this.#punch;
    if (punch === undefined) return undefined;
    return {
      punch: async (ranges): Promise<"punched"> => {
        for (const { offset, lengthBytes } of ranges) await punch(path, offset, lengthBytes);
        return "punched";
      },
    };
  }
}

/** Sends a command that must succeed, past unit attentions, and returns what it read. */
export async function command(initiator: Initiator, request: Command): Promise<Uint8Array> {
  for (let attempt = 0; attempt < 8; attempt++) {
    const { status, sense, data } = await initiator.command(request);
    if (status === ScsiStatus.good) return data;
    if (sense !== undefined && NOT_ERASED.includes(sense.code)) throw new UnsanitizedError();
    if (sense?.key !== UNIT_ATTENTION) {
      throw new Error(
        `Command ${request.cdb[0]!.toString(16)} ended with ${status}, sense ${sense?.code.toString(16)}`,
      );
    }
  }
  throw new Error("Too many unit attentions");
}

const UNIT_ATTENTION = 6;
/** SANITIZE COMMAND FAILED and MEDIUM FORMAT CORRUPTED. */
const NOT_ERASED: readonly number[] = [0x3103, 0x3100];

/** A LUN refuses access since its last SANITIZE (SBC-3, 4.11.3) or FORMAT UNIT did not complete. */
export class UnsanitizedError extends Error {}

/** Reads all of a LUN and returns the tags of its blocks. */
export async function readTags(initiator: Initiator, lun: number): Promise<number[]> {
  const capacity = await command(initiator, { cdb: READ_CAPACITY_10, lun, read: 8 });
  const blocks = readUint32(capacity, 0) + 1;
  return tagsOf(await command(initiator, { cdb: read16(0, blocks), lun, read: blocks * BLOCK_BYTES }));
}

const READ_CAPACITY_10 = Uint8Array.of(0x25, 0, 0, 0, 0, 0, 0, 0, 0, 0);

/** Makes durable what a LUN holds. */
export async function flush(initiator: Initiator, lun: number): Promise<void> {
  await command(initiator, { cdb: synchronizeCache16(), lun });
}

/** Returns the reservations of a LUN: keys and reservation, as PERSISTENT RESERVE IN returns them. */
export async function readReservations(initiator: Initiator, lun: number): Promise<string> {
  const answers: string[] = [];
  for (const serviceAction of [0, 1]) {
    const cdb = Uint8Array.of(0x5e, serviceAction, 0, 0, 0, 0, 0, 1, 0, 0);
    const data = await command(initiator, { cdb, lun, read: 256 });
    // The generation begins again when the server does.
    answers.push(data.slice(8).toHex());
  }
  return answers.join("/");
}
