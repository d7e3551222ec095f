/** The rights of the target worker, on a real worker that has exactly those and tries what it should not. */
import { workerPlaceOf } from "../../lib/provision/state_folder.ts";
import { assertEquals } from "@std/assert";
import { parseNetwork } from "../../lib/bytes/network.ts";
import { prepareInPlaceFolders } from "../../lib/provision/in_place_folders.ts";
import { type BackingExport, WorkerLinks } from "../../lib/provision/worker_links.ts";
import { prepareWorkerState } from "../../lib/provision/worker_state.ts";
import { workerPermissions } from "../../lib/server/worker_permissions.ts";
import { withScratch } from "../provision/scratch.ts";
import { ATTEMPTS, type ProbeTask } from "./_probe_worker.ts";

/** Returns a port without a listener. */
function freePort(): number {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  return port;
}

const FILES = [
  ...["storage/disk", "storage/kept", "elsewhere/disk", "elsewhere/kept", "outside/secret"],
  ...["storage/.iscsi/identities.json", "storage/.iscsi/serve.lock", "storage/.iscsi/growth.json"],
  "storage/.iscsi/helpers/run/1.lock",
];
const TEXT = "a secret";

function makeFiles(folder: string): void {
  for (const name of ["storage/.iscsi/helpers/run", "outside", "elsewhere"]) {
    Deno.mkdirSync(`${folder}/${name}`, { recursive: true });
  }
  for (const name of FILES) Deno.writeTextFileSync(`${folder}/${name}`, TEXT);
  Deno.writeTextFileSync(`${folder}/outside/module.js`, "export {};");
}

/** A worker that makes the attempts of a task. */
class Probe implements Disposable {
  readonly #worker: Worker;

  constructor(permissions: Deno.PermissionOptionsObject) {
    this.#worker = new Worker(new URL("./_probe_worker.ts", import.meta.url).href, {
      type: "module",
      deno: { permissions },
    });
  }

  /** Makes the attempts of a task, and returns the outcome of each. */
  async try(task: ProbeTask): Promise<Record<string, string>> {
    const answer = Promise.withResolvers<Record<string, string>>();
    this.#worker.onmessage = ({ data }: MessageEvent<Record<string, string>>) => answer.resolve(data);
    this.#worker.onerror = (event) => {
      event.preventDefault();
      answer.reject(new Error(event.message));
    };
    this.#worker.postMessage(task);
    return await answer.promise;
  }

  [Symbol.dispose](): void {
    this.#worker.terminate();
  }
}

/** Returns the outcome that each attempt must have. */
function expectedOutcomes(attempts: readonly string[]): Record<string, string> {
  const outcome = (name: string): string => name.startsWith("may ") ? "done" : "NotCapable";
  const outcomes = ["ask for more", ...attempts].map((name) => [name, outcome(name)]);
  return {
    ...Object.fromEntries(outcomes),
    ...(attempts.includes("former link") && { "former link": "NotFound" }),
  };
}

/** Links cannot be made by programs here. */
const NO_PROGRAMS = {
  runNow(): never {
    throw new Error("no program is to be run");
  },
};

/** The port of another worker. */
const OTHER_PORT = 3261;

/** A storage folder, and what lies around it. */
class Surroundings implements Disposable {
  readonly folder: string;
  readonly storage: string;
  readonly portalPort = freePort();
  readonly links: WorkerLinks;
  /** Another listener, so that a connection would succeed if it were allowed. */
  readonly #other = Deno.listen({ hostname: "127.0.0.1", port: 0 });

  constructor(folder: string) {
    makeFiles(folder);
    this.folder = folder;
    this.storage = `${folder}/storage`;
    prepareInPlaceFolders(workerPlaceOf(this.storage));
    prepareWorkerState(workerPlaceOf(this.storage), () => {});
    this.links = new WorkerLinks(workerPlaceOf(this.storage), NO_PROGRAMS);
    const other = workerPlaceOf(this.storage, OTHER_PORT);
    prepareInPlaceFolders(other);
    prepareWorkerState(other, () => {});
    for (const place of [workerPlaceOf(this.storage), other]) {
      Deno.mkdirSync(`${place}/links/read-write`, { recursive: true });
      Deno.writeTextFileSync(`${place}/journals/atomic`, TEXT);
    }
  }

  /** A backing file, by its name relative to the folder. */
  backing(name: string, readOnly: boolean): BackingExport {
    return { path: `${this.folder}/${name}`, readOnly };
  }

