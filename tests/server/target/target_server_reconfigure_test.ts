/** A server that becomes another while initiators use it, in one process and on real files. */
import { assert, assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { delay } from "../../../lib/base/delay.ts";
import { readUint16 } from "../../../lib/bytes/big_endian.ts";
import { TargetServer } from "../../../lib/server/target/target_server.ts";
import type { PunchResult } from "../../../lib/store/hole_puncher.ts";
import { Initiator } from "../../support/initiator.ts";
import {
  inquiry,
  modeSense6,
  read10,
  readCapacity16,
  reportLuns,
  testUnitReady,
  write10,
} from "../../support/initiator_cdb.ts";
import { LoginRefused } from "../../support/initiator_login.ts";
import { Opcode } from "../../support/initiator_pdu.ts";
import { dataOut, scsiCommand } from "../../support/initiator_request.ts";
import { ScsiStatus } from "../../support/initiator_sense.ts";
import { NODE, withBed } from "./_bed.ts";
import { leaveWriteOpen } from "../_serving.ts";
import { until, untilAsked } from "../../support/until.ts";
import { numbered } from "../../support/exchanges.ts";

const TARGET_REMOVED = 0x0204;

/** The additional sense code that a command ends with; 0 when it is good. */
async function codeOf(initiator: Initiator, cdb: Uint8Array, lun = 0): Promise<number> {
  return (await initiator.command({ cdb, lun, read: 255 })).sense?.code ?? 0;
}

/** Waits until LUN 0 is ready, for ten seconds at the most. */
async function untilReady(initiator: Initiator): Promise<void> {
  for (let tries = 0; await codeOf(initiator, testUnitReady()) !== 0; tries++) {
    if (tries === 2_000) throw new Error("LUN 0 does not become ready");
    await delay(5);
  }
}

async function blocksOf(initiator: Initiator, lun = 0): Promise<number> {
  const { data } = await initiator.command({ cdb: readCapacity16(), lun, read: 32 });
  return new DataView(data.buffer, data.byteOffset).getUint32(4) + 1;
}

const A = ["[a]", "size=4MB"];
const B = ["[b]", "size=4MB"];

Deno.test("sessions that no change concerns see no error, no unit attention and no end", () =>
  withBed([...A, "[b]", "size=4MB 4MB", "[c]", "size=4MB"], async (bed) => {
    const calm = await Promise.all([bed.work("one", "a"), bed.work("two", "a")]);
    const grower = await bed.work("three", "b");
    const loser = await bed.work("four", "b", { lun: 1 });
    const stranger = await bed.work("five", "c");
    const obstinate = await bed.work("six", "c", { obeys: false });
    for (const initiator of calm) await initiator.untilRounds(5);
    assertEquals(
      bed.reconfigure(
        ...[...A, "comment=new", "[b]", "size=8MB", "[c]", "size=4MB", "initiators=iqn.2000-01.test:other"],
        ...["[d]", "size=4MB"],
      ),
      [
        'set comment of [a] from "a" to "new": nobody',
        "remove LUN 1 of [b]: three four",
        "grow LUN 0 of [b] from 4 MB to 8 MB: three four",
        "set initiators of [c] from all to iqn.2000-01.test:other: five six",
        "add target [d] with 1 LUN: nobody",
      ],
    );
    await loser.ended;
    assertEquals(loser.diary, ["2500"]);
    await grower.untilRounds(5);
    assertEquals(grower.diary, ["3f0e", "2a09"]);
    await stranger.ended;
    assertEquals(stranger.diary, ["asked to log out", "login refused: 203"]);
    await obstinate.untilNoted("asked to log out");
    await obstinate.untilRounds(3);
    bed.clock.advance(10_000);
    await obstinate.ended;
    assertEquals(obstinate.diary, ["asked to log out", "cut off"]);
    const newcomer = await bed.work("seven", "d");
    await newcomer.untilRounds(5);
    for (const initiator of [...calm, newcomer]) {
      await initiator.untilRounds(5);
      assertEquals(initiator.diary, []);
    }
  }));

Deno.test("reconfigure() asks those to log out whose secrets hold no more, and takes the new ones", () =>
  withBed([...A, "user=bob", "secret=bobsecret-one"], async (bed) => {
    const [one, two] = ["bobsecret-one", "bobsecret-two"].map((secret) => ({ name: "bob", secret }));
    await bed.connect("a", "one", one);
    const mutual = ["mutual_user=box", "mutual_secret=targetsecret1"];
    const change = "set CHAP of [a] from 1 name to 1 name";
    assertEquals(bed.reconfigure(...A, "user=bob", "secret=bobsecret-one", ...mutual), [`${change}: nobody`]);
    assertEquals(bed.reconfigure(...A, "user=rob", "secret=bobsecret-two"), [`${change}: one`]);
    // An initiator that has the new name and secret takes back its session, which began under the old ones.
    await bed.connect("a", "one", { ...two!, name: "rob" });
    await assertRejects(() => bed.connect("a", "two", one), LoginRefused, "0201h");
    assertStringIncludes(bed.log.lines.join("\n"), 'CHAP name "bob" is unknown');
    assertEquals(bed.reconfigure(...A), ["set CHAP of [a] from 1 name to none: nobody"]);
    await bed.connect("a", "two");
    assertEquals(bed.log.lines.filter((line) => line.includes("secret-")), []);
  }));

Deno.test("reconfigure() grows a LUN to its last block, for the session that is there and for the next", () =>
  withBed(A, async (bed) => {
    const initiator = await bed.connect("a");
    bed.reconfigure("[a]", "size=6MB");
    assertEquals(await codeOf(initiator, testUnitReady()), 0x2a09);
    assertEquals(await codeOf(initiator, testUnitReady()), 0);
    assertEquals(await blocksOf(initiator), 12288);
    const write = new Uint8Array(512).fill(7);
    assertEquals((await initiator.command({ cdb: write10(12287, 1), write })).status, ScsiStatus.good);
    assertEquals((await initiator.command({ cdb: write10(12288, 1), write })).sense?.code, 0x2100);
    const next = await bed.connect("a", "next");
    assertEquals(await blocksOf(next), 12288);
    assertEquals((await next.command({ cdb: read10(12287, 1), read: 512 })).data, write);
  }));

Deno.test("reconfigure() lets a write end that is under way at a LUN which goes", () =>
  withBed(["[a]", "size=4MB 4MB"], async (bed) => {
    const initiator = await bed.connect("a");
    await initiator.command({ cdb: testUnitReady(), lun: 1 });
    const request = { ...numbered(initiator), isFinal: true, reads: false, writes: true, lun: 1 };
    await initiator.send(scsiCommand({ ...request, expectedLength: 4096, cdb: write10(0, 8) }));
    const wanted = await initiator.receive();
    assertEquals([wanted.opcode, wanted.desiredLength], [Opcode.readyToTransfer, 4096]);
    bed.reconfigure(...A);
    assertEquals(await codeOf(initiator, testUnitReady(), 1), 0x2500);
    await initiator.send(dataOut({
      ...request,
      expStatSn: initiator.expStatSn,
      targetTransferTag: wanted.targetTransferTag,
      dataSn: 0,
      bufferOffset: 0,
      data: new Uint8Array(4096).fill(9),
    }));
    const response = await initiator.receive();
    assertEquals([response.opcode, response.header[3]], [Opcode.scsiResponse, ScsiStatus.good]);
    assertEquals(Deno.readFileSync(bed.pathOf("a_1")).subarray(0, 4096), new Uint8Array(4096).fill(9));
    const { data } = await initiator.command({ cdb: reportLuns(64), read: 64 });
    assertEquals(data.length, 16);
    assertEquals(await codeOf(initiator, testUnitReady()), 0, "REPORT LUNS has told of it");
  }));

Deno.test("reconfigure() has a new target take over the file of one that goes, when its sessions have gone", () =>
  withBed(A, async (bed) => {
    const initiator = await bed.connect("a");
    const write = new Uint8Array(512).fill(0x31);
    await initiator.command({ cdb: write10(5, 1), write });
    await leaveWriteOpen(initiator);
    bed.reconfigure("[z]", "size=4MB", "file=a");
    const refusal = await assertRejects(() => bed.connect("a", "late"), LoginRefused);
    assertEquals(refusal.status, TARGET_REMOVED);
    const early = await Initiator.connect(bed.server.addresses[0]!.port);
    await early.login({ targetName: `${NODE}:z` });
    assertEquals(await codeOf(early, testUnitReady()), 0x2500);
    bed.clock.advance(10_000);
    assert((await initiator.receiveEnd()).length > 0);
    await until(
      () => bed.server.preview(bed.settings("[z]", "size=4MB", "file=a")).length === 0,
      "it is z's",
    );
    await untilReady(early);
    assertEquals((await early.command({ cdb: read10(5, 1), read: 512 })).data, write);
    await early.close();
  }));

Deno.test("reconfigure() lets a copy to a LUN which goes end where it is, before another one gets the file", () =>
  withBed(A, async (bed) => {
    const [reached, gate] = [Promise.withResolvers<void>(), Promise.withResolvers<PunchResult>()];
    const punch = (): Promise<PunchResult> => {
      reached.resolve();
      return gate.promise;
    };
    const settings = bed.settings(...A, ...B);
    const path = bed.pathOf("b");
    bed.server.reconfigure({ ...settings, puncherOf: (of) => of === path ? { punch } : undefined });
    const [source, destination] = [await bed.connect("a"), await bed.connect("b")];
    const write = new Uint8Array(4096).fill(7);
    assertEquals((await destination.command({ cdb: write10(0, 8), write })).status, ScsiStatus.good);
    const naas = ["a", "b"].map((file) => settings.identities.get(bed.pathOf(file))!.naa);
    const list = Uint8Array.fromHex(
      "00000040000000000000001c00000000" +
        naas.map((naa) => `e400000001030008${naa}${"00".repeat(13)}000200`.padEnd(64, "0")).join("") +
        `020000180000000100000008${"00".repeat(16)}`,
    );
    const cdb = new Uint8Array(16);
    cdb.set([0x83]);
    cdb[13] = list.length;
    const copied = source.command({ cdb, write: list });
    await Promise.race([
      reached.promise,
      copied.then(({ status, sense }) => assertEquals([status, sense], [])),
    ]);
    bed.reconfigure(...A, "[c]", "size=4MB", "file=b");
    await destination.close();
    await until(() => bed.log.lines.some((line) => line.includes("session ends")), "the session has ended");
    const heir = await bed.connect("c", "heir");
    await new Promise((resolve) => setTimeout(resolve, 50));
    gate.resolve("refused");
    assertEquals((await copied).status, ScsiStatus.good);
    await until(() => bed.server.snapshot().targets.at(-1)!.logicalUnits.length === 1, "[c] has its LUN");
    for (const _attention of ["power on", "LUNs have changed"]) await heir.command({ cdb: testUnitReady() });
    const { data } = await heir.command({ cdb: read10(0, 8), read: 4096 });
    assertEquals(data, new Uint8Array(4096));
  }));

Deno.test("reconfigure() tries again to serve a LUN whose file could not be opened when it was free", () =>
  withBed(A, async (bed) => {
    const before = await bed.connect("a");
    const conf = ["[c]", "size=4MB", "file=a"];
    const { naa } = bed.settings(...conf).identities.values().next().value!;
    bed.reconfigure(...conf);
    const folder = `${bed.pathOf(".iscsi")}/reservations`;
    Deno.mkdirSync(folder);
    Deno.writeTextFileSync(`${folder}/${naa.toLowerCase()}.json`, "damaged");
    await before.close();
    await until(
      () => bed.log.lines.some((line) => line.startsWith("error: LUN 0 of [c] is not served")),
      "the file is free, but the LUN is not ready",
    );
    assertEquals(bed.server.snapshot().problems.map(({ target, isListed }) => [target, isListed]), [[
      "c",
      true,
    ]]);
    Deno.removeSync(folder, { recursive: true });
    assertEquals(bed.reconfigure(...conf), []);
    assertEquals(bed.server.snapshot().problems, []);
  }));

Deno.test("reconfigure() replaces a LUN of another kind, which only those find who log in afterwards", () =>
  withBed([...A, ...B], async (bed) => {
    const calm = await bed.work("one", "b");
    const worker = await bed.work("two", "a", { obeys: false });
    const changed = ["[a]", "size=4MB", "blocksize=4096"];
    assertEquals(bed.reconfigure(...changed, ...B), ["replace LUN 0 of [a]: another blocksize: two"]);
    await worker.ended;
    assertEquals(worker.diary.filter((entry) => entry !== "asked to log out"), ["2500"]);
    const next = await bed.connect("a", "next");
    await untilReady(next);
    assertEquals(await blocksOf(next), 1024);
    await calm.untilRounds(3);
    assertEquals(calm.diary, []);
  }));

Deno.test("reconfigure() exchanges the files of two targets", () =>
  withBed([...A, ...B], async (bed) => {
    const initiator = await bed.connect("a");
    const write = new Uint8Array(512).fill(0x77);
    await initiator.command({ cdb: write10(0, 1), write });
    await initiator.close();
    bed.reconfigure(...A, "file=b", ...B, "file=a");
    const next = await bed.connect("b", "next");
    await untilReady(next);
    assertEquals((await next.command({ cdb: read10(0, 1), read: 512 })).data, write);
  }));

Deno.test("reconfigure() protects a target from writing and gives it free again, under its sessions", () =>
  withBed(A, async (bed) => {
    const initiator = await bed.connect("a");
    const write = new Uint8Array(512).fill(1);
    const isProtected = async (): Promise<boolean> =>
      ((await initiator.command({ cdb: modeSense6(0x3f, 255), read: 255 })).data[2]! & 0x80) !== 0;
    for (const readOnly of [true, false, true]) {
      bed.reconfigure(...A, `readonly=${readOnly ? "y" : "n"}`);
      assertEquals(await codeOf(initiator, testUnitReady()), 0x2a01);
      assertEquals(await isProtected(), readOnly);
      const { status, sense } = await initiator.command({ cdb: write10(0, 1), write });
      assertEquals(
        [status, sense?.code],
        readOnly ? [ScsiStatus.checkCondition, 0x2700] : [ScsiStatus.good, undefined],
      );
      assertEquals((await initiator.command({ cdb: read10(0, 1), read: 512 })).status, ScsiStatus.good);
    }
  }));

Deno.test("reconfigure() takes the write cache away and gives it back, under the sessions", () =>
  withBed(A, async (bed) => {
    const initiator = await bed.connect("a");
    for (const wce of [0, 4, 0]) {
      bed.reconfigure(...A, `writecache=${wce === 0 ? "n" : "y"}`);
      const codes = new Set<number | undefined>();
      await untilAsked(async () => {
        codes.add(await codeOf(initiator, testUnitReady()));
        return codes.size === 3;
      }, "two unit attentions arrive");
      assertEquals([...codes].toSorted(), [0, 0x2a01, 0x3f03].toSorted());
      const { data } = await initiator.command({ cdb: modeSense6(0x08, 255), read: 255 });
      assertEquals(data[data.length - 18]! & 0x04, wce);
      const write = new Uint8Array(512).fill(wce + 1);
      assertEquals((await initiator.command({ cdb: write10(0, 1), write })).status, ScsiStatus.good);
    }
  }));

Deno.test("reconfigure() tells of another product, and gives new logins another comment and alias", () =>
  withBed(A, async (bed) => {
    const initiator = await bed.connect("a");
    bed.reconfigure(...A, "product=OTHER", "comment=Friendly", "alias=x");
    assertEquals(await codeOf(initiator, testUnitReady()), 0x3f03);
    const { data } = await initiator.command({ cdb: inquiry(36), read: 36 });
    assertStringIncludes(new TextDecoder().decode(data), "OTHER");
    const next = await Initiator.connect(bed.server.addresses[0]!.port);
    const { answered } = await next.login({ targetName: `${NODE}:x` });
    assertEquals(new Map(answered).get("TargetAlias"), "Friendly");
    bed.reconfigure(...A, "product=OTHER", "comment=Friendly");
    assertEquals((await next.receive()).asynchronousEvent, 1);
    await next.close();
    assertEquals(await codeOf(initiator, testUnitReady()), 0);
  }));

Deno.test("reconfigure() that fails changes nothing, and a later one does", () =>
  withBed(A, async (bed) => {
    const calm = await bed.work("one", "a");
    const lines = ["[a]", "size=8MB", "[b]", "size=4MB", "[c]", "size=4MB"];
    const settings = bed.settings(...lines);
    const { path } = settings.config.targets[2]!.logicalUnits[0]!;
    Deno.removeSync(path);
    assertThrows(() => bed.server.reconfigure(settings), Error, path);
    using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const portals = [...settings.portals, { address: "127.0.0.1", port: taken.addr.port }];
    assertThrows(() => bed.server.reconfigure({ ...bed.settings(...lines), portals }), Error, "in use");
    await calm.untilRounds(3);
    assertEquals(calm.diary, []);
    await assertRejects(() => bed.connect("b"), LoginRefused);
    assertEquals(bed.reconfigure(...lines).length, 3);
    await calm.untilNoted("2a09");
    assertEquals(await codeOf(await bed.connect("b"), testUnitReady()), 0);
  }));

Deno.test("reconfigure() listens elsewhere for new connections, and keeps those that there are", () =>
  withBed(A, async (bed) => {
    const calm = await bed.work("one", "a");
    const settings = bed.settings(...A);
    const before = bed.server.addresses[0]!.port;
    bed.server.reconfigure({ ...settings, portals: [{ address: "127.0.0.2", port: 0 }] });
    const [address] = bed.server.addresses;
    assertEquals(address!.hostname, "127.0.0.2");
    await assertRejects(() => Initiator.connect(before));
    const other = await Initiator.connect(address!.port, {}, "127.0.0.2");
    await other.login({ targetName: `${NODE}:a` });
    await other.close();
    await calm.untilRounds(3);
    assertEquals(calm.diary, []);
  }));

Deno.test("reconfigure() makes limits hold for new logins only", () =>
  withBed(A, async (bed) => {
    const calm = await Promise.all([bed.work("one", "a"), bed.work("two", "a")]);
    bed.reconfigure("sessions=1", ...A);
    assertEquals((await assertRejects(() => bed.connect("a"), LoginRefused)).status, 0x0302);
    for (const initiator of calm) {
      await initiator.untilRounds(3);
      assertEquals(initiator.diary, []);
    }
  }));

const SANITIZE_IN_PROGRESS = 0x041b;
const SANITIZE_FAILED = 0x3103;

/** SANITIZE OVERWRITE, so often that it takes long; resolves with the additional sense code that it ends with. */
async function overwrite(initiator: Initiator, lun: number): Promise<number> {
  const write = Uint8Array.of(0x1f, 0, 0, 1, 0xaa);
  const cdb = Uint8Array.of(0x48, 0x01, 0, 0, 0, 0, 0, 0, write.length, 0);
  return (await initiator.command({ cdb, lun, write })).sense?.code ?? 0;
}

async function untilSanitizing(initiator: Initiator, lun: number): Promise<void> {
  for (let round = 0; round < 10_000; round++) {
    if (await codeOf(initiator, testUnitReady(), lun) === SANITIZE_IN_PROGRESS) return;
  }
  throw new Error("The LUN is not sanitized");
}

Deno.test("a LUN that is removed while it is sanitized is not sanitized, and says so when it is back", () =>
  withBed(["[a]", "size=4MB 32MB"], async (bed) => {
    const [one, two] = [await bed.connect("a"), await bed.connect("a", "other")];
    for (const initiator of [one, two]) await codeOf(initiator, testUnitReady(), 1);
    const sanitized = overwrite(one, 1);
    await untilSanitizing(two, 1);
    bed.reconfigure(...A);
    assertEquals(await sanitized, SANITIZE_FAILED);
    const isLogged = (text: string): boolean => bed.log.lines.some((line) => line.includes(text));
    await until(() => isLogged("was interrupted and has failed"), "it is logged");
    bed.reconfigure("[a]", "size=4MB 32MB");
    await until(() => isLogged("did not complete: the LUN refuses"), "the file is open again");
    const back = await bed.connect("a", "third");
    await codeOf(back, testUnitReady(), 1);
    assertEquals(await codeOf(back, read10(0, 1), 1), SANITIZE_FAILED);
    const blockErase = Uint8Array.of(0x48, 0x02, 0, 0, 0, 0, 0, 0, 0, 0);
    assertEquals([await codeOf(back, blockErase, 1), await codeOf(back, read10(0, 1), 1)], [0, 0]);
  }));

Deno.test("a SANITIZE that stop() ends early has failed, for the next server, too", () =>
  withBed(["[a]", "size=32MB"], async (bed) => {
    const initiator = await bed.connect("a");
    const sanitized = overwrite(initiator, 0).catch(() => undefined);
    const other = await bed.connect("a", "other");
    await untilSanitizing(other, 0);
    const settings = bed.settings("[a]", "size=32MB");
    await bed.server.stop();
    await sanitized;
    const next = TargetServer.start({ ...settings, log: bed.log, clock: bed.clock });
    try {
      const again = await Initiator.connect(next.addresses[0]!.port);
      await again.login({ targetName: `${NODE}:a` });
      await again.command({ cdb: testUnitReady() });
      assertEquals(await codeOf(again, write10(0, 1)), SANITIZE_FAILED);
      await again.close();
    } finally {
      await next.stop();
    }
  }));

const MEDIUM_FORMAT_CORRUPTED = 0x3100;

/** Waits until FORMAT UNIT has changed blocks: its progress is more than zero. */
async function untilFormatting(initiator: Initiator): Promise<void> {
  const cdb = Uint8Array.of(0x03, 0, 0, 0, 18, 0);
  for (let round = 0; round < 10_000; round++) {
    const { data } = await initiator.command({ cdb, read: 18 });
    if (data[12] === 0x04 && data[13] === 0x04 && readUint16(data, 16) > 0) return;
  }
  throw new Error("The LUN is not formatted");
}

Deno.test("a FORMAT UNIT that stop() ends early has failed, for the next server, too", () =>
  withBed(["[a]", "size=64MB"], async (bed) => {
    const initiator = await bed.connect("a");
    const write = Uint8Array.of(0, 0x8a, 0, 0, 0, 1, 0, 1, 0xaa);
    const format = { cdb: Uint8Array.of(0x04, 0x18, 0, 0, 0, 0), write };
    assertEquals((await initiator.command(format)).status, ScsiStatus.good);
    await untilFormatting(initiator);
    const settings = bed.settings("[a]", "size=64MB");
    await bed.server.stop();
    assertStringIncludes(bed.log.lines.join("\n"), "was interrupted and has failed; send it again");
    const next = TargetServer.start({ ...settings, log: bed.log, clock: bed.clock });
    try {
      assertStringIncludes(bed.log.lines.join("\n"), "until another FORMAT UNIT or SANITIZE completes");
      const again = await Initiator.connect(next.addresses[0]!.port);
      await again.login({ targetName: `${NODE}:a` });
      await again.command({ cdb: testUnitReady() });
      for (const cdb of [testUnitReady(), read10(0, 1)]) {
        assertEquals(await codeOf(again, cdb), MEDIUM_FORMAT_CORRUPTED);
      }
      assertEquals(await blocksOf(again), 131_072);
      assertEquals(await codeOf(again, Uint8Array.of(0x04, 0, 0, 0, 0, 0)), 0);
      assertEquals((await again.command({ cdb: read10(0, 1), read: 512 })).data, new Uint8Array(512));
      await again.close();
    } finally {
      await next.stop();
    }
  }));

Deno.test("stop() ends in order while a target drains and another waits for its file", () =>
  withBed(A, async (bed) => {
    const obstinate = await bed.work("one", "a", { obeys: false });
    bed.reconfigure("[z]", "size=4MB", "file=a");
    await obstinate.untilNoted("asked to log out");
    await bed.server.stop();
    await obstinate.ended;
    assertEquals(obstinate.diary, ["asked to log out", "cut off"]);
  }));
