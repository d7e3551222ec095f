/**
 * Between which targets an initiator can copy: those that it is logged in to, and may be over this connection.
 */
import { assertEquals } from "@std/assert";
import type { Initiator } from "../../support/initiator.ts";
import { ScsiStatus } from "../../support/initiator_sense.ts";
import { MemoryStore } from "../../support/memory_store.ts";
import { nameOf, withHarness } from "../../support/harness.ts";
import { contentOf, pattern } from "../../support/content.ts";

const NAAS = { source: "3000000000000001", destination: "3000000000000002" } as const;
const SIZE_BYTES = 1024 * 1024;
const NAME = "iqn.2011-07.com.example:89abcdef";

/** COPY ABORTED, COPY TARGET DEVICE NOT REACHABLE. */
const NOT_REACHABLE = "a/d02";

function cscd(naa: string): number[] {
  return [0xe4, 0, 0, 0, 1, 3, 0, 8, ...Uint8Array.fromHex(naa), ...new Uint8Array(12), 0, 0, 2, 0];
}

/** Copies the first eight blocks; returns the sense key, code and qualifier, or nothing when that went well. */
async function copyBlocks(initiator: Initiator): Promise<string> {
  const segment = [2, 0, 0, 0x18, 0, 0, 0, 1, 0, 0, 0, 8, ...new Uint8Array(16)];
  const header = [1, 0, 0, 64, 0, 0, 0, 0, 0, 0, 0, 28, 0, 0, 0, 0];
  const write = Uint8Array.of(...header, ...cscd(NAAS.source), ...cscd(NAAS.destination), ...segment);
  const cdb = [0x83, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, write.length, 0, 0];
  const { status, sense } = await initiator.command({ cdb, write });
  if (status === ScsiStatus.good) return "";
  return `${sense!.key.toString(16)}/${sense!.code.toString(16)}`;
}

Deno.test("an initiator copies from target to target, as long as it is logged in to both", async () => {
  const stores = [1, 2].map(() => new MemoryStore({ sizeBytes: SIZE_BYTES }));
  const [source, destination] = stores;
  source!.writeNow(0, pattern(4096));
  await withHarness({
    targets: [
      { name: "source", stores: [source!], naa: NAAS.source },
      { name: "destination", stores: [destination!], naa: NAAS.destination },
    ],
  }, async (harness) => {
    const login = { initiatorName: NAME };
    const initiator = await harness.logIn({ ...login, targetName: nameOf("source") });
    assertEquals(await copyBlocks(initiator), NOT_REACHABLE);
    const stranger = await harness.logIn({
      initiatorName: "iqn.2011-07.com.example:other",
      targetName: nameOf("destination"),
    });
    assertEquals(await copyBlocks(initiator), NOT_REACHABLE);
    const second = await harness.logIn({ ...login, targetName: nameOf("destination") });
    assertEquals(await copyBlocks(initiator), "");
    assertEquals(contentOf(destination!, 0, 4096), pattern(4096));
    await second.logout();
    assertEquals(await copyBlocks(initiator), NOT_REACHABLE);
    await stranger.logout();
  });
});

Deno.test("a name that another host has logged in with from its network opens nothing to this one", async () => {
  const stores = [1, 2].map(() => new MemoryStore({ sizeBytes: SIZE_BYTES }));
  await withHarness({
    targets: [
      { name: "source", stores: [stores[0]!], naa: NAAS.source, networks: ["192.168.0.0/16"] },
      { name: "destination", stores: [stores[1]!], naa: NAAS.destination },
    ],
  }, async (harness) => {
    const login = { initiatorName: NAME };
    const near = { localAddress: "192.168.0.1", peerAddress: "192.168.0.9" };
    await harness.logIn({ ...login, targetName: nameOf("source") }, { ends: near });
    const elsewhere = await harness.logIn({ ...login, targetName: nameOf("destination") });
    assertEquals(await copyBlocks(elsewhere), NOT_REACHABLE);
  });
});
