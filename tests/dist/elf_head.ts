import { type Machine, MACHINES } from "../../dist/machines.ts";

/** Returns the head of an ELF file for a machine: 64 bits, little-endian. */
export function elfHead(machine: Machine): Uint8Array {
  const head = new Uint8Array(64);
  head.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  new DataView(head.buffer).setUint16(18, MACHINES[machine].elf, true);
  return head;
}
