import { assert, assertEquals } from "@std/assert";
import { COMMANDS, findCommand } from "../../../lib/scsi/dispatch/command_table.ts";
import { readUint16, readUint32 } from "../../../lib/bytes/big_endian.ts";
import type { LogicalUnitOptions } from "../../../lib/scsi/logical_unit_options.ts";
import type { Nexus } from "../../../lib/scsi/nexus.ts";
import { MemoryStore } from "../../support/memory_store.ts";
import { openUnit, type Result, run } from "../fixture.ts";
import { numberFromEnvironment, Random } from "../../support/seeded_random.ts";

const ROWS = Object.values(COMMANDS);

/** Makes a partly valid CDB: usually of a row, with bits of its usage data set. */
function makeCdb(random: Random): Uint8Array {
  const block = Uint8Array.from({ length: 16 }, () => random.uint32() & random.uint32());
  if (random.below(8) === 0) return block;
  const row = ROWS[random.below(ROWS.length)]!;
  block[0] = row.opcode;
  if (random.below(4) !== 0) row.usage.forEach((mask, index) => block[index]! &= index === 0 ? 0xff : mask);
  if (row.serviceAction !== undefined) block[1] = row.serviceAction;
  if (random.below(8) !== 0) block[row.usage.length - 1] = 0;
  // Most random addresses and lengths lie beyond any medium: make many small.
  if (random.below(4) !== 0) block.fill(0, 2, row.usage.length <= 6 ? 3 : 4);
  if (random.below(4) !== 0 && row.usage.length === 16) block.fill(0, 2, 12);
  if (random.below(2) !== 0 && row.usage.length === 12) block.fill(0, 6, 9);
  return block;
}

/** Returns the allocation length of a command that has one, by its place in the usage data. */
function allocationLengthOf(block: Uint8Array): number {
  switch (block[0]) {
    case 0x03:
    case 0x1a:
      return block[4]!;
    case 0x12:
      return readUint16(block, 3);
    case 0x5a:
    case 0x5e:
      return readUint16(block, 7);
    case 0x9e:
      return readUint32(block, 10);
    case 0xa0:
    case 0xa3:
      return readUint32(block, 6);
    default:
      return Infinity;
  }
}

function assertPlausible(block: Uint8Array, result: Result): void {
  // CONDITION MET and RESERVATION CONFLICT, which have no sense data.
  if (result.outcome === "4" || result.outcome === "18") return;
  if (result.outcome !== "good") {
    assert(/^[a-zA-Z]+$/.test(result.outcome), `${result.outcome} is no condition of ours`);
    assertEquals(result.sense?.length, 18);
    return;
  }
  assert(findCommand(block) !== undefined, "an unknown command is refused");
  assert(result.data.length <= allocationLengthOf(block), "no more is sent than was allocated");
}

async function fuzz(seed: number, options: Partial<LogicalUnitOptions>, count: number): Promise<Set<string>> {
  const random = new Random(seed);
  const store = new MemoryStore({ sizeBytes: 2 * 1024 * 1024 });
  const dataOut = new Uint8Array(32 * 1024).fill(0xa5);
  let nexus: Nexus = openUnit({ store, ...options });
  const outcomes = new Set<string>();
  for (let step = 0; step < count; step++) {
    const block = makeCdb(random);
    const { writeCount } = store;
    const hex = [...block].map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
    const result = await run(nexus, block, { dataOut, pieceBytes: 16 * 1024 * 1024 })
      .catch((error: unknown) => {
        throw new Error(`seed ${seed}, step ${step}: ${hex} threw`, { cause: error });
      });
    assertPlausible(block, result);
    outcomes.add(result.outcome);
    const mayWrite = findCommand(block)?.access === "writes" && options.readOnly !== true;
    if (!mayWrite) assertEquals(store.writeCount, writeCount, `seed ${seed}, step ${step}: ${hex} wrote`);
    if (block[0] === 0x1b) nexus = openUnit({ store, ...options });
  }
  return outcomes;
}

const SEED = numberFromEnvironment("FUZZ_SEED", 20070101);

Deno.test(`random commands never throw and never write unless they may (FUZZ_SEED=${SEED})`, async () => {
  const outcomes = await fuzz(SEED, {}, 8_000);
  for (
    const expected of [
      "good",
      "invalidFieldInCdb",
      "invalidCommandOperationCode",
      "logicalBlockAddressOutOfRange",
      "miscompareDuringVerifyOperation",
      "savingParametersNotSupported",
    ]
  ) assert(outcomes.has(expected), `${expected} was never reached: the commands are not random enough`);
});

Deno.test(`random commands never write to a write protected unit (FUZZ_SEED=${SEED})`, async () => {
  const outcomes = await fuzz(SEED + 1, { readOnly: true, blockSizeBytes: 4096 }, 2_000);
  assert(outcomes.has("writeProtected"));
});
