/** The machines that a program can be compiled for. */

/** The kinds of machines, by the names that `uname -m` gives. */
export const MACHINES = {
  x86_64: { target: "x86_64-unknown-linux-gnu", elf: 62 },
  aarch64: { target: "aarch64-unknown-linux-gnu", elf: 183 },
} as const;

/** A kind of machine. */
export type Machine = keyof typeof MACHINES;

/** The names of all kinds. */
export const MACHINE_NAMES = Object.keys(MACHINES) as readonly Machine[];

/** The bases that npm has: programs compiled by Deno, of which the payload that is appended last is run. */
export const NPM_BASE = {
  /** The version of Deno that has made them; no other can use them. */
  deno: "2.7.11",
  packages: { x86_64: "@stdy/cli-linux-x64@0.22.2", aarch64: "@stdy/cli-linux-arm64@0.22.2" },
  /** The base within a package. */
  file: "package/bin/steady",
} as const;

/** Returns the kind of this machine. */
export function thisMachine(): Machine {
  return Deno.build.arch;
}

/** The head of an ELF file: its magic number, class and byte order, and the offset of the machine. */
const ELF_MAGIC = [0x7f, 0x45, 0x4c, 0x46];
const ELF_64_BITS = 2;
const ELF_LITTLE_ENDIAN = 1;
const ELF_MACHINE_OFFSET = 18;
const ELF_HEAD_BYTES = 20;

/** Returns the kind of machine that a program is for; undefined for any other file. */
export function machineOf(head: Uint8Array): Machine | undefined {
  const [class64, order] = [head[4], head[5]];
  if (head.length < ELF_HEAD_BYTES || ELF_MAGIC.some((byte, index) => head[index] !== byte)) return undefined;
  if (class64 !== ELF_64_BITS || order !== ELF_LITTLE_ENDIAN) return undefined;
  const elf = head[ELF_MACHINE_OFFSET]! | (head[ELF_MACHINE_OFFSET + 1]! << 8);
  return MACHINE_NAMES.find((name) => MACHINES[name].elf === elf);
}

/** Reads the kind of machine that the program in a file is for; undefined for any other file. */
export function readMachine(path: string): Machine | undefined {
  using file = Deno.openSync(path);
  const head = new Uint8Array(ELF_HEAD_BYTES);
  const count = file.readSync(head) ?? 0;
  return machineOf(head.subarray(0, count));
}
