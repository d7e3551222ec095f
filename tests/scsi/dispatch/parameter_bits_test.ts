/** Every bit of every parameter list is honoured or refused, or is in a list of bits without effect. */
import { assert, assertEquals } from "@std/assert";
import { assertParameterRefused, bytes, cdb } from "../fixture.ts";
import { flipBit, type Observation, World } from "../_world.ts";

/** Bits of a list: first byte, last byte, the bits of each. */
type Span = readonly [first: number, last: number, mask: number];

/** A parameter list in which each field has an effect. */
interface List {
  readonly name: string;
  readonly cdb: string;
  readonly list: string;
  /** Prepares the world. */
  readonly given?: (world: World) => unknown;
  /** The bits that the standards reserve: they are refused, and the sense data points at them. */
  readonly reserved: readonly Span[];
  /** The bits that may have no effect, each with the reason. */
  readonly ignored: readonly (readonly [...Span, string])[];
}

const CONTROL_PAGE = "0a 0a 00 10 00 00 00 00 ff ff 00 00";
const THRESHOLD_PAGE = `5c 02 00 14 ${"00 ".repeat(12)}80 01 00 00 00 00 10 00`;
const HEADER_REASON = "MODE SENSE returns it, and it cannot be set";
const BLOCKS_REASON = "zero blocks stand for as many as there are (SBC-3, 6.5.2)";
const CASE_REASON = "iSCSI names are compared without letter case";
const PS_REASON = "MODE SENSE returns PS";
const ID = `69 71 6e 2e 32 30 30 37 2d 30 31 2e 74 6c 64 2e 68 6f 73 74 3a 6f 74 68 65 72 2c 69 2c
  30 78 30 30 30 30 30 30 30 30 30 30 30 31 00`;

/** A basic parameter list of PERSISTENT RESERVE OUT, of keys of one digit. */
function keys(key: number, newKey: number): string {
  return `00 00 00 00 00 00 00 0${key} 00 00 00 00 00 00 00 0${newKey} ${"00 ".repeat(8)}`;
}

async function reserved(world: World): Promise<void> {
  await world.prepare("5f 00 00 00 00 00 00 00 18", keys(0, 1));
  await world.prepare("5f 01 05 00 00 00 00 00 18", keys(1, 0));
}

const OBSOLETE: readonly (readonly [...Span, string])[] = [
  [16, 19, 0xff, "SCOPE-SPECIFIC ADDRESS is obsolete, and ignored for a logical unit by SPC-2, too"],
  [22, 23, 0xff, "EXTENT LENGTH is obsolete, likewise"],
  [20, 20, 0x04, "ALL_TG_PT: there is one target port"],
];
const RESERVED_OF_RESERVE_OUT: readonly Span[] = [[20, 20, 0xf2], [21, 21, 0xff]];

