import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { join } from "@std/path";
import { prepareInPlaceFolders } from "../../../lib/provision/in_place_folders.ts";
import { reservationsFileOf, workerPlaceOf } from "../../../lib/provision/state_folder.ts";
import type { LogicalUnit } from "../../../lib/scsi/logical_unit.ts";
import type { Nexus } from "../../../lib/scsi/nexus.ts";
import { type PersistentState, UNRESERVED } from "../../../lib/scsi/reservations/persistent_state.ts";
import { formatReservations } from "../../../lib/scsi/reservations/reservation_text.ts";
import { openReservationFile } from "../../../lib/server/target/reservation_file.ts";
import type { StoreError } from "../../../lib/store/block_store.ts";
import { formatState } from "../../../lib/store/state_text.ts";
import { withScratch } from "../../provision/scratch.ts";
import { cdb, complete, IDENTITY, makeTarget, makeUnit } from "../../scsi/fixture.ts";
import { beginReserveOut, type ReserveOut } from "../../scsi/reservations/_reserve_out.ts";
import { type FileSystemName, testOnFileSystem } from "../../support/small_file_system.ts";
import { KeptLog } from "../_serving.ts";

const REGISTER = "REGISTER AND IGNORE EXISTING KEY";

/** A logical unit whose reservations are kept in a storage folder, and the initiators that use it. */
class Cluster {
  readonly unit: LogicalUnit;
  readonly failures: StoreError[] = [];
  readonly log = new KeptLog();
  readonly #open: (name: string) => Nexus;

  constructor(storage: string) {
    const onFailure = (error: StoreError): void => void this.failures.push(error);
    this.unit = makeUnit({
      reservationStore: openReservationFile(workerPlaceOf(storage), IDENTITY, { log: this.log, onFailure }),
    });
    const target = makeTarget(this.unit);
    this.#open = (name) => {
      const nexus = target.openNexus(`iqn.2007-01.tld.a:${name},i,0x400001370000`);
      nexus.execute(0, cdb("03 00 00 00 12 00"));
      return nexus;
    };
  }

  get state(): PersistentState {
    return this.unit.reservations.state;
  }

  /** Carries a service action out for an initiator, and names its outcome. */
  async send(name: string, action: string, request: ReserveOut): Promise<string> {
    const nexus = this.#open(name);
    const { outcome } = await complete(beginReserveOut(nexus, action, request));
    nexus.close();
    return outcome;
  }
}

/** The names of the registered initiators. */
function namesIn({ registrations }: PersistentState): string[] {
  return [...registrations.values()].map(({ initiatorPort }) => initiatorPort.split(":")[1]!.split(",")[0]!);
}

/** Requests that add no registration: each is possible on a full file system. */
const FENCING: readonly (readonly [name: string, action: string, request: ReserveOut])[] = [
  ["anna", "RESERVE", { key: 1n, type: 3 }],
  ["anna", "RELEASE", { key: 1n, type: 3 }],
  ["anna", "RESERVE", { key: 1n, type: 5 }],
  ["anna", "PREEMPT", { key: 1n, newKey: 1n, type: 8 }],
  ["anna", "PREEMPT AND ABORT", { key: 1n, newKey: 2n, type: 6 }],
  ["carl", "PREEMPT", { key: 3n, newKey: 4n, type: 1 }],
  ["anna", "REGISTER", { key: 1n, newKey: 9n, persists: true }],
  ["carl", "REGISTER", { key: 3n, newKey: 0n, persists: true }],
  ["anna", "REGISTER", { key: 9n, newKey: 1n }],
  ["anna", "REGISTER", { key: 1n, newKey: 1n, persists: true }],
  ["anna", "CLEAR", { key: 1n }],
];

for (const kind of ["ext4", "xfs", "btrfs"] satisfies FileSystemName[]) {
  testOnFileSystem(
    `reservations can be changed on a full ${kind}, all but by more registrations`,
    kind,
    async (fileSystem) => {
      const { folder } = fileSystem;
      Deno.mkdirSync(`${folder}/.iscsi`);
      assertEquals(prepareInPlaceFolders(workerPlaceOf(folder)), undefined);
      const cluster = new Cluster(folder);
      for (const [key, name] of ["anna", "ben", "carl", "dora"].entries()) {
        const request = { newKey: BigInt(key + 1), persists: true };
        assertEquals(await cluster.send(name, REGISTER, request), "good");
      }
      await fileSystem.fill();
      // Forty do not fit into the room that there is, so that these are refused and change nothing.
      const outcomes: string[] = [];
      for (let index = 0; index < 40; index++) {
        outcomes.push(await cluster.send(`other${index}`, REGISTER, { newKey: 5n, persists: true }));
      }
      assertEquals(outcomes.at(-1), "insufficientRegistrationResources");
      assertEquals([...new Set(cluster.failures.map(({ kind }) => kind))], ["outOfSpace"]);
      cluster.failures.length = 0;
      for (const [name, action, request] of FENCING) {
        assertEquals(await cluster.send(name, action, request), "good", `${name}: ${action}`);
        const { state } = cluster;
        const kept = state.persists ? { ...state, generation: 0 } : UNRESERVED;
        assertEquals(new Cluster(folder).state, kept, `${name}: ${action}`);
      }
      assertEquals([cluster.failures, namesIn(cluster.state)], [[], []]);
      await cluster.unit.reservations.clear();
      fileSystem.empty();
      assertEquals(await cluster.send("anna", REGISTER, { newKey: 1n, persists: true }), "good");
    },
  );
}

