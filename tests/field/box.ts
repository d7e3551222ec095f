/**
 * Guests that are storage boxes: the program under test runs in them, as the compiled file that `ISCSI_BINARY` names,
 * on what only Debian's kernel has: volumes, multipath devices, NFS, DRBD. Their initiator is open-iscsi beside it.
 */
import { fromFileUrl } from "@std/path";
import { LinuxGuest } from "./linux_guest.ts";
import { CannotRun, type Context, type Scenario } from "./scenario.ts";

/** The virtual disk with the program, the first of a box. */
const PROGRAM_DISK = "/dev/vda";

/** The virtual disk of its own that a box with one has. */
export const BOX_DISK = "/dev/vdb";

/** A box to boot. */
export interface BoxOptions {
  /** Arguments of QEMU for further hardware. */
  readonly hardware?: readonly string[];
  /** The size of a disk of its own; none when undefined. */
  readonly diskBytes?: number;
}

/** A scenario with boxes. */
export interface BoxScenario extends Omit<Scenario, "needs" | "run"> {
  /** Boots boxes by the function that it is given. */
  run(boot: (options: BoxOptions) => Promise<LinuxGuest>, context: Context): Promise<void>;
}

/** Returns a scenario with boxes of its own, which end with it. A failure has the last words of each. */
export function box({ name, run, ...parts }: BoxScenario): Scenario {
  return {
    ...parts,
    name: `box-${name}`,
    needs: ["qemu-system-x86_64", "apt-get", "dpkg-deb"],
    async run(context): Promise<void> {
      const boxes: LinuxGuest[] = [];
      const boot = async (options: BoxOptions): Promise<LinuxGuest> => {
        const guest = context.use(await bootBox(options));
        boxes.push(guest);
        return guest;
      };
      try {
        await run(boot, context);
      } catch (error) {
        if (error instanceof CannotRun || context.signal.aborted) throw error;
        const words = await Promise.all(boxes.map(lastWords));
        throw new Error([error, ...words].join("\n"));
      }
    },
  };
}

async function bootBox({ hardware = [], diskBytes }: BoxOptions): Promise<LinuxGuest> {
  const program = programPath();
  const folder = Deno.makeTempDirSync({ prefix: "iscsi-box-" });
  try {
    const disk = diskBytes === undefined ? [] : driveOf(makeDisk(folder, diskBytes), "discard=unmap");
    const guest = await LinuxGuest.boot([...driveOf(program, "readonly=on"), ...disk, ...hardware]);
    return await prepare(guest, Deno.statSync(program).size);
  } finally {
    // QEMU has the disk open.
    Deno.removeSync(folder, { recursive: true });
  }
}

async function prepare(guest: LinuxGuest, programBytes: number): Promise<LinuxGuest> {
  const functions = Deno.readTextFileSync(fromFileUrl(new URL("guest/box.sh", import.meta.url)));
  try {
    await guest.run(`head -c ${programBytes} ${PROGRAM_DISK} >/usr/sbin/iscsi
      chmod 755 /usr/sbin/iscsi
      # The server is in the guest, so its loopback addresses are its own.
      ip addr add 127.0.0.1/8 dev lo
      ip route del 127.0.0.0/8 via 10.0.2.2
      cat >>/lib/field.sh <<'END-OF-FILE'\n${functions}END-OF-FILE`);
    return guest;
  } catch (error) {
    await guest[Symbol.asyncDispose]();
    throw error;
  }
}

function programPath(): string {
  const path = Deno.env.get("ISCSI_BINARY");
  if (path !== undefined) return Deno.realPathSync(path);
  throw new CannotRun(
    'the guest runs a compiled program; run "deno task compile" and set ISCSI_BINARY=dist/iscsi',
  );
}

/** Makes a sparse file for a disk, and returns its path. */
export function makeDisk(folder: string, sizeBytes: number): string {
  const path = `${folder}/${crypto.randomUUID()}`;
  using file = Deno.openSync(path, { createNew: true, write: true });
  file.truncateSync(sizeBytes);
  return path;
}

/** Returns the arguments of QEMU for a virtio disk. */
function driveOf(path: string, option: string): string[] {
  return ["-drive", `file=${path.replaceAll(",", ",,")},format=raw,if=virtio,${option}`];
}

/**
 * Returns the hardware of a box in a network with one other: a card `eth1`.
 *
 * @param folder for the sockets of the network
 * @param peer the name of the other box
 */
export function cardOf(
  folder: string,
  { name, peer }: { readonly name: string; readonly peer: string },
): string[] {
  const path = (end: string): string => `${folder}/network-${end}`;
  const ends = `local.type=unix,local.path=${path(name)},remote.type=unix,remote.path=${path(peer)}`;
  const address = `52:54:00:00:00:${name.charCodeAt(0).toString(16)}`;
  return [
    "-netdev",
    `dgram,id=pair,${ends}`,
    "-device",
    `virtio-net-pci,netdev=pair,mac=${address},romfile=`,
  ];
}

async function lastWords(guest: LinuxGuest): Promise<string> {
  try {
    return await guest.run(
      "hostname; dmesg | tail -n 30; iscsi status --conf $CONF; tail -n 20 /run/server.log 2>&1",
    );
  } catch (error) {
    return String(error);
  }
}
