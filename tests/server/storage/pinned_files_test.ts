import { assertEquals } from "@std/assert";
import { type FileIdentity, identify } from "../../../lib/server/storage/pinned_file.ts";
import { PinnedFiles } from "../../../lib/server/storage/pinned_files.ts";
import { withScratch } from "../../provision/scratch.ts";
import { FakeClock } from "../../support/fake_clock.ts";

/** More than the time for which an unused link stays. */
const IDLE_MS = 1_000;

/** Pinned files in a scratch folder, with one file and a folder for links. */
interface Bed {
  readonly pins: PinnedFiles;
  readonly clock: FakeClock;
  readonly path: string;
  readonly identity: FileIdentity;
  /** Returns the number of links that were requested. */
  requested(): number;
  /** Returns the names of the links that are there. */
  links(): string[];
}

function withBed(test: (bed: Bed) => void): Promise<void> {
  return withScratch((folder) => {
    const [path, run] = [`${folder}/disk`, `${folder}/run`];
    Deno.mkdirSync(run);
    Deno.writeTextFileSync(path, "old");
    const clock = new FakeClock();
    let requested = 0;
    using pins = new PinnedFiles(() => `${run}/${++requested}`, clock.after.bind(clock));
    test({
      pins,
      clock,
      path,
      identity: identityOf(path),
      requested: () => requested,
      links: () => [...Deno.readDirSync(run)].map(({ name }) => name).sort(),
    });
    return Promise.resolve();
  });
}

function identityOf(path: string): FileIdentity {
  const identity = identify(path);
  if (typeof identity === "string") throw new Error(identity);
  return identity;
}

function replace(path: string): void {
  Deno.writeTextFileSync(`${path}.new`, "new");
  Deno.renameSync(`${path}.new`, path);
}

Deno.test("PinnedFiles makes one link for a burst of requests, and removes it when they are over", () =>
  withBed(({ pins, clock, path, identity, requested, links }) => {
    for (let count = 0; count < 20; count++) {
      using pinned = pins.pin(path, identity);
      assertEquals([pinned.fault, Deno.readTextFileSync(pinned.path)], [undefined, "old"]);
      clock.advance(IDLE_MS / 5);
    }
    assertEquals([requested(), links()], [1, ["1"]]);
    clock.advance(IDLE_MS);
    assertEquals([links(), clock.waiting], [[], 0]);
    using again = pins.pin(path, identity);
    assertEquals([again.fault, links()], [undefined, ["2"]]);
  }));

Deno.test("PinnedFiles keeps the link of a request for as long as it takes", () =>
  withBed(({ pins, clock, path, identity, links }) => {
    pins.pin(path, identity)[Symbol.dispose]();
    {
      using _slow = pins.pin(path, identity);
      clock.advance(10 * IDLE_MS);
      assertEquals(links(), ["1"]);
    }
    assertEquals(links(), ["1"]);
    clock.advance(IDLE_MS);
    assertEquals([links(), clock.waiting], [[], 0]);
  }));

Deno.test("PinnedFiles removes the link that requests share when the last of them has ended", () =>
  withBed(({ pins, path, identity, links }) => {
    const [first, second] = [pins.pin(path, identity), pins.pin(path, identity)];
    assertEquals(first.path, second.path);
    pins.drop(path);
    first[Symbol.dispose]();
    assertEquals([links(), Deno.readTextFileSync(second.path)], [["1"], "old"]);
    {
      using next = pins.pin(path, identity);
      assertEquals([next.path === second.path, links()], [false, ["1", "2"]]);
    }
    second[Symbol.dispose]();
    assertEquals(links(), ["2"]);
  }));

Deno.test("PinnedFiles gives no request the link to another file", () =>
  withBed(({ pins, path, identity, links }) => {
    pins.pin(path, identity)[Symbol.dispose]();
    replace(path);
    {
      using known = pins.pin(path, identity);
      assertEquals([known.fault, Deno.readTextFileSync(known.path)], [undefined, "old"]);
    }
    {
      using other = pins.pin(path, identityOf(path));
      assertEquals([other.fault, Deno.readTextFileSync(other.path), links()], [undefined, "new", ["2"]]);
    }
    {
      using former = pins.pin(path, identity);
      assertEquals(former.fault, "another file has taken its place");
    }
    assertEquals(links(), []);
  }));

Deno.test("PinnedFiles retains the links to the wanted files, also when they have grown", () =>
  withBed(({ pins, clock, path, identity, links }) => {
    pins.pin(path, identity)[Symbol.dispose]();
    pins.retain(() => ({ ...identity, sizeBytes: 2 * identity.sizeBytes }));
    assertEquals(links(), ["1"]);
    replace(path);
    pins.retain(identityOf);
    assertEquals(links(), []);
    pins.pin(path, identityOf(path))[Symbol.dispose]();
    pins.retain(() => undefined);
    assertEquals(links(), []);
    clock.advance(IDLE_MS);
    assertEquals(clock.waiting, 0);
  }));

Deno.test("PinnedFiles that is disposed of has no timer and no link but those in use", () =>
  withBed(({ pins, clock, path, identity, links }) => {
    pins.pin(path, identity)[Symbol.dispose]();
    {
      using _used = pins.pin(path, identity);
      pins[Symbol.dispose]();
      assertEquals([links(), clock.waiting], [["1"], 0]);
    }
    assertEquals([links(), clock.waiting], [[], 0]);
  }));

Deno.test("PinnedFiles checks a file without a link for each request", () =>
  withBed(({ clock, path, identity }) => {
    using pins = new PinnedFiles(() => "/none/link", clock.after.bind(clock));
    {
      using pinned = pins.pin(path, identity);
      assertEquals([pinned.path, pinned.fault], [path, undefined]);
    }
    replace(path);
    using replaced = pins.pin(path, identity);
    assertEquals([replaced.fault, clock.waiting], ["another file has taken its place", 0]);
  }));
