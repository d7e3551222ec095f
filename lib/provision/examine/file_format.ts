/**
 * Formats of files that contain a disk or other files, but not as plain blocks. A LUN is served as plain blocks, so
 * initiators would see the container instead of the disk in it.
 */

/** A format, and the command that converts a file to plain blocks. */
export interface FileFormat {
  /** The end of a sentence: `a qcow2 image`. */
  readonly name: string;
  /** A shell command; `$1` is the file and `$2` the result. */
  readonly unpack: string;
}

/** The bytes that identify a format; a negative offset counts from the end of the file. */
interface Magic {
  readonly at: number;
  readonly bytes: string;
}

/** The bytes of each end of a file that identify its format. */
export const FORMAT_BYTES = 512;

/** Virtual disks, with their names in qemu-img. */
const IMAGES: readonly (readonly [name: string, qemuName: string, ...magics: Magic[]])[] = [
  ["qcow", "qcow", { at: 0, bytes: "QFI\xfb\0\0\0\x01" }],
  ["qcow2", "qcow2", { at: 0, bytes: "QFI\xfb" }],
  ["QED", "qed", { at: 0, bytes: "QED\0" }],
  [
    "VMDK",
    "vmdk",
    { at: 0, bytes: "KDMV" },
    { at: 0, bytes: "COWD" },
    { at: 0, bytes: "# Disk DescriptorFile" },
    // The sparse format of snapshots on newer datastores.
    { at: 0, bytes: "\xbe\xba\xfe\xca\0\0\0\0" },
  ],
  ["VHDX", "vhdx", { at: 0, bytes: "vhdxfile" }],
  // A dynamic image has its footer at both ends, a fixed one only at the end.
  ["VHD", "vpc", { at: 0, bytes: "conectix" }, { at: -512, bytes: "conectix" }],
  [
    "VDI",
    "vdi",
    { at: 0, bytes: "<<< Oracle VM VirtualBox Disk Image >>>" },
    { at: 0x40, bytes: "\x7f\x10\xda\xbe" },
  ],
  ["Parallels", "parallels", { at: 0, bytes: "WithoutFreeSpace" }, { at: 0, bytes: "WithouFreSpacExt" }],
  ["Bochs", "bochs", { at: 0, bytes: "Bochs Virtual HD Image" }],
  ["DMG", "dmg", { at: -512, bytes: "koly" }],
];

const PACKAGES: readonly (readonly [name: string, unpack: string, magic: Magic])[] = [
  ["compressed with gzip", "gzip -dc $1 > $2", { at: 0, bytes: "\x1f\x8b\x08" }],
  ["compressed with bzip2", "bzip2 -dc $1 > $2", { at: 4, bytes: "1AY&SY" }],
  ["compressed with xz", "xz -dc $1 > $2", { at: 0, bytes: "\xfd7zXZ\0" }],
  ["compressed with zstd", "zstd -dc $1 > $2", { at: 0, bytes: "\x28\xb5\x2f\xfd" }],
  ["compressed with lz4", "lz4 -dc $1 > $2", { at: 0, bytes: "\x04\x22\x4d\x18" }],
  ["a zip archive", "unzip -p $1 > $2", { at: 0, bytes: "PK\x03\x04" }],
  ["a 7z archive", "7z e -so $1 > $2", { at: 0, bytes: "7z\xbc\xaf\x27\x1c" }],
  ["a tar archive", "tar -xOf $1 > $2", { at: 257, bytes: "ustar" }],
];

const FORMATS: readonly { readonly format: FileFormat; readonly magics: readonly Magic[] }[] = [
  ...IMAGES.map(([name, qemuName, ...magics]) => ({
    format: { name: `a ${name} image`, unpack: `qemu-img convert -f ${qemuName} -O raw $1 $2` },
    magics,
  })),
  ...PACKAGES.map(([name, unpack, magic]) => ({ format: { name, unpack }, magics: [magic] })),
];

/** Finds the format of a file from its first and last bytes, up to `FORMAT_BYTES` of each. */
export function findFileFormat(head: Uint8Array, tail: Uint8Array): FileFormat | undefined {
  return FORMATS.find(({ magics }) =>
    magics.some(({ at, bytes }) => {
      const end = at < 0 ? tail : head;
      const start = at < 0 ? end.length + at : at;
      return start >= 0 && hasBytes(end.subarray(start), bytes);
    })
  )?.format;
}

/** Returns the command that unpacks the file at `path`, and the path of the result. */
export function unpackCommand({ unpack }: FileFormat, path: string): { command: string; result: string } {
  const result = `${path}.raw`;
  const words: Readonly<Record<string, string>> = { "$1": shellWord(path), "$2": shellWord(result) };
  return { command: unpack.replace(/\$[12]/g, (name) => words[name]!), result };
}

function hasBytes(data: Uint8Array, bytes: string): boolean {
  return data.length >= bytes.length &&
    Array.from(bytes).every((byte, index) => byte.charCodeAt(0) === data[index]);
}

/** Quotes a text for a shell where that is necessary. */
function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
