/** A kind of logical unit: a target of its own, with one LUN. */
export interface Kind {
  /** The target's name in the conf. */
  readonly name: string;
  /** Its options in the conf, besides its size. */
  readonly options: readonly string[];
  /** Tests that are not run on it. */
  readonly unfit?: Unfit;
}

/** Tests that cannot pass on a kind of logical unit, by how their names begin, and why; they have to on another. */
export interface Unfit {
  readonly tests: readonly string[];
  readonly reason: string;
}

/** The tests that cannot pass where a physical block is more than one logical block. */
const SEVERAL_BLOCKS_PER_PHYSICAL_BLOCK: Unfit = {
  tests: ["GetLBAStatus.UnmapSingle"],
  reason:
    "test_get_lba_status_unmap_single.c asks for the status at LBA i + 1 and wants a first descriptor that " +
    "starts at i + lbppb; it starts at the address that is asked for (SBC-3, 5.5.2), which is the same if lbppb is 1",
};

/** Tests that write to the medium before or while they examine something else. */
const WRITING_TESTS: readonly string[] = [
  "CompareAndWrite.",
  "ExtendedCopy.Simple",
  "ExtendedCopy.Valid",
  "MultipathIO.CompareAndWrite",
  "MultipathIO.Simple",
  "OrWrite.",
  "ProutReserve.Access",
  "ReceiveCopyResults.CopyStatus",
  "Sanitize.BlockErase",
  "Sanitize.ExitFailureMode",
  "Sanitize.Overwrite",
  "Sanitize.Reset",
  "Write",
  "iSCSIResiduals.Write",
  "iSCSITMF.AbortTaskSimpleAsync",
];

/** Every kind that is examined, in the order in which that is done. */
export const KINDS: readonly Kind[] = [
  { name: "disk", options: [], unfit: SEVERAL_BLOCKS_PER_PHYSICAL_BLOCK },
  { name: "large-blocks", options: ["blocksize = 4096"] },
  { name: "removable", options: ["removable = y"], unfit: SEVERAL_BLOCKS_PER_PHYSICAL_BLOCK },
  {
    name: "protected",
    options: ["readonly = y"],
    unfit: { tests: WRITING_TESTS, reason: "the test writes, and expects to succeed" },
  },
];

/** Large enough for every test: some write 2048 blocks at the start and 2048 at the end. */
const SIZE = "256MB";

/** Returns the conf of a server with a LUN of every kind. */
export function conformanceConf(kinds: readonly Kind[] = KINDS): string {
  const sections = kinds.map(({ name, options }) =>
    [`[${name}]`, `size = ${SIZE}`, ...options, "networks = 127.0.0.0/8"].join("\n")
  );
  return sections.join("\n\n");
}
