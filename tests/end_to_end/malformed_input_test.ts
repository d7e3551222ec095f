/** A wrong conf and hostile peers do the program no harm. */
import { assert, assertEquals, assertLess } from "@std/assert";
import { writeUint24 } from "../../lib/bytes/big_endian.ts";
import type { Initiator } from "../support/initiator.ts";
import { read10, testUnitReady } from "../support/initiator_cdb.ts";
import { InitiatorConnection } from "../support/initiator_connection.ts";
import { encodeText } from "../support/initiator_text.ts";
import { dataOut, loginRequest, nopOut, type RequestPdu, scsiCommand } from "../support/initiator_request.ts";
import { runIscsi, type ServerProcess } from "../support/server_process.ts";
import { Appliance } from "./appliance.ts";
import { numberFromEnvironment, Random } from "../support/seeded_random.ts";

/** Lines of a conf, each with what the diagnostic of that line has to mention; the others are right. */
const CONF_LINES: readonly (readonly [line: string, mentions?: string])[] = [
  ["# comment"],
  ["; comment"],
  ["sessions = many", "many"],
  ["connections = 0", "0"],
  ["port = 65536", "65536"],
  ["netwroks = 10.0.0.0/8", "networks"],
  ["node = not an iqn", "not an iqn"],
  ["size = 1GB", "size"],
  // What stands there may be a secret: it is not repeated.
  ["nonsense", 'Missing "="'],
  ["initiators = iqn.2011-07.com.example:a bad", "bad"],
  ["[one]"],
  ["size = 1XB", "1XB"],
  ["readonly = perhaps", "perhaps"],
  ["networks = 10.0.0.0/33", "10.0.0.0/33"],
  ["sessions = 4", "sessions"],
  ["[two]"],
  ["size = 1000", "1000"],
  ["size = 1MB", "size"],
  ["[two]", "two"],
  ["size = 1MB"],
  ["[no size]", "no size"],
  ["[four]", "size"],
  ["comment = has no size"],
  ["[five]"],
  ["size = 1MB"],
  ["file = shared"],
  ["[six]"],
  ["size = 1MB"],
  ["file = shared", "shared"],
  ["[seven]"],
  ["size ="],
];

