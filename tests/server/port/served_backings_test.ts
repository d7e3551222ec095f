/** Locks and links that the supervisor keeps for its worker, through changes of the served backings. */
import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { dirname } from "@std/path";
import { ProvisionError } from "../../../lib/provision/provision_error.ts";
import { reservationsFileOf } from "../../../lib/provision/state_folder.ts";
import { ServedBackings, type WorkerBackings } from "../../../lib/server/port/served_backings.ts";
import type { WorkerServing } from "../../../lib/server/storage/serving.ts";
import { configOf } from "../../provision/conf.ts";
import { withScratch } from "../../provision/scratch.ts";
import { makeServed, pathOf } from "../_serving.ts";
import { servingOf } from "../supervisor/_supervised.ts";

/** Backings `a` to `d`, of which a conf names some. */
class Bed implements AsyncDisposable {
  readonly backings = new ServedBackings((message) => {
    throw new Error(message);
  });
  readonly #storage: string;
  readonly #lease: WorkerServing["lease"];

  constructor(storage: string) {
    this.#storage = storage;
    this.#lease = servingOf(makeServed(storage)).lease.forPort(3260);
    for (const name of ["a", "b", "c", "d"]) Deno.writeTextFileSync(this.path(name), name);
  }

  path(name: string): string {
    return `${this.#storage}/${name}`;
  }