  /** Everything is tried with these two files. */
  task(
    links: ReadonlyMap<string, string>,
    writable: string,
    readOnly: string,
    formerLink: string,
  ): ProbeTask {
    const [writableFile, readOnlyFile] = [`${this.folder}/${writable}`, `${this.folder}/${readOnly}`];
    return {
      attempts: Object.keys(ATTEMPTS),
      storage: this.storage,
      outside: `${this.folder}/outside`,
      writable: links.get(writableFile)!,
      readOnly: links.get(readOnlyFile)!,
      writableFile,
      readOnlyFile,
      formerLink,
      otherPlace: workerPlaceOf(this.storage, OTHER_PORT),
      otherLink: `${workerPlaceOf(this.storage, OTHER_PORT)}/links/read-write/1`,
      otherPort: this.#other.addr.port,
      portalPort: this.portalPort,
    };
  }

  probe(): Probe {
    const port = this.portalPort;
    const portals = [{ address: "127.0.0.1", port }];
    const networks = [parseNetwork("127.0.2.0/24")!];
    return new Probe(workerPermissions({ place: workerPlaceOf(this.storage), portals, networks, port }));
  }

  assertUntouched(): void {
    const texts = FILES.map((name) => [name, Deno.readTextFileSync(`${this.folder}/${name}`)]);
    assertEquals(texts, FILES.map((name) => [name, TEXT]));
    assertEquals([...Deno.readDirSync(`${this.folder}/outside`)].length, 2);
  }

  [Symbol.dispose](): void {
    this.#other.close();
  }
}

Deno.test("a worker with the rights of the target worker can do what it must, and nothing else", () =>
  withScratch(async (folder) => {
    using around = new Surroundings(folder);
    const { links } = around.links.renew([
      ...[around.backing("storage/disk", false), around.backing("storage/kept", true)],
      ...[around.backing("elsewhere/disk", false), around.backing("elsewhere/kept", true)],
    ]);
    using probe = around.probe();
    const attempts = Object.keys(ATTEMPTS);
    const none = `${folder}/storage/.iscsi/links/read-write/none`;
    for (const place of ["storage", "elsewhere"]) {
      const task = around.task(links, `${place}/disk`, `${place}/kept`, none);
      assertEquals(await probe.try(task), expectedOutcomes(attempts));
      around.assertUntouched();
    }
  }));

Deno.test("a worker that runs gets and loses rights to files as the conf says", () =>
  withScratch(async (folder) => {
    for (const place of ["storage", "elsewhere"]) {
      using around = new Surroundings(Deno.makeTempDirSync({ dir: folder }));
      const [disk, kept] = [`${place}/disk`, `${place}/kept`];
      const before = around.links.renew([around.backing(disk, false)]).links;
      using probe = around.probe();
      await probe.try({ ...around.task(before, disk, disk, ""), attempts: [] });
      // What was written becomes read-only, and a file that is new may be written.
      const after = around.links.extend([around.backing(disk, true), around.backing(kept, false)]).links;
      around.links.retain(after.values());
      const former = before.get(`${around.folder}/${disk}`)!;
      const outcomes = await probe.try(around.task(after, kept, disk, former));
      assertEquals(outcomes, expectedOutcomes(Object.keys(ATTEMPTS)));
      around.assertUntouched();
    }
  }));

Deno.test("a worker without portals has no right to any network", () =>
  withScratch(async (folder) => {
    using around = new Surroundings(folder);
    const { links } = around.links.renew([around.backing("storage/disk", false)]);
    using probe = new Probe(
      workerPermissions({ place: workerPlaceOf(around.storage), portals: [], networks: [], port: 3260 }),
    );
    const attempts = Object.keys(ATTEMPTS).filter((name) => /connect|listen|fetch/.test(name));
    const outcomes = await probe.try({ ...around.task(links, "storage/disk", "storage/disk", ""), attempts });
    const expected = Object.fromEntries(["ask for more", ...attempts].map((name) => [name, "NotCapable"]));
    assertEquals(outcomes, expected);
  }));

Deno.test("the worker of a further port has no right to anything of the first one", () =>
  withScratch(async (folder) => {
    using around = new Surroundings(folder);
    const first = around.links.renew([around.backing("storage/kept", false)]).links;
    const place = workerPlaceOf(around.storage, OTHER_PORT);
    const own = new WorkerLinks(place, NO_PROGRAMS).renew([around.backing("storage/disk", false)]).links;
    const portals = [{ address: "127.0.0.1", port: around.portalPort }];
    using probe = new Probe(workerPermissions({ place, portals, networks: [], port: around.portalPort }));
    const task = {
      ...around.task(own, "storage/disk", "storage/disk", ""),
      otherPlace: workerPlaceOf(around.storage),
      otherLink: first.get(`${around.folder}/storage/kept`)!,
    };
    const names = Object.keys(ATTEMPTS).filter((name) => name.includes("another worker"));
    const attempts = ["may read a linked file", "may write a linked file", ...names];
    assertEquals(await probe.try({ ...task, attempts }), expectedOutcomes(attempts));
    assertEquals(names.length, 8);
    around.assertUntouched();
  }));