Deno.test("check reports every error of a conf in one run, each with its line", async () => {
  const folder = Deno.makeTempDirSync();
  try {
    const path = `${folder}/iscsi.conf`;
    Deno.writeTextFileSync(path, CONF_LINES.map(([line]) => `${line}\n`).join(""));
    const { code, stderr } = await runIscsi(["check", "--conf", path]);
    assertEquals(code, 3, stderr);
    const lines = stderr.trimEnd().split("\n");
    for (const [index, [text, mentions]] of CONF_LINES.entries()) {
      if (mentions === undefined) continue;
      const prefix = `${path}:${index + 1}: `;
      const isReported = lines.some((line) => line.startsWith(prefix) && line.includes(mentions));
      assert(isReported, `Line ${index + 1} "${text}" is not reported:\n${stderr}`);
    }
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});

const NUMBERS = { initiatorTaskTag: 1, cmdSn: 1, expStatSn: 0 };
const ISID = Uint8Array.of(0x80, 0, 0, 0, 0, 9);

function login(pairs: readonly (readonly [string, string])[]): RequestPdu {
  const text = encodeText(pairs);
  return loginRequest({ ...NUMBERS, isTransit: true, currentStage: 0, nextStage: 1, isid: ISID, text });
}

/** Returns a login request whose header claims that this much data follows. */
function lyingLogin(dataSegmentLength: number, ahsWords = 0): Uint8Array {
  const pdu = login([["InitiatorName", "iqn.2011-07.com.example:89abcdef"]]);
  writeUint24(pdu.header, 5, dataSegmentLength);
  pdu.header[4] = ahsWords;
  return pdu.header;
}

/** Attacks before the login. After each of them but a cut-off PDU the server closes the connection. */
const ATTACKS: Readonly<Record<string, () => (RequestPdu | Uint8Array)[]>> = {
  "a data segment of 16 MiB": () => [lyingLogin(0xffffff), new Uint8Array(0xffffff)],
  "additional headers of 1020 bytes": () => [lyingLogin(0, 255), new Uint8Array(1020)],
  "a command instead of a login": () => [
    scsiCommand({
      ...NUMBERS,
      isFinal: true,
      reads: true,
      writes: false,
      lun: 0,
      expectedLength: 512,
      cdb: read10(0, 1),
    }),
  ],
  "data that nobody asked for": () => [
    dataOut({ ...NUMBERS, isFinal: true, lun: 0, dataSn: 0, bufferOffset: 0, data: new Uint8Array(8192) }),
  ],
  "a ping instead of a login": () => [nopOut(NUMBERS)],
  "text without an end": () => [
    loginRequest({
      ...NUMBERS,
      isTransit: true,
      currentStage: 0,
      nextStage: 1,
      isid: ISID,
      text: new Uint8Array(8000).fill(65),
    }),
  ],
  "text that is not UTF-8": () => [
    loginRequest({
      ...NUMBERS,
      isTransit: true,
      currentStage: 0,
      nextStage: 1,
      isid: ISID,
      text: Uint8Array.of(73, 61, 0xff, 0xfe, 0),
    }),
  ],
  "no name": () => [login([["SessionType", "Discovery"]])],
  "text that goes on and on": () =>
    Array.from({ length: 200 }, () =>
      loginRequest({
        ...NUMBERS,
        isTransit: false,
        isContinued: true,
        currentStage: 0,
        nextStage: 0,
        isid: ISID,
        text: new Uint8Array(8192).fill(65),
      })),
  "a version that does not exist": () => {
    const pdu = login([["InitiatorName", "iqn.2011-07.com.example:89abcdef"]]);
    pdu.header.fill(9, 2, 4);
    return [pdu];
  },
  "a web browser": () => [new TextEncoder().encode("GET / HTTP/1.1\r\nHost: appliance\r\n\r\n".repeat(4))],
};

/** The peer's end of an attack: whatever it is answered, it is disconnected soon. */
async function expectDisconnected(connection: InitiatorConnection): Promise<void> {
  const answersMax = 200;
  for (let i = 0; i < answersMax; i++) {
    const isEnd = await connection.receive(10_000).then(() => false, (error) => {
      if (error.name === "ConnectionClosed") return true;
      throw error;
    });
    if (isEnd) return;
  }
  throw new Error(`The server answered ${answersMax} times and did not disconnect`);
}

async function attack(port: number, parts: readonly (RequestPdu | Uint8Array)[]): Promise<void> {
  const connection = await InitiatorConnection.connect(port);
  try {
    // The server need not take it all.
    await Promise.all([connection.send(...parts).catch(() => {}), expectDisconnected(connection)]);
  } finally {
    await connection.close();
  }
}

/** A good initiator is served as before, and the server has not swelled. */
async function expectUnharmed(
  server: ServerProcess,
  initiator: Initiator,
  residentBytesBefore: number,
): Promise<void> {
  assertEquals((await initiator.command({ cdb: read10(0, 128), read: 65536 })).data.length, 65536);
  assertEquals(server.isEnded, false);
  assertLess(server.residentBytes() - residentBytesBefore, 128 * 1024 ** 2);
}

Deno.test("hostile peers lose their connection and harm nobody", async () => {
  using appliance = Appliance.create();
  await using server = await appliance.serve();
  await using initiator = await appliance.login();
  await initiator.command({ cdb: testUnitReady() });
  const before = server.residentBytes();
  for (const [name, parts] of Object.entries(ATTACKS)) {
    await attack(appliance.port, parts()).catch((error) => {
      throw new Error(`${name}: ${error}`);
    });
    await expectUnharmed(server, initiator, before);
  }
});

Deno.test("a peer that sends 16 MiB before its login, many times at once, does not fill the memory", async () => {
  using appliance = Appliance.create();
  await using server = await appliance.serve();
  await using initiator = await appliance.login();
  await initiator.command({ cdb: testUnitReady() });
  const before = server.residentBytes();
  const huge = [lyingLogin(0xffffff), new Uint8Array(0xffffff)];
  await Promise.all(Array.from({ length: 16 }, () => attack(appliance.port, huge)));
  await expectUnharmed(server, initiator, before);
});

Deno.test("random bytes and random PDUs harm nobody", async () => {
  using appliance = Appliance.create();
  await using server = await appliance.serve();
  await using initiator = await appliance.login();
  await initiator.command({ cdb: testUnitReady() });
  const before = server.residentBytes();
  const seed = numberFromEnvironment("FUZZ_SEED", 20070101);
  const random = new Random(seed);
  for (let round = 0; round < 100; round++) {
    const bytes = random.bytes(48 + random.below(4000));
    // Every other time, a PDU whose lengths can be right.
    if (round % 2 === 0) {
      bytes[0] = [0x43, 0x03, 0x40, 0x01, 0x04, 0x05, 0x06, 0x10][random.below(8)]!;
      bytes[4] = 0;
      writeUint24(bytes, 5, random.below(bytes.length - 48));
    }
    const connection = await InitiatorConnection.connect(appliance.port);
    await connection.send(bytes).catch(() => {});
    await connection.close();
  }
  await expectUnharmed(server, initiator, before).catch((error) => {
    throw new Error(`FUZZ_SEED=${seed}: ${error}`);
  });
});

Deno.test("peers that say nothing, or half a PDU, do not keep others out for long", async () => {
  using appliance = Appliance.create();
  await using server = await appliance.serve();
  const idle: InitiatorConnection[] = [];
  try {
    for (let i = 0; i < 24; i++) {
      const connection = await InitiatorConnection.connect(appliance.port);
      idle.push(connection);
      if (i % 2 === 0) await connection.send(lyingLogin(64).subarray(0, 1 + i));
    }
    await using initiator = await appliance.login();
    assertEquals((await initiator.nop()).data.length, 0);
    await Promise.all(idle.map((connection) =>
      connection.receive(30_000).catch((error) => {
        assertEquals(error.name, "ConnectionClosed");
      })
    ));
    assertEquals((await initiator.nop()).data.length, 0);
    assertEquals(server.isEnded, false);
  } finally {
    for (const connection of idle) await connection.close();
  }
});

Deno.test("a peer that has logged in and then sends nonsense loses its connection only", async () => {
  using appliance = Appliance.create();
  await using server = await appliance.serve();
  await using bystander = await appliance.login({ isid: Uint8Array.of(0x80, 0, 0, 0, 0, 1) });
  await bystander.command({ cdb: testUnitReady() });
  const before = server.residentBytes();
  for (const opcode of [0x1f, 0x3f, 0x20, 0x05, 0x01, 0x03]) {
    const peer = await appliance.login({ isid: Uint8Array.of(0x80, 0, 0, 0, 0, 2) });
    const pdu = nopOut({ initiatorTaskTag: 0x77, cmdSn: peer.nextCmdSn, expStatSn: peer.expStatSn });
    pdu.header[0] = opcode;
    writeUint24(pdu.header, 5, 0xffffff);
    await Promise.all([
      peer.send(pdu, new Uint8Array(0xffffff)).catch(() => {}),
      peer.receiveEnd(10_000),
    ]);
    await peer.close();
    await expectUnharmed(server, bystander, before);
  }
});
