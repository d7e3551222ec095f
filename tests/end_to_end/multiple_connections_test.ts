/** Sessions of several connections, and peers that are gone, with the program over real sockets. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { Initiator } from "../support/initiator.ts";
import { read10, synchronizeCache10, testUnitReady, write10 } from "../support/initiator_cdb.ts";
import { LoginRefused } from "../support/initiator_login.ts";
import { NO_TAG } from "../support/initiator_pdu.ts";
import { LogoutReason } from "../support/initiator_request.ts";
import { Appliance } from "./appliance.ts";

const CONNECTIONS = 8;
const PIECE_BYTES = 131_072;
const BLOCKS = PIECE_BYTES / 512;
const ROUNDS = 8;
const TARGET = "iqn.2002-08.info.netmanager:disk";

const CONF = `
connections = ${CONNECTIONS + 1}
ping = 1
pingtimeout = 1

[disk]
size = 64MB
networks = 127.0.0.0/8
`;

/** Returns a session with eight connections, of which connection n has n as its identifier. */
async function logIn(port: number): Promise<{ tsih: number; initiators: Initiator[] }> {
  const leading = await Initiator.connect(port);
  const { tsih } = await leading.login({ targetName: TARGET, keys: { MaxConnections: `${CONNECTIONS}` } });
  await leading.command({ cdb: testUnitReady() });
  const initiators = [leading];
  for (let connectionId = 1; connectionId < CONNECTIONS; connectionId++) {
    initiators.push(await join(port, leading, { tsih, connectionId }));
  }
  return { tsih, initiators };
}

async function join(
  port: number,
  leading: Initiator,
  options: { tsih: number; connectionId: number },
): Promise<Initiator> {
  const initiator = await Initiator.connect(port, { numbers: leading.numbers });
  await initiator.join(leading, { targetName: TARGET, ...options });
  return initiator;
}

function piece(index: number): Uint8Array {
  return new Uint8Array(PIECE_BYTES).map((_, offset) => offset * 31 + index * 7);
}

/** Writes pieces of its own and reads those that another connection has written before. */
async function work(initiators: readonly Initiator[], index: number, round: number): Promise<void> {
  const own = round * CONNECTIONS + index;
  const written = await initiators[index]!.command({ cdb: write10(own * BLOCKS, BLOCKS), write: piece(own) });
  assertEquals(written.status, 0);
  const other = (round - 1) * CONNECTIONS + (index + 1) % CONNECTIONS;
  if (other < 0) return;
  const { data } = await initiators[index]!.command({
    cdb: read10(other * BLOCKS, BLOCKS),
    read: PIECE_BYTES,
  });
  assertEquals(data, piece(other));
}

Deno.test("a session of eight connections keeps its data through the loss and reinstatement of one", async () => {
  using appliance = Appliance.create(CONF);
  await using server = await appliance.serve();
  const { port } = appliance;
  const { tsih, initiators } = await logIn(port);
  const [leading] = initiators as [Initiator];
  const tooMany = await assertRejects(() => join(port, leading, { tsih, connectionId: 8 }), LoginRefused);
  assertEquals(tooMany.status, 0x0206);
  for (let round = 0; round < ROUNDS; round++) {
    await Promise.all(initiators.map((_, index) => work(initiators, index, round)));
    if (round === 2) await initiators[5]!.close();
    // Of these two the first is closed already, and the second is not.
    for (const connectionId of round === 2 ? [5, 6] : []) {
      initiators[connectionId] = await join(port, leading, { tsih, connectionId });
    }
  }
  assertEquals((await initiators[3]!.command({ cdb: synchronizeCache10() })).status, 0);
  const stored = Deno.readFileSync(`${appliance.storage}/disk`);
  for (let index = 0; index < ROUNDS * CONNECTIONS; index++) {
    const start = index * PIECE_BYTES;
    assertEquals(stored.subarray(start, start + PIECE_BYTES), piece(index), `piece ${index}`);
  }
  assertEquals(await leading.logout(LogoutReason.closeConnection, 7), 0);
  await initiators[7]!.close();
  await server.stop();
  const events = (await initiators[1]!.receiveEnd()).map(({ asynchronousEvent }) => asynchronousEvent);
  assertEquals(events.at(-1), 3, "the server has said that it ends");
  for (const initiator of initiators) await initiator.close();
});

Deno.test("a peer that does not answer pings is disconnected, and one that does is not", async () => {
  using appliance = Appliance.create(CONF);
  await using _server = await appliance.serve();
  const answering = await appliance.login({ targetName: TARGET });
  const silent = await appliance.login({
    targetName: TARGET,
    isid: Uint8Array.of(0x80, 0, 0, 0, 0, 2),
    answersPings: false,
  });
  // While this waits it answers the target's pings.
  const waiting = answering.receive(20_000).catch(() => undefined);
  const pdus = await silent.receiveEnd(15_000);
  assert(pdus.length === 1 && pdus[0]!.targetTransferTag !== NO_TAG, "it was asked once");
  await answering.nop();
  await answering.close();
  await waiting;
  await silent.close();
});
