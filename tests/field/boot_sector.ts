/**
 * A small disk that a machine boots from, for the initiators of firmware and of virtual machines.
 *
 * The boot sector prints a line on the second serial port, reads block 1 by INT 13h, prints its text, and writes it to
 * block 2 by INT 13h. It then ends the machine through the port of QEMU's isa-debug-exit. All of it is 16-bit code of
 * this project, in bytes.
 */
import type { MachineOutput } from "./machine.ts";

const BLOCK_BYTES = 512;

/** Lines of the boot sector on the serial port, with the offsets of their text in it. */
const BOOTED = { offset: 0xa0, text: "boot sector runs" } as const;
const WRITTEN = { offset: 0xc0, text: "block written" } as const;
const FAILED = { offset: 0xe0, text: "INT 13h failed" } as const;

/** Offsets of the packets for INT 13h, functions 42h and 43h. */
const READ_PACKET = 0x80;
const WRITE_PACKET = 0x90;

const CODE = [
  ...[0x31, 0xc0], //              xor  ax, ax
  ...[0x8e, 0xd8], //              mov  ds, ax
  ...[0x8e, 0xc0], //              mov  es, ax
  ...[0x8e, 0xd0], //              mov  ss, ax
  ...[0xbc, 0x00, 0x7c], //        mov  sp, 7c00h
  ...[0x88, 0x16, 0xf0, 0x7c], //  mov  [7cf0h], dl        the drive, as the firmware gives it
  ...[0xbe, 0xa0, 0x7c], //        mov  si, 7ca0h          BOOTED
  ...[0xe8, 0x36, 0x00], //        call print
  ...[0xbe, 0x80, 0x7c], //        mov  si, 7c80h          READ_PACKET
  ...[0xb4, 0x42], //              mov  ah, 42h            extended read
  ...[0x8a, 0x16, 0xf0, 0x7c], //  mov  dl, [7cf0h]
  ...[0xcd, 0x13], //              int  13h
  ...[0x72, 0x19], //              jc   failed
  ...[0xbe, 0x00, 0x80], //        mov  si, 8000h          block 1
  ...[0xe8, 0x23, 0x00], //        call print
  ...[0xbe, 0x90, 0x7c], //        mov  si, 7c90h          WRITE_PACKET
  ...[0xb8, 0x00, 0x43], //        mov  ax, 4300h          extended write, without verification
  ...[0x8a, 0x16, 0xf0, 0x7c], //  mov  dl, [7cf0h]
  ...[0xcd, 0x13], //              int  13h
  ...[0x72, 0x05], //              jc   failed
  ...[0xbe, 0xc0, 0x7c], //        mov  si, 7cc0h          WRITTEN
  ...[0xeb, 0x03], //              jmp  end
  ...[0xbe, 0xe0, 0x7c], // failed: mov si, 7ce0h          FAILED
  ...[0xe8, 0x0a, 0x00], // end:   call print
  ...[0xba, 0x01, 0x05], //        mov  dx, 501h           isa-debug-exit
  ...[0xb0, 0x00], //              mov  al, 0
  ...[0xee], //                    out  dx, al
  ...[0xfa], //                    cli
  ...[0xf4], // stop:              hlt
  ...[0xeb, 0xfd], //              jmp  stop
  ...[0xac], // print:             lodsb
  ...[0x84, 0xc0], //              test al, al
  ...[0x74, 0x06], //              jz   printed
  ...[0xba, 0xf8, 0x02], //        mov  dx, 2f8h           the second serial port
  ...[0xee], //                    out  dx, al
  ...[0xeb, 0xf5], //              jmp  print
  ...[0xc3], // printed:           ret
];

/** Returns a packet that moves one block between the disk and 0000:8000h. */
function packet(block: number): number[] {
  return [16, 0, 1, 0, 0x00, 0x80, 0, 0, block, 0, 0, 0, 0, 0, 0, 0];
}

/** Returns a line as the boot sector prints it. */
function line(text: string): Uint8Array {
  return new TextEncoder().encode(`${text}\r\n\0`);
}

/** Returns the first three blocks of the disk; block 1 has this text. */
export function bootableBlocks(text: string): Uint8Array {
  const blocks = new Uint8Array(3 * BLOCK_BYTES);
  blocks.set(CODE);
  blocks.set(packet(1), READ_PACKET);
  blocks.set(packet(2), WRITE_PACKET);
  for (const { offset, text } of [BOOTED, WRITTEN, FAILED]) blocks.set(line(text), offset);
  blocks.set([0x55, 0xaa], BLOCK_BYTES - 2);
  blocks.set(line(text), BLOCK_BYTES);
  return blocks;
}

/** Makes a backing file bootable. */
export function writeBootable(path: string, text: string): void {
  using file = Deno.openSync(path, { write: true });
  const blocks = bootableBlocks(text);
  for (let written = 0; written < blocks.length;) written += file.writeSync(blocks.subarray(written));
}

/**
 * Checks that a machine has booted from a disk: it printed the text of block 1, and block 2 has it.
 *
 * @throws when it did not, with its output
 */
export function checkBooted({ program, console }: MachineOutput, path: string, text: string): void {
  const wanted = `${[BOOTED.text, text, WRITTEN.text].join("\r\n")}\r\n`;
  if (program !== wanted) {
    throw new Error(`The machine did not boot from ${path}, but printed "${program}":\n${console}`);
  }
  const blocks = Deno.readFileSync(path).subarray(0, 3 * BLOCK_BYTES);
  const copied = new TextDecoder().decode(blocks.subarray(2 * BLOCK_BYTES)).split("\0")[0];
  if (copied !== `${text}\r\n`) throw new Error(`The machine did not write block 2 of ${path}: "${copied}"`);
}
