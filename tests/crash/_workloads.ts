/** The workloads: everything by which the product promises that something outlasts a crash. */
import { Client } from "./_client.ts";
import { blocksOf, type Note } from "./_notes.ts";
import { Counter, type Workload, type World } from "./_world.ts";

/** Two small LUNs: every page of them is looked at after every crash. */
const LUN_BYTES = 256 * 1024;
const LUN_BLOCKS = LUN_BYTES / 512;
const DISK = [`[disk]`, `size=${LUN_BYTES} ${LUN_BYTES}`];

const LUNS = [0, 1];

async function buildDisk(world: World): Promise<void> {
  await world.build(DISK);
}

/** Starts the server on the disk that most workloads build, and logs initiators in. */
export async function serve(world: World, ...names: readonly string[]): Promise<Client[]> {
  await world.serve(DISK);
  const ids = new Counter();
  const clients: Client[] = [];
  for (const name of names) {
    clients.push(new Client(await world.connect(name, LUNS), (note) => world.note(note), ids));
  }
  return clients;
}

const BUILD: Workload = {
  name: "build",
  title: "builds two targets, then grows one LUN, adds another and a third target",
  restart: "build",
  looksAt: { blocks: [], reservations: [] },
  async run(world: World): Promise<void> {
    await world.build(["[disk]", "size=65536", "[other]", "size=65536 131072"]);
    const more = ["[disk]", "size=65536 65536", "[other]", "size=65536 262144", "[third]", "size=65536"];
    await world.build(more);
  },
};

const WRITES: Workload = {
  name: "writes",
  title: "writes, overwrites, FUA and flushes of two LUNs, some at the same time",
  restart: "serve",
  looksAt: { blocks: LUNS, reservations: [] },
  prepare: buildDisk,
  async run(world: World): Promise<void> {
    const [anna, ben] = await serve(world, "anna", "ben") as [Client, Client];
    await anna.write({ lba: 0, blocks: 16 });
    await anna.write({ lba: 100, blocks: 3 });
    await anna.flush();
    await anna.write({ lba: 4, blocks: 30 });
    await Promise.all([anna.write({ lba: 200, blocks: 64 }), ben.writeDurably({ lba: 101, blocks: 1 })]);
    await Promise.all([anna.flush(), ben.write({ lba: 300, blocks: 20 })]);
    await ben.write({ lun: 1, lba: 0, blocks: 8 });
    await anna.writeDurably({ lun: 1, lba: 64, blocks: 8 });
    await Promise.all([ben.flush(1), anna.flush(1), ben.write({ lun: 1, lba: 500, blocks: 12 })]);
    await ben.write({ lba: 0, blocks: 8 });
    await anna.flush();
  },
};

const ATOMIC: Workload = {
  name: "atomic",
  title: "COMPARE AND WRITE and WRITE ATOMIC over several pages, plain writes over them, flushes",
  restart: "serve",
  looksAt: { blocks: LUNS, reservations: [] },
  prepare: buildDisk,
  async run(world: World): Promise<void> {
    const [anna, ben] = await serve(world, "anna", "ben") as [Client, Client];
    const first = { lba: 3, blocks: 40 };
    const before = await anna.writeAtomically(first);
    await anna.compareAndWrite(first, before);
    await anna.flush();
    await anna.writeAtomically({ lba: 100, blocks: 64 });
    await ben.write({ lba: 120, blocks: 8 });
    await ben.flush();
    await Promise.all([
      anna.writeAtomically({ lba: 300, blocks: 24 }),
      ben.write({ lun: 1, lba: 8, blocks: 8 }),
    ]);
    await ben.writeAtomically({ lun: 1, lba: 16, blocks: 9 });
    await anna.flush(1);
    await ben.compareAndWrite({ lba: 400, blocks: 2 }, 0);
    await anna.write({ lba: 300, blocks: 24 });
    await anna.flush();
  },
};

const UNMAP: Workload = {
  name: "unmap",
  title: "UNMAP of written blocks, whole pages and parts of them, writes over the holes, flushes",
  restart: "serve",
  looksAt: { blocks: LUNS, reservations: [] },
  prepare: buildDisk,
  async run(world: World): Promise<void> {
    const [anna, ben] = await serve(world, "anna", "ben") as [Client, Client];
    await anna.write({ lba: 0, blocks: 256 });
    await anna.flush();
    await anna.unmap({ lba: 0, blocks: 64 });
    await anna.unmap({ lba: 77, blocks: 50 });
    await anna.flush();
    await anna.write({ lba: 8, blocks: 20 });
    await anna.flush();
    await Promise.all([anna.unmap({ lba: 128, blocks: 64 }), ben.writeDurably({ lba: 192, blocks: 16 })]);
    await ben.write({ lba: 130, blocks: 8 });
    await ben.flush();
  },
};