const LISTS: readonly List[] = [
  {
    name: "UNMAP",
    cdb: "42 00 00 00 00 00 00 00 28",
    list: `00 26 00 20 00 00 00 00
      00 00 00 00 00 00 00 08 00 00 00 08 00 00 00 00
      00 00 00 00 00 00 00 21 00 00 00 07 00 00 00 00`,
    reserved: [[4, 7, 0xff], [20, 23, 0xff], [36, 39, 0xff]],
    ignored: [
      [0, 1, 0xff, "a list may announce more than its CDB lets through"],
      [2, 3, 0xff, "likewise, and a descriptor that is not there in full is ignored (SBC-3, 5.28)"],
    ],
  },
  {
    name: "MODE SELECT(6)",
    cdb: "15 10 00 00 30",
    list: `00 00 00 08 00 00 00 80 00 00 02 00 ${CONTROL_PAGE} ${THRESHOLD_PAGE}`,
    reserved: [[2, 2, 0x6f], [8, 8, 0xff]],
    ignored: [
      [0, 0, 0xff, "MODE DATA LENGTH is reserved: " + HEADER_REASON],
      [2, 2, 0x90, "WP and DPOFUA: " + HEADER_REASON],
      [7, 7, 0x80, BLOCKS_REASON],
      [12, 12, 0x80, PS_REASON],
      [24, 24, 0x80, PS_REASON],
    ],
  },
  {
    name: "MODE SELECT(10) with a long block descriptor",
    cdb: "55 10 00 00 00 00 00 00 24",
    list: `00 00 00 00 01 00 00 10 00 00 00 00 00 00 00 80 00 00 00 00 00 00 02 00 ${CONTROL_PAGE}`,
    reserved: [[3, 3, 0x6f], [4, 4, 0xfe], [5, 5, 0xff], [16, 19, 0xff]],
    ignored: [
      [0, 1, 0xff, "MODE DATA LENGTH is reserved: " + HEADER_REASON],
      [3, 3, 0x90, "WP and DPOFUA: " + HEADER_REASON],
      [15, 15, 0x80, BLOCKS_REASON],
      [24, 24, 0x80, PS_REASON],
    ],
  },
  {
    name: "PERSISTENT RESERVE OUT REGISTER",
    cdb: "5f 00 00 00 00 00 00 00 18",
    list: keys(0, 1),
    reserved: RESERVED_OF_RESERVE_OUT,
    ignored: OBSOLETE,
  },
  {
    name: "PERSISTENT RESERVE OUT REGISTER with SPEC_I_PT",
    cdb: "5f 00 00 00 00 00 00 00 4c",
    list:
      `00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 01 00 00 00 00 08 00 00 00 00 00 00 30 45 00 00 2c ${ID}`,
    reserved: RESERVED_OF_RESERVE_OUT,
    ignored: [...OBSOLETE, [32, 74, 0x20, CASE_REASON], [75, 75, 0xff, "what follows the null is padding"]],
  },
  {
    name: "PERSISTENT RESERVE OUT REGISTER AND IGNORE EXISTING KEY",
    cdb: "5f 06 00 00 00 00 00 00 18",
    list: keys(0, 1),
    reserved: RESERVED_OF_RESERVE_OUT,
    ignored: [...OBSOLETE, [0, 7, 0xff, "RESERVATION KEY is ignored (SPC-4, 6.16.3)"]],
  },
  {
    name: "PERSISTENT RESERVE OUT RESERVE",
    cdb: "5f 01 05 00 00 00 00 00 18",
    list: keys(1, 0),
    given: (world) => world.prepare("5f 00 00 00 00 00 00 00 18", keys(0, 1)),
    reserved: RESERVED_OF_RESERVE_OUT,
    ignored: [
      ...OBSOLETE,
      [8, 15, 0xff, "SERVICE ACTION RESERVATION KEY is ignored (SPC-4, 6.16.3)"],
      [20, 20, 0x01, "APTPL is ignored (SPC-4, 6.16.3)"],
    ],
  },
  {
    name: "PERSISTENT RESERVE OUT REGISTER AND MOVE",
    cdb: "5f 07 00 00 00 00 00 00 48",
    list: `00 00 00 00 00 00 00 01 00 00 00 00 00 00 00 02 00 00 00 01 00 00 00 30 45 00 00 2c ${ID}`,
    given: reserved,
    reserved: [[16, 16, 0xff], [17, 17, 0xfc]],
    ignored: [[28, 70, 0x20, CASE_REASON], [71, 71, 0xff, "what follows the null is padding"]],
  },
  {
    name: "SANITIZE OVERWRITE",
    cdb: "48 01 00 00 00 00 00 00 06",
    list: "02 00 00 02 5a 3c",
    reserved: [[1, 1, 0xff]],
    ignored: [],
  },
  {
    name: "FORMAT UNIT",
    cdb: "04 18",
    list: "00 00 00 00",
    reserved: [[0, 0, 0xff], [1, 1, 0x05]],
    ignored: [[1, 1, 0x80, "FOV: without options it has no effect"]],
  },
  {
    name: "FORMAT UNIT with an initialization pattern",
    cdb: "04 30",
    list: "00 88 00 00 00 00 00 00 00 01 00 02 5a 3c",
    reserved: [[0, 0, 0xff], [1, 1, 0x05], [2, 3, 0xff], [8, 8, 0xff]],
    ignored: [
      [1, 1, 0x50, "DPRY and STPF are about lists of defects, which are empty"],
      [1, 1, 0x20, "DCRT is about a certification, which never finds a defect"],
    ],
  },
  {
    name: "EXTENDED COPY",
    cdb: "83 00 00 00 00 00 00 00 00 00 00 00 00 6c",
    list: `07 00 00 40 00 00 00 00 00 00 00 1c 00 00 00 00
      e4 00 00 00 01 03 00 08 30 00 00 00 00 00 00 01 ${"00 ".repeat(14)}02 00
      e4 00 00 00 01 03 00 08 30 00 00 00 00 00 00 02 ${"00 ".repeat(14)}02 00
      02 00 00 18 00 00 00 01 00 00 00 01 00 00 00 00 00 00 00 01 00 00 00 00 00 00 00 02`,
    reserved: [
      ...[[1, 1, 0xc0], [4, 7, 0xff]] as const,
      ...[17, 49].flatMap((at): Span[] => [
        [at, at, 0x20],
        [at + 1, at + 2, 0xff],
        [at + 3, at + 3, 0xf0],
        [at + 4, at + 4, 0xc0],
        [at + 5, at + 5, 0xff],
        [at + 27, at + 27, 0xfb],
      ]),
      ...[[81, 81, 0xfc], [88, 89, 0xff]] as const,
    ],
    ignored: [
      [1, 1, 0x27, "STR and PRIORITY allow something"],
      [81, 81, 0x01, "CAT is about the rest of an inexact segment, which is refused"],
      [81, 81, 0x02, "DC chooses between two block lengths, which are the same here"],
      ...[17, 49].flatMap((at) =>
        [
          [at, at, 0xc0, "LU ID TYPE is ignored in an identification descriptor (SPC-4, 6.4.5.2)"],
          [at + 27, at + 27, 0x04, "PAD is about the rest of an inexact segment, which is refused"],
          [at + 15, at + 26, 0xff, "what follows a designator is padding"],
        ] as const
      ),
    ],
  },
];

function includes(
  spans: readonly (readonly [number, number, number, ...unknown[]])[],
  byte: number,
  mask: number,
): boolean {
  return spans.some(([first, last, bits]) => byte >= first && byte <= last && (bits & mask) !== 0);
}

async function observe({ cdb: block, given }: List, list: Uint8Array): Promise<Observation> {
  const world = new World();
  await given?.(world);
  return await world.observe(cdb(block), list);
}

for (const row of LISTS) {
  Deno.test(`every bit of the list of ${row.name} is honoured, refused, or known to have no effect`, async () => {
    const list = bytes(row.list);
    const base = await observe(row, list);
    assertEquals(base.result.outcome, "good");
    for (let bit = 0; bit < list.length * 8; bit++) {
      const [byte, mask] = [bit >> 3, 0x80 >> (bit & 7)];
      const where = `bit ${7 - (bit & 7)} of byte ${byte}`;
      const { result, world } = await observe(row, flipBit(list, bit));
      if (includes(row.reserved, byte, mask)) assertParameterRefused(result, byte, 7 - (bit & 7));
      else assert(world !== base.world || includes(row.ignored, byte, mask), `${where} makes no difference`);
    }
  });
}
