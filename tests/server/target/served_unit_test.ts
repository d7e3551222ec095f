/** Logical units that cannot be opened: not ready while the others are served, and ready when they can be. */
import { assert, assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import {
  atomicJournalOf,
  reservationsFileOf,
  sanitizeFileOf,
  workerPlaceOf,
} from "../../../lib/provision/state_folder.ts";
import { openSanitizeFile } from "../../../lib/server/target/sanitize_file.ts";
import { TargetServer } from "../../../lib/server/target/target_server.ts";
import { atAnyPort, configOf } from "../../provision/conf.ts";
import { withScratch } from "../../provision/scratch.ts";
import { FakeClock } from "../../support/fake_clock.ts";
import { Initiator } from "../../support/initiator.ts";
import {
  inquiry,
  modeSense6,
  read10,
  readCapacity16,
  reportLuns,
  requestSense,
  startStopUnit,
  synchronizeCache10,
  testUnitReady,
  write10,
} from "../../support/initiator_cdb.ts";
import { ScsiStatus } from "../../support/initiator_sense.ts";
import { FILE_BYTES, KeptLog, makeServed, pathOf, type Served } from "../_serving.ts";
import { until } from "../../support/until.ts";

const RETRY_MS = 5_000;
const SECTOR = new Uint8Array(512).fill(7);

const MODE_SELECT = Uint8Array.of(0x15, 0x10, 0, 0, 12, 0);
const READ_KEYS = Uint8Array.of(0x5e, 0, 0, 0, 0, 0, 0, 0, 255, 0);

const RESERVE = Uint8Array.of(0x16, 0, 0, 0, 0, 0);
const RELEASE = Uint8Array.of(0x17, 0, 0, 0, 0, 0);

const SANITIZE_BLOCK_ERASE = Uint8Array.of(0x48, 2, 0, 0, 0, 0, 0, 0, 0, 0);

/** PERSISTENT RESERVE OUT, REGISTER AND IGNORE EXISTING KEY. */
const REGISTER = Uint8Array.of(0x5f, 6, 0, 0, 0, 0, 0, 0, 24, 0);

function parameterList(key: number): Uint8Array {
  const list = new Uint8Array(24);
  list[15] = key;
  list[20] = 1;
  return list;
}

/** A server of targets `a` and `b` that serves what it can, and its initiators. */
class Scene {
  readonly served: Served;
  readonly clock = new FakeClock();
  readonly log = new KeptLog();
  readonly server: TargetServer;
  readonly #initiators: Initiator[] = [];

  constructor(served: Served, unavailable?: ReadonlyMap<string, string>) {
    this.served = served;
    const options = unavailable === undefined ? {} : { unavailable };
    this.server = TargetServer.start({
      ...served,
      ...options,
      log: this.log,
      clock: this.clock,
    });
  }

  /** Logs in, and receives the first unit attention. */
  async logIn(target: string): Promise<Initiator> {
    const initiator = await Initiator.connect(this.server.addresses[0]!.port);
    const isid = Uint8Array.of(0x80, 0, 0, 0, 0, this.#initiators.length);
    await initiator.login({ targetName: `iqn.2002-08.info.netmanager:${target}`, isid });
    await initiator.command({ cdb: requestSense(18), read: 18 });
    this.#initiators.push(initiator);
    return initiator;
  }

  /** Lets the time pass until it is tried again, and waits until `b` is served. */
  async retry(): Promise<void> {
    this.clock.advance(RETRY_MS);
    await until(() => this.server.snapshot().problems.length === 0, "it is served");
  }

  /** New lines of the log about LUNs that are not served; reading them removes all lines. */
  get lines(): string[] {
    return this.log.lines.splice(0).filter((line) => line.includes("served"));
  }

  async end(): Promise<void> {
    for (const initiator of this.#initiators) await initiator.close();
    await this.server.stop();
  }
}

async function withScene(
  spoil: (served: Served, folder: string) => void,
  test: (scene: Scene, folder: string) => Promise<void>,
): Promise<void> {
  await withScratch(async (folder) => {
    Deno.mkdirSync(`${folder}/.iscsi/reservations`, { recursive: true });
    const served = makeServed(folder);
    spoil(served, folder);
    const scene = new Scene(served);
    try {
      await test(scene, folder);
    } finally {
      await scene.end();
    }
  });
}

interface Sent {
  readonly cdb: Uint8Array;
  readonly write?: Uint8Array;
  readonly read?: number;
}

/** Returns the outcome of a command: `good`, or its sense key and additional sense code. */
async function outcomeOf(initiator: Initiator, command: Sent): Promise<string> {
  const { status, sense } = await initiator.command(command);
  if (status === ScsiStatus.good) return "good";
  return sense === undefined
    ? status.toString(16)
    : `${sense.key.toString(16)}/${sense.code.toString(16).padStart(4, "0")}`;
}

const NOT_READY = "2/0403";
const READY_NOW = "6/2800";
const SANITIZE_FAILED = "3/3103";

const NEEDING_MEDIUM: readonly Sent[] = [
  { cdb: testUnitReady() },
  { cdb: read10(0, 1), read: 512 },
  { cdb: write10(0, 1), write: SECTOR },
  { cdb: synchronizeCache10() },
];

Deno.test("a LUN whose file is missing is not ready, the others are served, and it is when the file is there", () =>
  withScene((served) => Deno.removeSync(pathOf(served, "b")), async (scene, folder) => {
    const { served, server, clock } = scene;
    const path = pathOf(served, "b");
    const reason = `Cannot open "${path}": No such file or directory (os error 2): open '${path}'`;
    assertEquals(scene.lines, [
      `error: LUN 0 of [b] is not served: ${reason}; initiators get NOT READY; trying again every few seconds`,
    ]);
    assertEquals(server.snapshot().problems, [
      { target: "b", lun: 0, path, sizeBytes: FILE_BYTES, isListed: true, reason },
    ]);
    const other = await scene.logIn("a");
    assertEquals(await outcomeOf(other, { cdb: write10(0, 1), write: SECTOR }), "good");
    const initiator = await scene.logIn("b");
    for (const command of NEEDING_MEDIUM) assertEquals(await outcomeOf(initiator, command), NOT_READY);
    const { data: sense } = await initiator.command({ cdb: requestSense(18), read: 18 });
    assertEquals([sense[2], sense[12], sense[13]], [2, 4, 3]);
    // The disk is the one that it was, and as large; and reservations go on.
    const { naa } = served.identities.get(path)!;
    const { data: page } = await initiator.command({ cdb: inquiry(255, 0x83), read: 255 });
    assertStringIncludes(page.toHex(), naa.toLowerCase());
    assertEquals((await initiator.command({ cdb: reportLuns(64), read: 64 })).data.length, 16);
    const { data: capacity } = await initiator.command({ cdb: readCapacity16(), read: 32 });
    assertEquals(new DataView(capacity.buffer, capacity.byteOffset).getUint32(4), FILE_BYTES / 512 - 1);
    assertEquals(await outcomeOf(initiator, { cdb: modeSense6(8, 255), read: 255 }), "good");
    assertEquals(await outcomeOf(initiator, { cdb: startStopUnit(true) }), "good");
    assertEquals(await outcomeOf(initiator, { cdb: REGISTER, write: parameterList(7) }), "good");
    assert(Deno.statSync(reservationsFileOf(workerPlaceOf(folder), naa)).isFile);
    clock.advance(2 * RETRY_MS);
    await Deno.stat(folder);
    assertEquals([scene.lines, await outcomeOf(initiator, { cdb: testUnitReady() })], [[], NOT_READY]);
    Deno.writeFileSync(path, new Uint8Array(FILE_BYTES));
    await scene.retry();
    assertEquals([scene.lines, server.snapshot().problems], [["info: LUN 0 of [b] is served now"], []]);
    assertEquals(await outcomeOf(initiator, { cdb: testUnitReady() }), READY_NOW);
    assertEquals(await outcomeOf(initiator, { cdb: write10(0, 1), write: SECTOR }), "good");
    assertEquals(await outcomeOf(initiator, { cdb: synchronizeCache10() }), "good");
    assertEquals(Deno.readFileSync(path).subarray(0, 512), SECTOR);
    const { data: keys } = await initiator.command({ cdb: READ_KEYS, read: 255 });
    assertEquals(keys.subarray(8).toHex(), "0000000000000007");
  }));

Deno.test("a LUN whose reservations are damaged gives nobody access, and is ready when they are gone", () => {
  const numberOf = (served: Served): string => served.identities.get(pathOf(served, "b"))!.naa;
  return withScene((served, folder) => {
    Deno.writeTextFileSync(reservationsFileOf(workerPlaceOf(folder), numberOf(served)), "damaged");
  }, async (scene, folder) => {
    const file = reservationsFileOf(workerPlaceOf(folder), numberOf(scene.served));
    const [line] = scene.lines;
    assertStringIncludes(
      line!,
      `error: LUN 0 of [b] is not served: Cannot read the reservations in "${file}"`,
    );
    assertStringIncludes(line!, "; restore it from a backup, or remove it once no cluster relies on it");
    const initiator = await scene.logIn("b");
    const changing = [
      { cdb: MODE_SELECT, write: new Uint8Array(12) },
      { cdb: READ_KEYS, read: 255 },
      { cdb: RESERVE },
      { cdb: RELEASE },
      { cdb: REGISTER, write: parameterList(7) },
      { cdb: startStopUnit(false) },
    ];
    for (const command of [...NEEDING_MEDIUM, ...changing]) {
      assertEquals(await outcomeOf(initiator, command), NOT_READY, command.cdb.toHex());
    }
    assertEquals(await outcomeOf(initiator, { cdb: inquiry(255), read: 255 }), "good");
    const refusal = await assertRejects(() => scene.server.clearReservations("b", 0), Error, file);
    assertStringIncludes(refusal.message, "Cannot read the reservations");
    assertEquals(scene.server.reservations().map(({ target, areKnown }) => [target, areKnown]), [[
      "b",
      false,
    ]]);
    assertEquals(Deno.readTextFileSync(file), "damaged");
    Deno.removeSync(file);
    await scene.retry();
    assertEquals(scene.lines, ["info: LUN 0 of [b] is served now"]);
    assertEquals(await outcomeOf(initiator, { cdb: testUnitReady() }), READY_NOW);
    for (const command of [...NEEDING_MEDIUM, ...changing.slice(1)]) {
      assertEquals(await outcomeOf(initiator, command), "good", command.cdb.toHex());
    }
  });
});

Deno.test("a LUN whose SANITIZE did not complete is not usable when its file is there, or its record damaged", () => {
  const numberOf = (served: Served): string => served.identities.get(pathOf(served, "b"))!.naa;
  return withScene((served, folder) => {
    Deno.removeSync(pathOf(served, "b"));
    Deno.mkdirSync(`${folder}/.iscsi/sanitize`);
    Deno.writeTextFileSync(sanitizeFileOf(workerPlaceOf(folder), numberOf(served)), "damaged");
  }, async (scene, folder) => {
    const path = pathOf(scene.served, "b");
    const file = sanitizeFileOf(workerPlaceOf(folder), numberOf(scene.served));
    const initiator = await scene.logIn("b");
    Deno.writeFileSync(path, new Uint8Array(FILE_BYTES).fill(7));
    scene.clock.advance(RETRY_MS);
    const problem = (): string => scene.server.snapshot().problems[0]!.reason;
    await until(() => problem().includes(`Cannot read in "${file}" whether`), "it is tried again");
    assertEquals(await outcomeOf(initiator, { cdb: SANITIZE_BLOCK_ERASE }), NOT_READY);
    Deno.removeSync(file);
    await openSanitizeFile(workerPlaceOf(folder), { naa: numberOf(scene.served), serialNumber: "1" }, path)
      .keep(
        "restricted",
      );
    await scene.retry();
    const about = scene.log.lines.filter((line) => line.includes("did not complete"));
    assertEquals(about.length, 1);
    assertStringIncludes(about[0]!, `warning: The last SANITIZE of "${path}" did not complete`);
    assertEquals(await outcomeOf(initiator, { cdb: testUnitReady() }), READY_NOW);
    for (const command of NEEDING_MEDIUM) {
      assertEquals(await outcomeOf(initiator, command), SANITIZE_FAILED, command.cdb.toHex());
    }
    assertEquals(await outcomeOf(initiator, { cdb: SANITIZE_BLOCK_ERASE }), "good");
    assertEquals(await outcomeOf(initiator, { cdb: read10(0, 1), read: 512 }), "good");
  });
});

Deno.test("a LUN whose journal cannot be used is not ready, and nothing is written to its file", () =>
  withScene((served, folder) => {
    const { naa } = served.identities.get(pathOf(served, "b"))!;
    Deno.mkdirSync(atomicJournalOf(workerPlaceOf(folder), naa), { recursive: true });
  }, async (scene) => {
    assertStringIncludes(scene.lines[0]!, "LUN 0 of [b] is not served: Cannot read journal");
    const initiator = await scene.logIn("b");
    assertEquals(await outcomeOf(initiator, { cdb: testUnitReady() }), NOT_READY);
  }));

Deno.test("a LUN that the supervisor has found fault with is not opened before the supervisor has looked again", () =>
  withScratch(async (folder) => {
    Deno.mkdirSync(`${folder}/.iscsi`);
    const served = makeServed(folder);
    const path = pathOf(served, "b");
    const scene = new Scene(served, new Map([[path, "another server has it"]]));
    const initiator = await scene.logIn("b");
    assertStringIncludes(
      scene.lines[0]!,
      "LUN 0 of [b] is not served: another server has it; initiators get",
    );
    scene.clock.advance(2 * RETRY_MS);
    assertEquals([scene.lines, await outcomeOf(initiator, { cdb: testUnitReady() })], [[], NOT_READY]);
    scene.server.reconfigure({ ...served, unavailable: new Map([[path, "its disk is gone"]]) });
    assertStringIncludes(scene.lines.join(), "its disk is gone");
    scene.server.reconfigure(served);
    assertEquals(scene.lines, ["info: LUN 0 of [b] is served now"]);
    assertEquals(await outcomeOf(initiator, { cdb: testUnitReady() }), READY_NOW);
    assertEquals(await outcomeOf(initiator, { cdb: testUnitReady() }), "good");
    // What is open goes on, whatever has become of its path.
    scene.server.reconfigure({ ...served, unavailable: new Map([[path, "it has been renamed"]]) });
    assertEquals([scene.lines, await outcomeOf(initiator, { cdb: testUnitReady() })], [[], "good"]);
    await scene.end();
  }));

Deno.test("a LUN without an identity is not listed, and is when it has got one", () =>
  withScratch(async (folder) => {
    Deno.mkdirSync(`${folder}/.iscsi`);
    const served = makeServed(folder);
    const path = pathOf(served, "b");
    const identities = new Map([...served.identities].filter(([key]) => key !== path));
    const scene = new Scene(
      { ...served, identities },
      new Map([[path, 'it has no identity; run "iscsi build"']]),
    );
    const initiator = await scene.logIn("b");
    assertEquals(scene.lines, ['error: LUN 0 of [b] is not served: it has no identity; run "iscsi build"']);
    assertEquals(scene.server.snapshot().problems.map(({ isListed }) => isListed), [false]);
    assertEquals(await outcomeOf(initiator, { cdb: testUnitReady() }), "5/2500");
    scene.server.reconfigure(served);
    await until(() => scene.server.snapshot().targets[1]!.logicalUnits.length === 1, "it is listed");
    assertEquals(scene.lines, ["info: LUN 0 of [b] is served now"]);
    for (const expected of ["6/2900", "6/3f0e", "good"]) {
      assertEquals(await outcomeOf(initiator, { cdb: testUnitReady() }), expected);
    }
    await scene.end();
  }));

Deno.test("a LUN that is not ready grows and is protected as the conf says, and so it is when it is ready", () =>
  withScene((served) => Deno.removeSync(pathOf(served, "b")), async (scene) => {
    const { server, served } = scene;
    const { config } = served;
    const initiator = await scene.logIn("b");
    const [a, b] = config.targets as [typeof config.targets[0], typeof config.targets[0]];
    const logicalUnits = b.logicalUnits.map((unit) => ({ ...unit, sizeBytes: 2 * FILE_BYTES }));
    const changed = { ...config, targets: [a, { ...b, readOnly: true, logicalUnits }] };
    server.reconfigure({ ...served, config: changed });
    Deno.writeFileSync(pathOf(served, "b"), new Uint8Array(2 * FILE_BYTES));
    await scene.retry();
    const [unit] = server.snapshot().targets[1]!.logicalUnits;
    assertEquals([unit!.promisedBytes, unit!.writeProtected], [2 * FILE_BYTES, true]);
    assertEquals(server.snapshot().problems, []);
    assertEquals(scene.lines.at(-1), "info: LUN 0 of [b] is served now");
    for (const expected of ["6/2a09", "6/2800", "6/2a01", "good"]) {
      assertEquals(await outcomeOf(initiator, { cdb: testUnitReady() }), expected);
    }
  }));

Deno.test("a LUN that is not ready can be removed from the conf, and one that a reload brings must be there", () =>
  withScene((served) => Deno.removeSync(pathOf(served, "b")), async (scene, folder) => {
    const { served, server } = scene;
    const lines = [`storage=${folder}`, "networks=127.0.0.0/8", "[a]", "size=4MB"];
    const alone = { ...served, config: atAnyPort(configOf(...lines)) };
    scene.lines;
    server.reconfigure(alone);
    assertEquals([scene.lines, server.snapshot().problems], [[], []]);
    await new Promise((resolve) => setTimeout(resolve));
    assertThrows(() => server.reconfigure(served), Error, `Cannot open "${pathOf(served, "b")}"`);
    assertEquals(server.snapshot().targets.map(({ name }) => name), ["a"]);
  }));