/** A folder with the reservations of a unit with which anna has registered, and their file. */
async function withRegistration(test: (folder: string, path: string) => Promise<void>): Promise<void> {
  await withScratch(async (folder) => {
    const cluster = new Cluster(folder);
    assertEquals(await cluster.send("anna", REGISTER, { newKey: 1n, persists: true }), "good");
    await test(folder, reservationsFileOf(workerPlaceOf(folder), IDENTITY.naa));
  });
}

Deno.test("reservations that version 1 has kept are read, and are rewritten with room from the start", () =>
  withRegistration(async (folder, path) => {
    const text = Deno.readTextFileSync(path);
    const { checksum: _, ...before } = JSON.parse(text.slice(0, text.length / 2));
    Deno.writeTextFileSync(path, JSON.stringify({ ...before, version: 1 }));
    const cluster = new Cluster(folder);
    assertEquals(namesIn(cluster.state), ["anna"]);
    assertEquals(await cluster.send("ben", "RESERVE", { key: 2n, type: 3 }), "18", "after the rewriting");
    assertEquals([Deno.readTextFileSync(path), cluster.log.lines], [text, []]);
  }));

Deno.test("a changed digit in one copy of the reservations is reported and put right", () =>
  withRegistration(async (folder, path) => {
    const text = Deno.readTextFileSync(path);
    Deno.writeTextFileSync(path, text.replace('"targetPort": 1', '"targetPort": 2'));
    const cluster = new Cluster(folder);
    assertEquals(namesIn(cluster.state), ["anna"]);
    assertEquals(cluster.log.lines, [
      `warning: One of the two copies of the reservations in "${path}" is damaged, by a loss of power or by the ` +
      "disk; restored from the other one",
    ]);
    assertEquals(await cluster.send("ben", "RESERVE", { key: 2n, type: 3 }), "18", "after the rewriting");
    assertEquals(Deno.readTextFileSync(path), text);
  }));

Deno.test("reservations that cannot be read are refused with the file, the reason and the remedy", () =>
  withRegistration(async (folder, path) => {
    const text = Deno.readTextFileSync(path);
    const newer = formatState({ version: 9, body: {} });
    const [remove, upgrade] = [
      "restore it from a backup, or remove it once no cluster relies on it: then nothing is reserved",
      "use the version of the program that wrote it",
    ];
    const wrongs = [
      ["", "it is not JSON", remove],
      [text.replaceAll('"targetPort": 1', '"targetPort": 2'), "its checksum", remove],
      [formatReservations(new Cluster(folder).state).replace('": 1', '": 2'), "its checksum", remove],
      [newer.padEnd(4096).repeat(2), "it has version 9", upgrade],
      [newer, "it has version 9", upgrade],
    ] as const;
    for (const [damaged, reason, remedy] of wrongs) {
      Deno.writeTextFileSync(path, damaged);
      const { message } = assertThrows(() => new Cluster(folder), Error);
      assertStringIncludes(message, `Cannot read the reservations in "${path}": ${reason}`);
      assertStringIncludes(message, `; ${remedy}`);
      assertEquals(Deno.readTextFileSync(path), damaged);
    }
    await Promise.resolve();
  }));

Deno.test("reservations that cannot be saved are reported, and the file is named", () =>
  withScratch(async (folder) => {
    const path = reservationsFileOf(workerPlaceOf(folder), IDENTITY.naa);
    const cluster = new Cluster(folder);
    Deno.writeTextFileSync(join(folder, ".iscsi"), "in the way");
    const request = { newKey: 1n, persists: true };
    assertEquals(await cluster.send("anna", REGISTER, request), "insufficientRegistrationResources");
    assertStringIncludes(cluster.failures[0]!.message, `Cannot replace "${path}": `);
  }));
