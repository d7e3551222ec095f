/** Notes in a recording: the requests to the product, and the promises that it made. */
import { writeUint32 } from "../../lib/bytes/big_endian.ts";
import type { Identity } from "../../lib/scsi/identity.ts";

/** Something that is known from a time on. Requests and their ends are paired by `id`. */
export type Note =
  /** The conf is this from now on. */
  | { readonly kind: "conf"; readonly lines: readonly string[] }
  /** `iscsi build` has ended with exit code 0. */
  | { readonly kind: "built"; readonly disks: Disks }
  /** A command that changes blocks was sent; blocks hold its `id` afterwards, or 0 where they are unmapped. */
  | {
    readonly kind: "writing";
    readonly id: number;
    readonly lun: number;
    readonly lba: number;
    readonly blocks: number;
    readonly how: "write" | "durable" | "atomic" | "unmap" | "erase";
  }
  | { readonly kind: "written"; readonly id: number }
  | { readonly kind: "flushing"; readonly id: number; readonly lun: number }
  | { readonly kind: "flushed"; readonly id: number }
  /** SANITIZE or FORMAT UNIT has erased a LUN: what was written before is nowhere. */
  | { readonly kind: "erased"; readonly lun: number }
  /** Blocks were read, and then flushed: nothing else may be there later, unless it is written. */
  | { readonly kind: "seen"; readonly lun: number; readonly tags: readonly number[] }
  /** Access was refused since the last SANITIZE or FORMAT UNIT did not complete: that stays so. */
  | { readonly kind: "seenUnsanitized"; readonly lun: number }
  /** PERSISTENT RESERVE OUT was sent, which leads to these reservations, if that is known. */
  | { readonly kind: "reserving"; readonly id: number; readonly lun: number; readonly leadsTo?: string }
  /** The request was acknowledged; these are the reservations after it. */
  | { readonly kind: "reserved"; readonly id: number; readonly lun: number; readonly state: string }
  /** An initiator read these reservations. */
  | { readonly kind: "reservationsSeen"; readonly lun: number; readonly state: string };

/** The disks that are there, by the paths of their files in the storage folder. */
export type Disks = Readonly<Record<string, { readonly identity: Identity; readonly sizeBytes: number }>>;

/** The state of a restarted product. */
export interface Observation {
  /** Everything that it refused or failed to do. */
  readonly problems: readonly string[];
  /** The disks before any program was started. */
  readonly found: Disks;
  /** The disks after `iscsi build`; undefined if it was not run. */
  readonly built: Disks | undefined;
  /** The numbers of the writes of which some file of the storage folder had a block before anything was started. */
  readonly traces: ReadonlySet<number>;
  /** The tags of the blocks of each LUN that could be read. */
  readonly tags: ReadonlyMap<number, readonly number[]>;
  /** The LUNs that refuse access since their last SANITIZE or FORMAT UNIT did not complete. */
  readonly unsanitized: ReadonlySet<number>;
  /** The reservations of each LUN, as READ KEYS and READ RESERVATION return them. */
  readonly reservations: ReadonlyMap<number, string>;
}

/** The logical block length of every LUN here. */
export const BLOCK_BYTES = 512;

/** The tag of a block that holds neither zeros nor all that a write put there. */
export const TORN = -1;

/** Returns the blocks of a write: each has the write's number, its own, and bytes that depend on both. */
export function blocksOf(id: number, lba: number, blocks: number): Uint8Array {
  const bytes = new Uint8Array(blocks * BLOCK_BYTES);
  for (let index = 0; index < blocks; index++) fillBlock(bytes, index * BLOCK_BYTES, id, lba + index);
  return bytes;
}

function fillBlock(bytes: Uint8Array, offset: number, id: number, lba: number): void {
  const filler = (id * 31 + lba * 7) & 0xff;
  bytes.fill(filler, offset, offset + BLOCK_BYTES);
  writeUint32(bytes, offset, id);
  writeUint32(bytes, offset + 4, lba);
}

/** Returns the numbers of the writes of which a file has whole blocks, wherever in it they are. */
export function tracesIn(content: Uint8Array): Set<number> {
  const view = new DataView(content.buffer, content.byteOffset, content.byteLength);
  const expected = new Uint8Array(BLOCK_BYTES);
  const traces = new Set<number>();
  for (let start = 0; start + BLOCK_BYTES <= content.length; start += BLOCK_BYTES) {
    const id = view.getUint32(start);
    if (id === 0 || traces.has(id)) continue;
    fillBlock(expected, 0, id, view.getUint32(start + 4));
    if (isBlockAt(start, content, expected)) traces.add(id);
  }
  return traces;
}

/** Returns what each block holds, from the LUN's block `first` on: the number of a write, 0 for zeros, or `TORN`. */
export function tagsOf(content: Uint8Array, first = 0): number[] {
  const expected = new Uint8Array(BLOCK_BYTES);
  const view = new DataView(content.buffer, content.byteOffset, content.byteLength);
  return Array.from({ length: content.length / BLOCK_BYTES }, (_, index) => {
    const start = index * BLOCK_BYTES;
    const id = view.getUint32(start);
    if (id === 0) expected.fill(0);
    else fillBlock(expected, 0, id, first + index);
    return isBlockAt(start, content, expected) ? id : TORN;
  });
}

/** Returns whether a block is at a place. These are millions of comparisons: the loop has no call for each byte. */
function isBlockAt(start: number, content: Uint8Array, block: Uint8Array): boolean {
  for (let at = 0; at < BLOCK_BYTES; at++) {
    if (block[at] !== content[start + at]) return false;
  }
  return true;
}