/** Returns the workload of a command that erases. */
function erasing(
  by: Parameters<Client["erase"]>[1],
  names: Pick<Workload, "name" | "title">,
): Workload {
  return {
    ...names,
    restart: "serve",
    looksAt: { blocks: LUNS, reservations: [] },
    prepare: buildDisk,
    async run(world: World): Promise<void> {
      const [anna] = await serve(world, "anna") as [Client];
      await anna.write({ lba: 0, blocks: 256 });
      await anna.writeAtomically({ lba: 3, blocks: 64 });
      await anna.flush();
      await anna.erase(LUN_BLOCKS, by);
      await anna.write({ lba: 8, blocks: 8 });
      await anna.write({ lun: 1, lba: 8, blocks: 8 });
      await anna.flush();
    },
  };
}

const SANITIZE = erasing("sanitize", {
  name: "sanitize",
  title: "plain and atomic writes, then SANITIZE BLOCK ERASE",
});

const FORMAT = erasing("formatUnit", {
  name: "format",
  title: "plain and atomic writes, then FORMAT UNIT",
});

const ANNA = "000000000000a11a";
const BEN = "0000000000000be1";

const RESERVATIONS: Workload = {
  name: "reservations",
  title: "registers with APTPL, reserves, preempts, registers again, releases and clears",
  restart: "serve",
  looksAt: { blocks: [], reservations: LUNS },
  prepare: buildDisk,
  async run(world: World): Promise<void> {
    const [anna, ben] = await serve(world, "anna", "ben") as [Client, Client];
    await anna.reserveOut("register", { otherKey: ANNA });
    await ben.reserveOut("register", { otherKey: BEN });
    await ben.reserveOut("reserve", { key: BEN });
    await anna.reserveOut("preempt", { key: ANNA, otherKey: BEN });
    await ben.reserveOut("registerAndIgnore", { otherKey: BEN });
    await anna.reserveOut("preemptAndAbort", { key: ANNA, otherKey: BEN });
    await anna.reserveOut("release", { key: ANNA });
    await anna.reserveOut("reserve", { key: ANNA });
    await anna.reserveOut("register", { otherKey: BEN, lun: 1 });
    await anna.reserveOut("clear", { key: ANNA });
  },
};

const RELOAD: Workload = {
  name: "reload",
  title: "writes while `iscsi build` grows a LUN and adds another, writes to both and flushes",
  restart: "build",
  looksAt: { blocks: LUNS, reservations: [] },
  prepare: buildDisk,
  async run(world: World): Promise<void> {
    const [anna, ben] = await serve(world, "anna", "ben") as [Client, Client];
    await anna.write({ lba: 0, blocks: 64 });
    await anna.flush();
    const grown = ["[disk]", `size=${LUN_BYTES} ${2 * LUN_BYTES}`, "[more]", "size=65536"];
    await Promise.all([world.build(grown), ben.write({ lba: 64, blocks: 64 })]);
    await anna.write({ lun: 1, lba: LUN_BLOCKS - 4, blocks: 16 });
    await anna.flush(1);
    await ben.writeDurably({ lun: 1, lba: 2 * LUN_BLOCKS - 8, blocks: 8 });
    await ben.flush();
  },
};

/** The number of every write of the backup. */
const BACKUP_ID = 1_000_000;

const BACKUP: Workload = {
  name: "backup",
  title: "atomic writes are interrupted, and a backup is put in the place of the LUN before the restart",
  restart: "serve",
  looksAt: { blocks: LUNS, reservations: [] },
  prepare: buildDisk,
  async run(world: World): Promise<void> {
    const [anna] = await serve(world, "anna") as [Client];
    await anna.write({ lba: 0, blocks: LUN_BLOCKS });
    await anna.flush();
    await anna.writeAtomically({ lba: 3, blocks: 128 });
    await anna.flush();
    await anna.writeAtomically({ lba: 200, blocks: 64 });
  },
  meddle(storage: string): readonly Note[] {
    Deno.writeFileSync(`${storage}/disk.new`, blocksOf(BACKUP_ID, 0, LUN_BLOCKS), { mode: 0o600 });
    Deno.renameSync(`${storage}/disk.new`, `${storage}/disk`);
    return [{ kind: "seen", lun: 0, tags: Array.from({ length: LUN_BLOCKS }, () => BACKUP_ID) }];
  },
};

/** All workloads. */
export const WORKLOADS: readonly Workload[] = [
  BUILD,
  WRITES,
  ATOMIC,
  UNMAP,
  SANITIZE,
  FORMAT,
  RESERVATIONS,
  RELOAD,
  BACKUP,
];