  /** Serves these files: those in capitals read-only. */
  serving(names: string): WorkerServing {
    const sections = [...names].flatMap((name) => {
      const isReadOnly = name === name.toUpperCase();
      return [`[${name.toLowerCase()}]`, "size=1MB", ...(isReadOnly ? ["readonly=y"] : [])];
    });
    const config = configOf(`storage=${this.#storage}`, ...sections);
    const found = {
      identities: new Map(),
      devices: [],
      unavailable: new Map(),
      arriving: new Map<string, string>(),
    };
    return { config, port: 3260, ...found, lease: this.#lease };
  }

  /** Serves something else, as a worker does that can. */
  async change(names: string): Promise<WorkerBackings> {
    const next = this.serving(names);
    const prepared = await this.backings.extend(next);
    await this.backings.settle(next, prepared);
    return prepared;
  }

  /**
   * Fails unless these files become locked, and no others. A program that another test starts at this moment has all
   * files of this process open until it is executed, and with them locks that were given back.
   */
  async assertLocked(expected: string, message?: string): Promise<void> {
    for (let tries = 0; tries < 200 && this.#locked() !== expected; tries++) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    assertEquals(this.#locked(), expected, message);
  }

  /** The files that another process could not lock: in capitals where it can only read them. */
  #locked(): string {
    return ["a", "b", "c", "d"].map((name) => {
      using other = Deno.openSync(this.path(name), { read: true });
      return other.tryLockSync(true) ? "" : other.tryLockSync(false) ? name.toUpperCase() : name;
    }).join("");
  }

  /** The files that are linked: in capitals where they may only be read. */
  linked(): string {
    const folder = `${this.#storage}/.iscsi/links`;
    const names = (kind: string): string[] =>
      [...Deno.readDirSync(`${folder}/${kind}`)].map(({ name }) =>
        Deno.readTextFileSync(`${folder}/${kind}/${name}`)
      );
    const readOnly = names("read-only").map((name) => name.toUpperCase());
    return [...names("read-write"), ...readOnly].sort((a, b) => a.toLowerCase() < b.toLowerCase() ? -1 : 1)
      .join("");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.backings[Symbol.asyncDispose]();
    await this.assertLocked("");
  }
}

function testOnBed(name: string, test: (bed: Bed) => Promise<void>): void {
  Deno.test(name, () =>
    withScratch(async (folder) => {
      await using bed = new Bed(folder);
      await test(bed);
    }));
}

testOnBed("ServedBackings locks and links what is served, and nothing else", async (bed) => {
  await bed.backings.renew(bed.serving("aB"));
  await bed.assertLocked("aB");
  assertEquals(bed.linked(), "aB");
  await bed.backings.renew(bed.serving("bC"));
  await bed.assertLocked("bC");
  assertEquals(bed.linked(), "bC");
});

testOnBed(
  "ServedBackings keeps the lock of what was taken out of the conf until it is closed",
  async (bed) => {
    await bed.backings.renew(bed.serving("ab"));
    await bed.change("bc");
    await bed.assertLocked("abc");
    assertEquals(bed.linked(), "bc");
    await bed.backings.closed(bed.path("b"));
    await bed.backings.closed(bed.path("a"));
    await bed.backings.closed(bed.path("d"));
    await bed.assertLocked("bc");
  },
);

testOnBed(
  "ServedBackings gives back what is closed before the worker has said that it serves something else",
  async (bed) => {
    await bed.backings.renew(bed.serving("ab"));
    const next = bed.serving("bc");
    const prepared = await bed.backings.extend(next);
    await bed.backings.closed(bed.path("a"));
    await bed.backings.closed(bed.path("b"));
    await bed.assertLocked("abc");
    await bed.backings.settle(next, prepared);
    await bed.assertLocked("bc");
    assertEquals(bed.linked(), "bc");
    // What was closed and opened again in that change is not closed by the next one.
    await bed.change("c");
    await bed.assertLocked("bc");
    await bed.backings.closed(bed.path("b"));
    await bed.assertLocked("c");
  },
);

testOnBed(
  "ServedBackings goes back to what was served when the worker cannot serve something else",
  async (bed) => {
    const before = bed.serving("aB");
    const told = await bed.backings.renew(before);
    await bed.backings.extend(bed.serving("Abc"));
    await bed.assertLocked("abc");
    await bed.backings.settle(before, told);
    assertEquals(bed.linked(), "aB");
    await bed.assertLocked("ab", "a lock that has become exclusive stays so");
  },
);

/** Locks a file as another process would. */
function lockOther(path: string): Deno.FsFile {
  const other = Deno.openSync(path, { read: true });
  assertEquals(other.tryLockSync(true), true);
  return other;
}

testOnBed(
  "ServedBackings has what another process has locked unavailable, and serves it when it is free",
  async (bed) => {
    const serving = bed.serving("abc");
    const path = bed.path("b");
    const message = `Cannot serve "${path}"`;
    {
      using _other = lockOther(path);
      const { backingLinks, unavailable } = await bed.backings.renew(serving);
      assertEquals([[...unavailable.keys()], [...backingLinks.keys()]], [[path], [
        bed.path("a"),
        bed.path("c"),
      ]]);
      assertStringIncludes(bed.backings.faults.get(path)!, message);
      assertEquals(bed.linked(), "ac");
      // What is as it was keeps nothing else from changing; what is new does.
      assertEquals([...(await bed.change("bcd")).unavailable.keys()], [path]);
      await bed.backings.closed(bed.path("a"));
      using _third = lockOther(bed.path("a"));
      const before = { ...(await bed.change("bcd")) };
      await assertRejects(() => bed.backings.extend(bed.serving("abcd")), ProvisionError, bed.path("a"));
      await bed.backings.settle(bed.serving("bcd"), before);
    }
    const again = bed.serving("bcd");
    const told = await bed.backings.extend(again);
    assertEquals(told.unavailable, new Map());
    await bed.backings.settle(again, told);
    await bed.assertLocked("bcd");
    assertEquals([bed.linked(), bed.backings.faults.size], ["bcd", 0]);
  },
);

testOnBed("ServedBackings refuses to serve otherwise what another process reads as well", async (bed) => {
  const before = bed.serving("A");
  const told = await bed.backings.renew(before);
  using other = Deno.openSync(bed.path("a"), { read: true });
  assertEquals(other.tryLockSync(false), true);
  await assertRejects(
    () => bed.backings.extend(bed.serving("a")),
    ProvisionError,
    `Cannot serve "${bed.path("a")}"`,
  );
  await bed.backings.settle(before, told);
  assertEquals(bed.linked(), "A");
});

testOnBed("ServedBackings keeps what the worker has open, whatever becomes of the file", async (bed) => {
  const serving = bed.serving("ab");
  const { backingLinks } = await bed.backings.renew(serving);
  Deno.renameSync(bed.path("a"), `${bed.path("a")}.away`);
  // Once with the file found to be gone, and once before it is missed.
  const without = { ...serving, unavailable: new Map([[bed.path("a"), "it is gone"]]) };
  for (const next of [without, serving]) {
    const told = await bed.backings.extend(next);
    assertEquals([told.backingLinks, told.unavailable], [backingLinks, next.unavailable]);
    await bed.backings.settle(next, told);
    using other = Deno.openSync(`${bed.path("a")}.away`, { read: true });
    assertEquals(other.tryLockSync(false), false);
  }
  Deno.renameSync(`${bed.path("a")}.away`, bed.path("a"));
});

testOnBed("ServedBackings says of all that is missing which it is", async (bed) => {
  for (const name of ["b", "c"]) Deno.removeSync(bed.path(name));
  const { unavailable } = await bed.backings.renew(bed.serving("abc"));
  assertEquals([...unavailable.keys()], [bed.path("b"), bed.path("c")]);
  for (const name of ["b", "c"]) Deno.writeTextFileSync(bed.path(name), name);
});

Deno.test("ServedBackings brings the reservations of a missing file to its worker, too", () =>
  withScratch(async (storage) => {
    const served = makeServed(storage);
    const { lease, ...serving } = servingOf(served);
    const [main, other] = [lease.forPort(3260), lease.forPort(3261)];
    const config = {
      ...served.config,
      targets: served.config.targets.map((target) => ({ ...target, port: 3261 })),
    };
    const [path, unknown] = [pathOf(served, "a"), pathOf(served, "b")];
    const { naa } = serving.identities.get(path)!;
    Deno.writeTextFileSync(reservationsFileOf(main.place, naa), "reserved");
    const unavailable = new Map([path, unknown].map((path) => [path, "missing"]));
    const identities = new Map([...serving.identities].filter(([known]) => known !== unknown));
    await using backings = new ServedBackings(() => {});
    await backings.renew({
      ...serving,
      config,
      identities,
      unavailable,
      port: 3261,
      arriving: new Map(),
      lease: other,
    });
    assertEquals(Deno.readTextFileSync(reservationsFileOf(other.place, naa)), "reserved");
    // The worker has no logical unit without an identity, and would never report that it has closed it.
    assertEquals([backings.has(path), backings.has(unknown)], [true, false]);
  }));

Deno.test("ServedBackings leaves out only the LUN whose reservations cannot be moved, until they can", () =>
  withScratch(async (storage) => {
    const served = makeServed(storage);
    const { lease, ...found } = servingOf(served);
    const [main, other] = [lease.forPort(3260), lease.forPort(3261)];
    const targets = served.config.targets.map((target) => ({ ...target, port: 3261 }));
    const serving = {
      ...found,
      config: { ...served.config, targets },
      port: 3261,
      arriving: new Map<string, string>(),
      lease: other,
    };
    const [path, free] = [pathOf(served, "a"), pathOf(served, "b")];
    const { naa } = serving.identities.get(path)!;
    const obstacle = `${reservationsFileOf(other.place, naa)}/obstacle`;
    Deno.mkdirSync(obstacle, { recursive: true });
    Deno.utimeSync(dirname(obstacle), 1, 1);
    Deno.writeTextFileSync(reservationsFileOf(main.place, naa), "reserved");
    await using backings = new ServedBackings(() => {});
    const sent = await backings.renew(serving);
    // Without its reservations the LUN would admit initiators that are fenced off.
    assertEquals([[...sent.unavailable.keys()], [...sent.arriving.keys()]], [[path], [path]]);
    assertEquals([...sent.backingLinks.keys()], [free]);
    Deno.removeSync(dirname(obstacle), { recursive: true });
    const again = await backings.extend(serving);
    assertEquals([again.unavailable.size, again.arriving.size], [0, 0]);
    assertEquals(Deno.readTextFileSync(reservationsFileOf(other.place, naa)), "reserved");
    await backings.settle(serving, again);
  }));

Deno.test("ServedBackings counts files as open from the moment that the worker may open them", () =>
  withScratch(async (storage) => {
    await using bed = new Bed(storage);
    const started = bed.backings.renew(bed.serving("a"));
    assertEquals(bed.backings.has(bed.path("a")), true);
    await started;
    const extended = bed.backings.extend(bed.serving("b"));
    assertEquals(["a", "b"].map((name) => bed.backings.has(bed.path(name))), [true, true]);
    await bed.backings.settle(bed.serving("a"), await started);
    await extended;
    await bed.backings.settle(bed.serving("a"), await started);
    assertEquals(["a", "b"].map((name) => bed.backings.has(bed.path(name))), [true, false]);
  }));
